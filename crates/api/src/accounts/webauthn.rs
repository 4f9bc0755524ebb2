//! What authenticators say, and what must be true of it (Web Authentication Level 2). Only P-256, only keys that look at
//! their owner (a finger, a face, a PIN), and no attestation: who made a key does not matter here (ADR 34).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD as BASE64URL;
use domain::Timestamp;
use domain::access::accounts::CHALLENGE_TIME;
use ring::hmac;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;

use super::secret::sha256;

const NONCE_LEN: usize = 16;
const TIME_LEN: usize = 8;
const TAG_LEN: usize = 16;
pub(super) const CHALLENGE_LEN: usize = NONCE_LEN + TIME_LEN + TAG_LEN;

/// How far this node's clock may go back between asking and looking.
const STEP_BACK: Duration = Duration::from_secs(5);

/// A COSE key on P-256 as authenticators must write it (CTAP2's canonical CBOR): map of five, kty EC2, alg ES256, crv
/// P-256, then x and y.
const COSE_BEFORE_X: [u8; 10] = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
const COSE_BEFORE_Y: [u8; 3] = [0x22, 0x58, 0x20];
const COORDINATE_LEN: usize = 32;

const HASH_LEN: usize = 32;
const AAGUID_LEN: usize = 16;

/// Flags of authenticator data (§6.1): somebody was there, was looked at, and a credential follows.
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_INCLUDED: u8 = 0x40;

/// What a challenge is for: an answer to one is none to the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    SignIn,
    /// Adds a passkey, in this session.
    Enrol(&'a str),
    /// Shows again, in this session, that it is its owner.
    Prove(&'a str),
}

impl Purpose<'_> {
    fn context(&self, unsigned: &[u8]) -> Vec<u8> {
        let words: [&[u8]; 2] = match self {
            Self::SignIn => [b"sign-in", b""],
            Self::Enrol(session) => [b"enrol", session.as_bytes()],
            Self::Prove(session) => [b"prove", session.as_bytes()],
        };
        [unsigned, words[0], b"\0", words[1]].concat()
    }

    /// `type` of what the browser signed over.
    fn ceremony(self) -> &'static str {
        match self {
            Self::SignIn | Self::Prove(_) => "webauthn.get",
            Self::Enrol(_) => "webauthn.create",
        }
    }
}

/// Asks for passkeys and looks at answers, for pages of one domain. Challenges are good at the node that gave them out
/// and nowhere kept: they carry their time under a key this node drew when it started. That none is answered twice, the
/// log sees to.
pub(crate) struct RelyingParty {
    domain: Option<String>,
    key: hmac::Key,
}

/// Why an answer does not count. Told to whoever adds a passkey, not to whoever signs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("cannot be read")]
    Unreadable,
    #[error("answers no challenge of this node, or one that is too old; begin anew")]
    Challenge,
    #[error("was made on another site")]
    Origin,
    #[error("was made without a look at its owner; use a passkey with a finger, a face or a PIN")]
    NotVerified,
    #[error("is no key on P-256 (ES256)")]
    Algorithm,
    #[error("is not signed by this passkey")]
    Signature,
}

/// A credential as its authenticator made it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Made {
    pub(super) id: Vec<u8>,
    /// Uncompressed point.
    pub(super) key: Vec<u8>,
    pub(super) count: u32,
}

/// An assertion whose signature holds.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Asserted {
    pub(super) count: u32,
    /// SHA-256 of the challenge it answers.
    pub(super) challenge: [u8; 32],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

impl RelyingParty {
    pub(crate) fn new(domain: Option<String>) -> Self {
        let secret: [u8; 32] = rand::random();
        Self {
            domain,
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        }
    }

