//! The one place where the crypto provider is chosen (DESIGN B1).

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use sha2::{Digest, Sha256};

/// The provider of every TLS configuration in Holdfast: ring. Passed explicitly everywhere, never installed as a process
/// default, so that a second provider in the tree cannot make start-up panic.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// HMAC-SHA-256 (RFC 2104), the key at most one block long. Signs QUIC's stateless resets.
pub(crate) fn hmac_sha256(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let padded = |byte: u8| {
        let mut block = [byte; BLOCK];
        for (slot, key) in block.iter_mut().zip(key) {
            *slot ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(data)
        .finalize();
    Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_gives_the_published_value() {
        // RFC 4231 §4.2: key of 20 bytes 0x0b, which zero padding extends to the block without changing the result.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(
            data_encoding::HEXLOWER.encode(&hmac_sha256(&key, b"Hi There")),
            expected
        );
    }
}
