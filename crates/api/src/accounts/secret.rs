//! Secrets that people and devices carry: tokens of sessions, and codes to be read and typed.
//!
//! Only their SHA-256 leaves this node: 125 bits and more need no slower hash (SECURITY V6.5.2).

use domain::access::accounts::NewSession;
use rand::distr::{Alphanumeric, SampleString as _};
use rand::{CryptoRng, RngExt as _};
use sha2::{Digest as _, Sha256};

/// Letters and digits that cannot be taken for each other (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 25 of 32 letters carry 125 bits.
const CODE_LEN: usize = 25;
const GROUP_LEN: usize = 5;

const TOKEN_PREFIX: &str = "hft_";
/// 43 of 62 letters and digits carry 256 bits.
const TOKEN_LEN: usize = 43;

/// The token of a session. Shown once, to the device it is for.
pub(super) struct Token(String);

impl Token {
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        let secret = Alphanumeric.sample_string(rng, TOKEN_LEN);
        Self(format!("{TOKEN_PREFIX}{secret}"))
    }

    /// What the log holds of it, under a public id.
    pub(super) fn session(&self, rng: &mut impl CryptoRng) -> NewSession {
        NewSession {
            id: format!("{:016x}", rng.random::<u64>()),
            token_hash: sha256(self.0.as_bytes()),
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The SHA-256 of a token somebody sent; `None` for what cannot be one.
pub(crate) fn token_hash(text: &str) -> Option<[u8; 32]> {
    let secret = text.strip_prefix(TOKEN_PREFIX)?;
    let plain = secret.len() == TOKEN_LEN && secret.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| sha256(text.as_bytes()))
}

/// A code to be printed or read aloud: five groups of five.
pub fn new_code(rng: &mut impl CryptoRng) -> String {
    let mut text = String::with_capacity(CODE_LEN + CODE_LEN / GROUP_LEN);
    for place in 0..CODE_LEN {
        if place > 0 && place % GROUP_LEN == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(rng.random::<u8>() & 31)]));
    }
    text
}

/// The SHA-256 of a code as somebody typed it, whatever the case and the dashes; `None` for what cannot be one.
pub fn code_hash(typed: &str) -> Option<[u8; 32]> {
    let mut plain = Vec::with_capacity(CODE_LEN);
    for letter in typed.bytes().filter(|b| !matches!(b, b'-' | b' ')) {
        let letter = match letter.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        if plain.len() == CODE_LEN || !LETTERS.contains(&letter) {
            return None;
        }
        plain.push(letter);
    }
    (plain.len() == CODE_LEN).then(|| sha256(&plain))
}

/// A name only the device knows, and what the log holds of it.
pub(super) fn new_attempt(rng: &mut impl CryptoRng) -> (String, [u8; 32]) {
    let bytes: [u8; 16] = rng.random();
    let text = data_encoding::HEXLOWER.encode(&bytes);
    let hash = sha256(text.as_bytes());
    (text, hash)
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = new_code(&mut StdRng::seed_from_u64(3));
        assert_eq!(code.len(), 29, "{code}");
        let hash = code_hash(&code);
        assert!(hash.is_some());
        let sloppy = code
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "o")
            .replace('1', "l");
        assert_eq!(code_hash(&sloppy), hash);
        for bad in [
            "",
            "1234",
            &code[1..],
            &format!("{code}A"),
            &code.replace('-', "ä"),
        ] {
            assert_eq!(code_hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_form() {
        let token = Token::generate(&mut StdRng::seed_from_u64(3)).into_text();
        assert!(token_hash(&token).is_some());
        for bad in ["", "hft_", &token[1..], &token[..20], &format!("{token}=")] {
            assert_eq!(token_hash(bad), None, "{bad}");
        }
    }
}
