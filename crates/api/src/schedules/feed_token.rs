//! The secret part of a calendar feed's address: `<id>-<secret>`. Calendar programs send no header, so whoever has the
//! address may read the calendar, and nothing else.

use std::fmt;

use rand::distr::{Alphanumeric, SampleString as _};
use rand::{CryptoRng, RngExt as _};
use sha2::{Digest as _, Sha256};

const ID_LEN: usize = 8;
/// 43 of 62 letters and digits carry 256 bits.
const SECRET_LEN: usize = 43;

/// Shown once, to whoever asked for the feed; `Debug` hides the secret.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct FeedToken {
    id: String,
    secret: String,
}

impl FeedToken {
    /// A new token. `rng` must be seeded by the operating system.
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        let id = format!("{:08x}", rng.random::<u32>());
        let secret = Alphanumeric.sample_string(rng, SECRET_LEN);
        Self { id, secret }
    }

    /// Reads the form that `Display` writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once('-')?;
        let plain =
            |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_alphanumeric());
        (plain(id, ID_LEN) && plain(secret, SECRET_LEN)).then(|| Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// The public part, shown in lists and logs.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What the cluster keeps of the secret.
    pub(super) fn secret_hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

impl fmt::Display for FeedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.secret)
    }
}

impl fmt::Debug for FeedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedToken")
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
    fn a_token_survives_being_written_and_read_and_hides_in_debug_output() {
        let token = FeedToken::generate(&mut StdRng::seed_from_u64(7));
        assert_eq!(FeedToken::parse(&token.to_string()), Some(token.clone()));
        assert!(!format!("{token:?}").contains(&token.secret));
        for bad in ["", "-", "1a2b3c4d-short", &format!("{token}x"), "1a2b3c4d"] {
            assert_eq!(FeedToken::parse(bad), None, "{bad}");
        }
    }
}
