//! Hexadecimal text, the form in which PDUs cross the AT interface (3GPP TS 27.005 §3.1 `<pdu>`).

use std::fmt::Write as _;

/// Why a text is not hexadecimal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HexError {
    /// Two digits make an octet.
    #[error("hexadecimal text has an odd number of digits ({digits})")]
    OddLength {
        /// How many digits there were.
        digits: usize,
    },
    /// Something that is not `0-9`, `a-f` or `A-F`.
    #[error("byte {position} of the text is not a hexadecimal digit")]
    NotADigit {
        /// Offset in bytes.
        position: usize,
    },
}

/// Upper-case hexadecimal, two digits per octet, no separators.
pub fn encode(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(octets.len() * 2),
        |mut text, octet| {
            write!(text, "{octet:02X}").expect("writing to a String cannot fail");
            text
        },
    )
}

/// Reads what [`encode`] writes; lower case is accepted too.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(HexError::OddLength {
            digits: digits.len(),
        });
    }
    digits
        .chunks_exact(2)
        .enumerate()
        .map(|(index, pair)| Ok(digit(pair[0], index * 2)? << 4 | digit(pair[1], index * 2 + 1)?))
        .collect()
}

fn digit(byte: u8, position: usize) -> Result<u8, HexError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(HexError::NotADigit { position }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_there_and_back() {
        assert_eq!(encode(&[0x00, 0xAB, 0x7F]), "00AB7F");
        assert_eq!(decode("00ab7F"), Ok(vec![0x00, 0xAB, 0x7F]));
    }

    #[test]
    fn what_is_not_hexadecimal_says_where() {
        assert_eq!(decode("0"), Err(HexError::OddLength { digits: 1 }));
        assert_eq!(decode("0x"), Err(HexError::NotADigit { position: 1 }));
        assert_eq!(decode("éé"), Err(HexError::NotADigit { position: 0 }));
    }
}
