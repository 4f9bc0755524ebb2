//! Invitations as people carry them: one line of text that names the cluster, its authority and one use of a secret.

use std::fmt;

use domain::codec;
use serde::{Deserialize, Serialize};

use crate::crypto::sha256;

/// First characters of every token; the number is the format.
const PREFIX: &str = "hfj1.";
/// Longest text accepted.
const TEXT_MAX: usize = 4096;

/// An invitation: what a newcomer must know to find the cluster, to recognise it and to be let in once.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct Token {
    pub(crate) cluster: [u8; 16],
    /// SHA-256 of the authority's certificate: the newcomer talks to nobody else.
    pub(crate) authority: [u8; 32],
    /// Where members listen, in the order to try.
    pub(crate) addresses: Vec<String>,
    /// Only its hash is in the log.
    pub(crate) secret: [u8; 32],
}

/// Text that is not an invitation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenError {
    #[error(
        "this is not an invitation: it must begin with {PREFIX}; copy the whole line `holdfast cluster invite` printed"
    )]
    Prefix,
    #[error(
        "the invitation is mistyped or cut off; copy the whole line `holdfast cluster invite` printed"
    )]
    Mistyped,
}

impl Token {
    /// Reads what [`Display`](fmt::Display) wrote; letter case and surrounding space do not matter.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let (prefix, body) = text
            .split_at_checked(PREFIX.len())
            .ok_or(TokenError::Prefix)?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return Err(TokenError::Prefix);
        }
        if text.len() > TEXT_MAX {
            return Err(TokenError::Mistyped);
        }
        let bytes = data_encoding::BASE32_NOPAD
            .decode(body.to_ascii_uppercase().as_bytes())
            .map_err(|_| TokenError::Mistyped)?;
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(TokenError::Mistyped)?;
        if crc32fast::hash(body).to_be_bytes() != *crc {
            return Err(TokenError::Mistyped);
        }
        codec::decode(body).map_err(|_| TokenError::Mistyped)
    }

    /// The same secret for the cluster of another invitation.
    #[must_use]
    pub fn with_cluster_of(&self, other: &Self) -> Self {
        Self {
            secret: self.secret,
            ..other.clone()
        }
    }

    /// The same invitation, tried at other addresses.
    #[must_use]
    pub fn with_addresses(&self, addresses: &[String]) -> Self {
        Self {
            addresses: addresses.to_vec(),
            ..self.clone()
        }
    }

    /// Where members listen, in the order they are tried.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// What the log knows the secret by.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash_of_secret(&self.secret)
    }
}

/// What the log knows a secret by.
pub(crate) fn hash_of_secret(secret: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"holdfast invitation".as_slice(), secret].concat())
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = codec::encode(self).map_err(|_| fmt::Error)?;
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        write!(f, "{PREFIX}{}", data_encoding::BASE32_NOPAD.encode(&bytes))
    }
}

/// Never shows the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> Token {
        Token {
            cluster: [1; 16],
            authority: [2; 32],
            addresses: vec!["10.0.0.1:7400".to_owned()],
            secret: [3; 32],
        }
    }

    #[test]
    fn a_token_reads_back_in_any_case_and_with_space_around() {
        let text = token().to_string();
        assert!(text.starts_with("hfj1."));
        assert_eq!(Token::parse(&text), Ok(token()));
        assert_eq!(
            Token::parse(&format!("  {}\n", text.to_lowercase())),
            Ok(token())
        );
    }

    #[test]
    fn one_wrong_letter_is_noticed() {
        let text = token().to_string();
        let wrong = if text.ends_with('A') { 'B' } else { 'A' };
        let damaged = format!("{}{wrong}{}", &text[..20], &text[21..]);
        assert!(damaged == text || Token::parse(&damaged) == Err(TokenError::Mistyped));
        assert_eq!(
            Token::parse(&text[..text.len() - 8]),
            Err(TokenError::Mistyped)
        );
        assert_eq!(Token::parse("hello"), Err(TokenError::Prefix));
        assert_eq!(Token::parse("hé"), Err(TokenError::Prefix));
    }

    #[test]
    fn a_token_cut_anywhere_or_with_any_letter_changed_is_refused() {
        let text = token().to_string();
        for len in 0..text.len() {
            assert!(Token::parse(&text[..len]).is_err(), "{len} letters");
        }
        for at in 0..text.len() {
            for wrong in ["A", "Q", "7", "0", "!"] {
                let changed = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
                // The last letters carry bits that no byte needs; the same bytes are the same invitation.
                if let Ok(read) = Token::parse(&changed) {
                    assert_eq!(read, token(), "letter {at}: {wrong}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            _ = Token::parse(&text);
            _ = Token::parse(&format!("hfj1.{text}"));
        }
    }
}
