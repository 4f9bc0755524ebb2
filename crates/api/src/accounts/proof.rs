//! What every request of a session carries: a statement about that one request, signed by the device's key (DPoP, RFC
//! 9449). A stolen token is worth nothing without the key, which its browser never gives out (SECURITY D-6).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD as BASE64URL;
use domain::CivilTime;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;
use utoipa::ToSchema;

use super::secret::sha256;

/// A proof is one of now: so far may the device's clock be off, either way.
const SKEW_MS: i64 = 60_000;
/// A proof is remembered for as long as it would be taken.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 + 1);
/// The most proofs of one session remembered: some twenty requests a second.
const OF_SESSION_MAX: usize = 2_500;
/// The most of all sessions: some 3 MB.
const OF_ALL_MAX: usize = 100_000;
const PROOF_LEN_MAX: usize = 2_048;
const POINT_LEN: usize = 65;

/// A public key on P-256, as browsers export it (RFC 7517).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = DeviceKey)]
pub(super) struct Jwk {
    /// `EC`.
    #[schema(example = "EC")]
    kty: String,
    /// `P-256`.
    #[schema(example = "P-256")]
    crv: String,
    /// 32 bytes, base64url.
    x: String,
    /// 32 bytes, base64url.
    y: String,
    /// Must not be there: a private key has no business here.
    #[serde(default)]
    d: Option<String>,
}

impl Jwk {
    /// The uncompressed point; `None` for what is not a public key on P-256.
    pub(super) fn point(&self) -> Option<Vec<u8>> {
        if self.kty != "EC" || self.crv != "P-256" || self.d.is_some() {
            return None;
        }
        let coordinate = |text: &str| {
            BASE64URL
                .decode(text.as_bytes())
                .ok()
                .filter(|c| c.len() == 32)
        };
        let point = [vec![4], coordinate(&self.x)?, coordinate(&self.y)?].concat();
        (point.len() == POINT_LEN && on_curve(&point)).then_some(point)
    }
}

/// ring says whether a point is on the curve when it is agreed with.
pub(super) fn on_curve(point: &[u8]) -> bool {
    use ring::agreement::{
        ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey as Peer, agree_ephemeral,
    };
    let random = ring::rand::SystemRandom::new();
    let Ok(own) = EphemeralPrivateKey::generate(&ECDH_P256, &random) else {
        return false;
    };
    agree_ephemeral(own, &Peer::new(&ECDH_P256, point), |_| ()).is_ok()
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Jwk,
}

#[derive(Deserialize)]
struct Claims {
    htm: String,
    htu: String,
    iat: i64,
    jti: String,
    ath: String,
}

/// What a proof must be about.
pub(crate) struct About<'a> {
    pub(crate) method: &'a str,
    /// As the request names it.
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: &'a str,
    /// The device's key, uncompressed.
    pub(crate) key: &'a [u8],
    pub(crate) now: CivilTime,
}

/// What is wrong with a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ProofError {
    #[error("the proof cannot be read; send one `DPoP` header with a JWT signed by ES256")]
    Unreadable,
    #[error("the proof is of another key, method, address or token")]
    OfSomethingElse,
    #[error("the device's clock is off by {0} s; sign with the time in `Holdfast-Time`")]
    Clock(i64),
    #[error("the proof was used before; sign every request anew")]
    Replayed,
    #[error("too many requests of this session; wait a minute")]
    TooMany,
    #[error("too many requests at this node; ask another one")]
    Full,
}

/// Reads a proof and says under which id it may not come again.
pub(crate) fn check(proof: &str, about: &About<'_>) -> Result<String, ProofError> {
    if proof.len() > PROOF_LEN_MAX {
        return Err(ProofError::Unreadable);
    }
    let (signed, signature) = proof.rsplit_once('.').ok_or(ProofError::Unreadable)?;
    let (header, claims) = signed.split_once('.').ok_or(ProofError::Unreadable)?;
    let header: Header = part(header)?;
    let claims: Claims = part(claims)?;
    let signature = BASE64URL.decode(signature.as_bytes());
    let signature = signature.map_err(|_| ProofError::Unreadable)?;
    let named = (16..=64).contains(&claims.jti.len());
    if header.typ != "dpop+jwt" || header.alg != "ES256" || !named {
        return Err(ProofError::Unreadable);
    }
    let point = header.jwk.point().ok_or(ProofError::Unreadable)?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, about.key);
    let token = BASE64URL.encode(&sha256(about.token.as_bytes()));
    if point != about.key
        || key.verify(signed.as_bytes(), &signature).is_err()
        || claims.htm != about.method
        || !is_address(&claims.htu, about)
        || claims.ath != token
    {
        return Err(ProofError::OfSomethingElse);
    }
    let off = claims.iat.saturating_mul(1_000).saturating_sub(about.now.0);
    if off.saturating_abs() > SKEW_MS {
        return Err(ProofError::Clock(off / 1_000));
    }
    Ok(claims.jti)
}

