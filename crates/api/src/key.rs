//! The written form of an API key: `hf_<id>_<secret>_<crc>`.
//!
//! The prefix lets secret scanners find leaked keys; the check sum lets them, and us, tell a key from a typing error
//! without a look-up (SECURITY §2.5).

use std::fmt;

use rand::distr::{Alphanumeric, SampleString as _};
use rand::{CryptoRng, RngExt as _};
use sha2::{Digest, Sha256};

const PREFIX: &str = "hf_";
const ID_LEN: usize = 8;
/// 43 of 62 letters and digits carry 256 bits.
const SECRET_LEN: usize = 43;
const CRC_LEN: usize = 8;

/// A whole API key. Shown once, to whoever asked for it; `Debug` hides the secret.
#[derive(Clone, Eq, PartialEq)]
pub struct ApiKey {
    id: String,
    secret: String,
}

/// Text that is not an API key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not an API key; a key looks like hf_1a2b3c4d_<43 letters and digits>_<8 digits>, copied whole"
)]
pub struct ApiKeyError;

impl ApiKey {
    /// A new key. `rng` must be the operating system's.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let id = format!("{:08x}", rng.random::<u32>());
        let secret = Alphanumeric.sample_string(rng, SECRET_LEN);
        Self { id, secret }
    }

    /// Reads the form that `Display` writes.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let rest = text.strip_prefix(PREFIX).ok_or(ApiKeyError)?;
        let mut parts = rest.split('_');
        let (Some(id), Some(secret), Some(crc), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ApiKeyError);
        };
        let plain =
            |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain(id, ID_LEN) || !plain(secret, SECRET_LEN) || !plain(crc, CRC_LEN) {
            return Err(ApiKeyError);
        }
        let key = Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        };
        if key.check_sum() == crc {
            Ok(key)
        } else {
            Err(ApiKeyError)
        }
    }

    /// The public part, shown in lists and logs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the cluster keeps of the secret.
    pub fn secret_hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }

    fn check_sum(&self) -> String {
        format!(
            "{:08x}",
            crc32fast::hash(format!("{PREFIX}{}_{}", self.id, self.secret).as_bytes())
        )
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}_{}_{}",
            self.id,
            self.secret,
            self.check_sum()
        )
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_key_survives_being_written_and_read() {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(7));
        let text = key.to_string();
        assert_eq!(text.len(), 3 + 8 + 1 + 43 + 1 + 8);
        assert_eq!(ApiKey::parse(&text), Ok(key));
    }

    #[test]
    fn a_mistyped_or_cut_key_is_told_from_a_real_one() {
        let text = ApiKey::generate(&mut StdRng::seed_from_u64(7)).to_string();
        let mut mistyped = text.clone().into_bytes();
        mistyped[20] = if mistyped[20] == b'a' { b'b' } else { b'a' };
        for bad in [
            String::from_utf8(mistyped).unwrap(),
            text[..60].to_owned(),
            format!("{text}_"),
            String::new(),
        ] {
            assert_eq!(ApiKey::parse(&bad), Err(ApiKeyError), "{bad}");
        }
    }

    #[test]
    fn the_secret_does_not_show_in_debug_output() {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(7));
        assert!(!format!("{key:?}").contains(&key.secret));
    }
}
