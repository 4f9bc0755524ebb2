//! The one place where bincode is named (DESIGN A2). Every stored or sent value starts with a format byte; decoding is
//! bounded, so foreign bytes can neither panic nor allocate without limit.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Format byte of bincode 2, standard configuration (variable-length little-endian integers).
const FORMAT_BINCODE2: u8 = 1;

/// The most bytes one decoded value may claim: 32 MiB, twice the largest alert (1,000,000 recipients of 16 bytes).
pub const DECODE_LIMIT: usize = 32 * 1024 * 1024;

/// Bytes that are not a value of the expected type.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("cannot encode the value")]
    Encode(#[source] bincode::error::EncodeError),
    #[error("cannot decode the value; it is truncated, damaged or from a newer version")]
    Decode(#[source] bincode::error::DecodeError),
    #[error(
        "unknown format byte {found:?}; this version reads format {FORMAT_BINCODE2}; upgrade this node"
    )]
    Format { found: Option<u8> },
    #[error("{extra} bytes follow the value")]
    Trailing { extra: usize },
}

/// Encodes a value behind its format byte.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = vec![FORMAT_BINCODE2];
    bincode::serde::encode_into_std_write(value, &mut out, bincode::config::standard())
        .map_err(CodecError::Encode)?;
    Ok(out)
}

/// Decodes exactly one value; anything left over is an error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let Some((&FORMAT_BINCODE2, rest)) = bytes.split_first() else {
        return Err(CodecError::Format {
            found: bytes.first().copied(),
        });
    };
    let config = bincode::config::standard().with_limit::<DECODE_LIMIT>();
    let (value, read) =
        bincode::serde::decode_from_slice(rest, config).map_err(CodecError::Decode)?;
    match rest.len() - read {
        0 => Ok(value),
        extra => Err(CodecError::Trailing { extra }),
    }
}