/// The key a proof says it is signed by; [`check`] says whether it is.
pub(super) fn key_of(proof: &str) -> Option<Vec<u8>> {
    if proof.len() > PROOF_LEN_MAX {
        return None;
    }
    let (header, _) = proof.split_once('.')?;
    part::<Header>(header).ok()?.jwk.point()
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ProofError> {
    let bytes = BASE64URL.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| ProofError::Unreadable)?;
    serde_json::from_slice(&bytes).map_err(|_| ProofError::Unreadable)
}

/// Whether an address is that of the request, whatever its query (RFC 9449 §4.3).
fn is_address(htu: &str, about: &About<'_>) -> bool {
    let plain = htu.split(['?', '#']).next().unwrap_or_default();
    let Some(rest) = plain.strip_prefix("https://") else {
        return false;
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    host.eq_ignore_ascii_case(about.host) && path == about.path
}

/// Proofs this node took in the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    of: BTreeMap<String, VecDeque<(Duration, [u8; 16])>>,
    count: usize,
}

impl Replays {
    /// Notes a proof, or says that it came before.
    pub(crate) fn take(&self, session: &str, jti: &str, now: Duration) -> Result<(), ProofError> {
        let mut id = [0; 16];
        id.copy_from_slice(&sha256(jti.as_bytes())[..16]);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = &mut *taken;
        if taken.count >= OF_ALL_MAX {
            taken.forget(now);
        }
        if taken.count >= OF_ALL_MAX {
            return Err(ProofError::Full);
        }
        let own = taken.of.entry(session.to_owned()).or_default();
        while own.front().is_some_and(|(until, _)| *until <= now) {
            own.pop_front();
            taken.count -= 1;
        }
        if own.iter().any(|(_, other)| *other == id) {
            return Err(ProofError::Replayed);
        }
        if own.len() >= OF_SESSION_MAX {
            return Err(ProofError::TooMany);
        }
        own.push_back((now + REMEMBERED, id));
        taken.count += 1;
        Ok(())
    }
}

impl Taken {
    fn forget(&mut self, now: Duration) {
        self.of.retain(|_, own| {
            own.retain(|(until, _)| *until > now);
            !own.is_empty()
        });
        self.count = self.of.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_taken_once_and_a_session_has_a_bound() {
        let replays = Replays::default();
        let at = Duration::from_secs;
        assert_eq!(replays.take("s", "first", at(0)), Ok(()));
        assert_eq!(
            replays.take("s", "first", at(60)),
            Err(ProofError::Replayed)
        );
        assert_eq!(replays.take("other", "first", at(60)), Ok(()));
        for number in 1..OF_SESSION_MAX {
            assert_eq!(replays.take("s", &number.to_string(), at(61)), Ok(()));
        }
        assert_eq!(
            replays.take("s", "one more", at(61)),
            Err(ProofError::TooMany)
        );
        assert_eq!(
            replays.take("other", "one more", at(61)),
            Ok(()),
            "others go on"
        );
        // By then the clock alone refuses the first one.
        assert_eq!(replays.take("s", "first", at(122)), Ok(()));
    }

    #[test]
    fn only_a_public_key_on_the_curve_is_a_key() {
        let key = |x: &str, y: &str, more: &str| {
            let text = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"{more}}}"#);
            serde_json::from_str::<Jwk>(&text).unwrap().point()
        };
        // RFC 7517 appendix A.1.
        let (x, y) = (
            "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        );
        assert_eq!(key(x, y, "").map(|point| point.len()), Some(65));
        assert_eq!(key(y, x, ""), None, "not on the curve");
        assert_eq!(key(x, "AAAA", ""), None);
        assert_eq!(key(x, y, r#","d":"AAAA""#), None, "a private key");
        assert_eq!(key(x, y, r#","d":null"#).map(|point| point.len()), Some(65));
    }
}