    /// The RP ID, when passkeys are set up.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// A challenge of now.
    pub(super) fn challenge(&self, purpose: Purpose<'_>, now: Timestamp) -> [u8; CHALLENGE_LEN] {
        let mut challenge = [0; CHALLENGE_LEN];
        let (unsigned, tag) = challenge.split_at_mut(NONCE_LEN + TIME_LEN);
        unsigned[..NONCE_LEN].copy_from_slice(&rand::random::<[u8; NONCE_LEN]>());
        unsigned[NONCE_LEN..].copy_from_slice(&now.0.to_be_bytes());
        let whole = hmac::sign(&self.key, &purpose.context(unsigned));
        tag.copy_from_slice(&whole.as_ref()[..TAG_LEN]);
        challenge
    }

    /// Reads a credential that was just made (§7.1).
    pub(super) fn made(
        &self,
        purpose: Purpose<'_>,
        client_data: &[u8],
        authenticator_data: &[u8],
        now: Timestamp,
    ) -> Result<Made, AnswerError> {
        self.answered(purpose, client_data, now)?;
        let (flags, count, rest) = self.seen(authenticator_data)?;
        if flags & CREDENTIAL_INCLUDED == 0 {
            return Err(AnswerError::Unreadable);
        }
        let (_aaguid, rest) = split(rest, AAGUID_LEN)?;
        let (length, rest) = split(rest, 2)?;
        let (id, rest) = split(
            rest,
            usize::from(u16::from_be_bytes([length[0], length[1]])),
        )?;
        let (before_x, rest) = split(rest, COSE_BEFORE_X.len())?;
        let (x, rest) = split(rest, COORDINATE_LEN)?;
        let (before_y, rest) = split(rest, COSE_BEFORE_Y.len())?;
        let (y, _extensions) = split(rest, COORDINATE_LEN)?;
        let key = [&[4], x, y].concat();
        let known_form = before_x == COSE_BEFORE_X && before_y == COSE_BEFORE_Y;
        if !known_form || !super::proof::on_curve(&key) {
            return Err(AnswerError::Algorithm);
        }
        Ok(Made {
            id: id.to_vec(),
            key,
            count,
        })
    }

    /// Looks at an answer by the passkey with this public key (§7.2).
    pub(super) fn asserted(
        &self,
        purpose: Purpose<'_>,
        key: &[u8],
        (client_data, authenticator_data, signature): (&[u8], &[u8], &[u8]),
        now: Timestamp,
    ) -> Result<Asserted, AnswerError> {
        let challenge = self.answered(purpose, client_data, now)?;
        let (_, count, _) = self.seen(authenticator_data)?;
        let signed = [authenticator_data, &sha256(client_data)].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(&signed, signature)
            .map_err(|_| AnswerError::Signature)?;
        Ok(Asserted { count, challenge })
    }

