//! The written form of a source's token: `hfs_<43 letters and digits>`. It opens that one source and nothing else.

use std::fmt;

use rand::CryptoRng;
use rand::distr::{Alphanumeric, SampleString as _};
use sha2::{Digest, Sha256};

const PREFIX: &str = "hfs_";
/// 43 of 62 letters and digits carry 256 bits.
const SECRET_LEN: usize = 43;

/// A whole token. Shown once; `Debug` hides it.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct SourceToken(String);

impl SourceToken {
    /// A new token. `rng` must be seeded by the operating system.
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Alphanumeric.sample_string(rng, SECRET_LEN))
    }

    /// Reads the form that `Display` writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix(PREFIX)?;
        let plain = secret.bytes().all(|b| b.is_ascii_alphanumeric());
        (secret.len() == SECRET_LEN && plain).then(|| Self(secret.to_owned()))
    }

    /// What the cluster keeps of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Display for SourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for SourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_token_survives_being_written_and_does_not_show_in_debug_output() {
        let token = SourceToken::generate(&mut StdRng::seed_from_u64(7));
        assert_eq!(SourceToken::parse(&token.to_string()), Some(token.clone()));
        assert!(!format!("{token:?}").contains(&token.0));
        for bad in ["", "hfs_", "hfs_abc", "hf_1a2b3c4d_x_y", &"x".repeat(47)] {
            assert_eq!(SourceToken::parse(bad), None, "{bad}");
        }
    }
}
