//! The cookie: where somebody stands, sealed under the cluster's key so that only nodes can read or use it.
//!
//! It holds the session's token and key. Whoever copies the cookie can open these pages with it for as long as it lasts,
//! and nothing else: neither token nor key comes out of it.

use axum::http::{HeaderMap, header};
use data_encoding::{BASE64URL_NOPAD as BASE64URL, HEXLOWER};
use domain::Timestamp;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq as _;

use crate::access::system_rng;
use crate::accounts::seal;

/// `__Host-`: from this very host, over TLS, for all its paths; no neighbour can plant one (RFC 6265bis §4.1.3).
const NAME: &str = "__Host-lite";
const PURPOSE: &str = "pass of the pages without script";

/// Without a page being opened.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// Whatever happens. What the account's roles give its sessions holds as well, when that is less.
const WHOLE: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest cookie looked at.
const LEN_MAX: usize = 2_048;

/// Where somebody stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Pass {
    #[serde(rename = "l")]
    pub(super) language: String,
    /// What the tokens of its forms are made from.
    #[serde(rename = "f")]
    forms: String,
    /// Cluster time, ms.
    #[serde(rename = "o")]
    opened: i64,
    #[serde(rename = "u")]
    used: i64,
    #[serde(rename = "s")]
    pub(super) stage: Stage,
}

#[derive(Clone, Deserialize, Serialize)]
pub(super) enum Stage {
    Out,
    /// The password was right.
    Attempt {
        attempt: String,
        next: Vec<String>,
        key: String,
    },
    In {
        token: String,
        key: String,
    },
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Out => "Out",
            Self::Attempt { .. } => "Attempt",
            Self::In { .. } => "In",
        })
    }
}

impl Pass {
    pub(super) fn new(language: String, stage: Stage, now: Timestamp) -> Self {
        // Without chance there are no forms that count: nothing equals an empty token.
        let secret = system_rng().map(|mut rng| rng.random::<[u8; 16]>());
        Self {
            language,
            forms: secret.map_or_else(|_| String::new(), |bytes| HEXLOWER.encode(&bytes)),
            opened: now.0,
            used: now.0,
            stage,
        }
    }

    /// The pass in a request's cookie, unless it is over.
    pub(super) fn read(headers: &HeaderMap, keys: &[[u8; 32]], now: Timestamp) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        let mut pairs = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, text) = pairs.find(|(name, _)| *name == NAME)?;
        if text.len() > LEN_MAX {
            return None;
        }
        let sealed = BASE64URL.decode(text.as_bytes()).ok()?;
        let (bytes, _) = seal::open(keys, PURPOSE, &sealed)?;
        let mut pass: Self = serde_json::from_slice(&bytes).ok()?;
        let (idle, whole) = (
            now.since(Timestamp(pass.used)),
            now.since(Timestamp(pass.opened)),
        );
        if idle >= IDLE || whole >= WHOLE {
            return None;
        }
        pass.used = pass.used.max(now.0);
        Some(pass)
    }

    /// The line that gives it to the phone.
    pub(super) fn cookie(&self, keys: &[[u8; 32]]) -> Option<String> {
        let plain = serde_json::to_vec(self).ok()?;
        let sealed = seal::seal(keys, PURPOSE, &plain, &mut system_rng().ok()?)?;
        Some(format!(
            "{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
            BASE64URL.encode(&sealed),
            IDLE.as_secs()
        ))
    }

    /// What a form for `action` must send along.
    pub(super) fn token(&self, action: &str) -> String {
        let mut hash = Sha256::new();
        for part in ["holdfast lite form", &self.forms, action] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        HEXLOWER.encode(&hash.finalize()[..16])
    }

    pub(super) fn takes(&self, action: &str, token: &str) -> bool {
        let same: bool = self.token(action).as_bytes().ct_eq(token.as_bytes()).into();
        same && !self.forms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const KEYS: [[u8; 32]; 1] = [[7; 32]];

    fn sent(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        let line = format!("other=1; {pair}");
        headers.insert(header::COOKIE, HeaderValue::try_from(line).unwrap());
        headers
    }

    #[test]
    fn a_pass_opens_until_it_is_over_and_shows_nothing_of_what_it_holds() {
        let stage = Stage::In {
            token: "hft_secret".to_owned(),
            key: "key".to_owned(),
        };
        let opened = Timestamp(1_000_000);
        let pass = Pass::new("fi".to_owned(), stage, opened);
        let cookie = pass.cookie(&KEYS).unwrap();
        assert!(cookie.starts_with("__Host-lite="));
        assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=3600"));
        let sealed = cookie.split(['=', ';']).nth(1).unwrap();
        let bytes = BASE64URL.decode(sealed.as_bytes()).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"secret"));
        let at = |ms: i64| Pass::read(&sent(&cookie), &KEYS, Timestamp(opened.0 + ms));
        let hour = 3_600_000;
        assert!(at(hour - 1).is_some());
        assert!(at(hour).is_none(), "not used for an hour");
        assert!(Pass::read(&sent(&cookie), &[[8; 32]], opened).is_none());
        // Used all the time, it is over after twelve hours.
        let mut pass = pass;
        for step in 1..24 {
            let now = Timestamp(opened.0 + step * hour / 2);
            let cookie = pass.cookie(&KEYS).unwrap();
            pass = Pass::read(&sent(&cookie), &KEYS, now).unwrap();
        }
        let cookie = pass.cookie(&KEYS).unwrap();
        let end = Timestamp(opened.0 + 12 * hour);
        assert!(Pass::read(&sent(&cookie), &KEYS, end).is_none());
    }

    #[test]
    fn a_forms_token_is_good_for_that_form_of_that_pass() {
        let pass = Pass::new("en".to_owned(), Stage::Out, Timestamp(0));
        let other = Pass::new("en".to_owned(), Stage::Out, Timestamp(0));
        let token = pass.token("answer");
        assert!(pass.takes("answer", &token));
        assert!(!pass.takes("say", &token));
        assert!(!other.takes("answer", &token));
        assert!(!pass.takes("answer", ""));
    }
}