    /// What the browser says it was asked, where and for what; the hash of the challenge.
    fn answered(
        &self,
        purpose: Purpose<'_>,
        client_data: &[u8],
        now: Timestamp,
    ) -> Result<[u8; 32], AnswerError> {
        let said: ClientData =
            serde_json::from_slice(client_data).map_err(|_| AnswerError::Unreadable)?;
        if said.r#type != purpose.ceremony() {
            return Err(AnswerError::Unreadable);
        }
        if said.cross_origin || !self.holds(&said.origin) {
            return Err(AnswerError::Origin);
        }
        let challenge = BASE64URL.decode(said.challenge.as_bytes());
        let challenge = challenge.map_err(|_| AnswerError::Unreadable)?;
        if challenge.len() != CHALLENGE_LEN {
            return Err(AnswerError::Challenge);
        }
        let (unsigned, tag) = challenge.split_at(NONCE_LEN + TIME_LEN);
        let whole = hmac::sign(&self.key, &purpose.context(unsigned));
        let mut time = [0; TIME_LEN];
        time.copy_from_slice(&unsigned[NONCE_LEN..]);
        let given = Timestamp(i64::from_be_bytes(time));
        // By hash, so that the time it takes tells nobody how much of a tag was right.
        let ours = sha256(&whole.as_ref()[..TAG_LEN]) == sha256(tag);
        let timely = given <= now + STEP_BACK && now < given + CHALLENGE_TIME;
        match ours && timely {
            true => Ok(sha256(&challenge)),
            false => Err(AnswerError::Challenge),
        }
    }

    /// Whether a page belongs to the domain: over TLS, there or below it, whatever the port.
    fn holds(&self, origin: &str) -> bool {
        let (Some(domain), Some(rest)) = (self.domain(), origin.strip_prefix("https://")) else {
            return false;
        };
        let host = rest.split_once(':').map_or(rest, |(host, _)| host);
        host == domain
            || host
                .strip_suffix(domain)
                .is_some_and(|above| above.ends_with('.'))
    }

    /// Flags, count and what follows, when it is for this domain and somebody was looked at.
    fn seen<'a>(&self, data: &'a [u8]) -> Result<(u8, u32, &'a [u8]), AnswerError> {
        let (hash, rest) = split(data, HASH_LEN)?;
        let (flags, rest) = split(rest, 1)?;
        let (count, rest) = split(rest, 4)?;
        let domain = self.domain().unwrap_or_default();
        if hash != sha256(domain.as_bytes()) {
            return Err(AnswerError::Origin);
        }
        let looked_at = USER_PRESENT | USER_VERIFIED;
        if flags[0] & looked_at != looked_at {
            return Err(AnswerError::NotVerified);
        }
        let count = u32::from_be_bytes([count[0], count[1], count[2], count[3]]);
        Ok((flags[0], count, rest))
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), AnswerError> {
    bytes.split_at_checked(at).ok_or(AnswerError::Unreadable)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const ALL: u8 = USER_PRESENT | USER_VERIFIED;

    fn party() -> RelyingParty {
        RelyingParty::new(Some("holdfast.example".to_owned()))
    }

    fn pair() -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        let document = document.unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random)
            .unwrap()
    }

    fn client_data(ceremony: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
        serde_json::json!({
            "type": ceremony,
            "challenge": BASE64URL.encode(challenge),
            "origin": origin,
            "crossOrigin": false,
        })
        .to_string()
        .into_bytes()
    }

    fn head(domain: &str, flags: u8, count: u32) -> Vec<u8> {
        let mut data = sha256(domain.as_bytes()).to_vec();
        data.push(flags);
        data.extend(count.to_be_bytes());
        data
    }

    fn credential(point: &[u8]) -> Vec<u8> {
        let mut data = head("holdfast.example", ALL | CREDENTIAL_INCLUDED, 3);
        data.extend([0; AAGUID_LEN]);
        data.extend([0, 5, 1, 2, 3, 4, 5]);
        data.extend(COSE_BEFORE_X);
        data.extend(&point[1..33]);
        data.extend(COSE_BEFORE_Y);
        data.extend(&point[33..]);
        data
    }

    #[test]
    fn a_new_credential_is_read_and_its_answer_holds() {
        let (party, pair) = (party(), pair());
        let point = pair.public_key().as_ref();
        let enrol = Purpose::Enrol("s1");
        let challenge = party.challenge(enrol, NOW);
        let said = client_data(
            "webauthn.create",
            &challenge,
            "https://n1.holdfast.example:7443",
        );
        let made = party.made(enrol, &said, &credential(point), NOW).unwrap();
        assert_eq!(made.id, [1, 2, 3, 4, 5]);
        assert_eq!(made.key, point);
        assert_eq!(made.count, 3);

        let challenge = party.challenge(Purpose::SignIn, NOW);
        let said = client_data("webauthn.get", &challenge, "https://holdfast.example");
        let data = head("holdfast.example", ALL, 4);
        let signed = [data.as_slice(), &sha256(&said)].concat();
        let signature = pair.sign(&SystemRandom::new(), &signed).unwrap();
        let ask = |data: &[u8], now| {
            let answer = (said.as_slice(), data, signature.as_ref());
            party.asserted(Purpose::SignIn, &made.key, answer, now)
        };
        assert_eq!(
            ask(&data, NOW).unwrap(),
            Asserted {
                count: 4,
                challenge: sha256(&challenge)
            }
        );
        let late = NOW + CHALLENGE_TIME;
        assert_eq!(ask(&data, late), Err(AnswerError::Challenge));
        let mut more = data.clone();
        more[36] += 1;
        assert_eq!(ask(&more, NOW), Err(AnswerError::Signature));
        for at in 0..data.len() {
            assert!(ask(&data[..at], NOW).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn answers_for_something_else_do_not_count() {
        let party = party();
        let challenge = party.challenge(Purpose::SignIn, NOW);
        let good = "https://holdfast.example";
        let get = "webauthn.get";
        let said = |ceremony, challenge: &[u8], origin| {
            let said = client_data(ceremony, challenge, origin);
            party.answered(Purpose::SignIn, &said, NOW).map(|_| ())
        };
        assert_eq!(said(get, &challenge, good), Ok(()));
        let wrong_kind = said("webauthn.create", &challenge, good);
        assert_eq!(wrong_kind, Err(AnswerError::Unreadable));
        for origin in [
            "http://holdfast.example",
            "https://evil-holdfast.example",
            "https://holdfast.example.evil.example",
            "https://example",
            "",
        ] {
            assert_eq!(
                said(get, &challenge, origin),
                Err(AnswerError::Origin),
                "{origin}"
            );
        }
        let mut other = challenge;
        other[0] ^= 1;
        assert_eq!(said(get, &other, good), Err(AnswerError::Challenge));
        assert_eq!(
            said(get, &challenge[1..], good),
            Err(AnswerError::Challenge)
        );
        let elsewhere = RelyingParty::new(Some("holdfast.example".to_owned()));
        let foreign = elsewhere.challenge(Purpose::SignIn, NOW);
        assert_eq!(said(get, &foreign, good), Err(AnswerError::Challenge));
        for purpose in [Purpose::Enrol("s1"), Purpose::Prove("s1")] {
            let given = party.challenge(purpose, NOW);
            assert_eq!(said(get, &given, good), Err(AnswerError::Challenge));
        }
        let prove = party.challenge(Purpose::Prove("s1"), NOW);
        let proof = client_data(get, &prove, good);
        let other = party.answered(Purpose::Prove("s2"), &proof, NOW);
        assert_eq!(other, Err(AnswerError::Challenge), "another session's");
        assert!(party.answered(Purpose::Prove("s1"), &proof, NOW).is_ok());
        assert_eq!(
            party.answered(Purpose::SignIn, b"{}", NOW),
            Err(AnswerError::Unreadable)
        );
    }

    #[test]
    fn keys_that_do_not_look_at_their_owner_do_not_count() {
        let party = party();
        for flags in [0, USER_PRESENT, USER_VERIFIED] {
            let data = head("holdfast.example", flags, 0);
            assert_eq!(party.seen(&data).unwrap_err(), AnswerError::NotVerified);
        }
        let data = head("example", ALL, 0);
        assert_eq!(party.seen(&data).unwrap_err(), AnswerError::Origin);
    }

    #[test]
    fn credentials_are_read_whole_or_not_at_all() {
        let (party, pair) = (party(), pair());
        let enrol = Purpose::Enrol("s1");
        let challenge = party.challenge(enrol, NOW);
        let said = client_data("webauthn.create", &challenge, "https://holdfast.example");
        let whole = credential(pair.public_key().as_ref());
        for at in 0..whole.len() {
            assert!(
                party.made(enrol, &said, &whole[..at], NOW).is_err(),
                "cut at {at}"
            );
        }
        let mut off_curve = whole.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        let read = party.made(enrol, &said, &off_curve, NOW);
        assert_eq!(read, Err(AnswerError::Algorithm));
        let mut ed25519 = whole;
        ed25519[62 + 4] = 0x27;
        let read = party.made(enrol, &said, &ed25519, NOW);
        assert_eq!(read, Err(AnswerError::Algorithm));
    }
}
