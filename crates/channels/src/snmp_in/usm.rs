//! Keys and ciphers of the user-based security model: passphrases become keys of one engine (RFC 3414 §2.6), messages are
//! signed by HMAC (RFC 3414 §6 and 7, RFC 7860) and hidden by AES-128 in CFB mode (RFC 3826).

use aes::Aes128;
use aes::cipher::{BlockEncrypt as _, KeyInit as _};
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

/// What a passphrase is repeated to before it is hashed (RFC 3414 §A.2).
const STRETCHED_LEN: usize = 1 << 20;
const BLOCK_LEN: usize = 16;

/// How a sender proves that a message is its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SnmpAuth {
    /// HMAC-SHA-1-96. Only for devices that know nothing better.
    Sha1,
    /// HMAC-SHA-256-192.
    Sha256,
    /// HMAC-SHA-512-384.
    Sha512,
}

impl SnmpAuth {
    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// Bytes of a digest that travel.
    pub(super) fn digest_len(self) -> usize {
        match self {
            Self::Sha1 => 12,
            Self::Sha256 => 24,
            Self::Sha512 => 48,
        }
    }
}

/// What one user's passphrases were stretched to: keys of no engine yet.
#[derive(Clone)]
pub(super) struct Keys {
    auth: SnmpAuth,
    signing: Vec<u8>,
    hiding: Vec<u8>,
}

/// The keys of one user at one engine.
pub(super) struct LocalKeys {
    auth: SnmpAuth,
    signing: hmac::Key,
    cipher: Aes128,
}

impl Keys {
    /// Hashes a megabyte for each passphrase; done once, at the start.
    pub(super) fn stretch(auth: SnmpAuth, signing: &str, hiding: &str) -> Self {
        let stretch = |passphrase: &str| {
            let mut long = passphrase
                .as_bytes()
                .repeat(STRETCHED_LEN / passphrase.len().max(1) + 1);
            long.truncate(STRETCHED_LEN);
            digest::digest(auth.hash(), &long).as_ref().to_vec()
        };
        Self {
            auth,
            signing: stretch(signing),
            hiding: stretch(hiding),
        }
    }

    /// The keys at the engine with this id.
    pub(super) fn at(&self, engine: &[u8]) -> LocalKeys {
        let local = |key: &[u8]| digest::digest(self.auth.hash(), &[key, engine, key].concat());
        let mut hiding = [0; BLOCK_LEN];
        hiding.copy_from_slice(&local(&self.hiding).as_ref()[..BLOCK_LEN]);
        LocalKeys {
            auth: self.auth,
            signing: hmac::Key::new(self.auth.hmac(), local(&self.signing).as_ref()),
            cipher: Aes128::new(&hiding.into()),
        }
    }
}

impl LocalKeys {
    pub(super) fn digest_len(&self) -> usize {
        self.auth.digest_len()
    }

    /// Whether the digest in this message is right.
    pub(super) fn proves(&self, message: &[u8], digest_at: usize, digest: &[u8]) -> bool {
        let len = self.digest_len();
        if digest.len() != len {
            return false;
        }
        let Some(after) = message.get(digest_at + len..) else {
            return false;
        };
        // It was made over the message with zeros in its own place.
        let mut context = hmac::Context::with_key(&self.signing);
        context.update(&message[..digest_at]);
        context.update(&vec![0; len]);
        context.update(after);
        context.sign().as_ref()[..len].ct_eq(digest).into()
    }

    /// Puts the digest where zeros stand for it.
    pub(super) fn sign(&self, message: &mut [u8], digest_at: usize) {
        let len = self.digest_len();
        let digest = hmac::sign(&self.signing, message);
        message[digest_at..digest_at + len].copy_from_slice(&digest.as_ref()[..len]);
    }

    /// Hides bytes under a salt that was never used before.
    pub(super) fn encrypt(&self, boots: u32, time: u32, salt: [u8; 8], bytes: &mut [u8]) {
        let mut before = start(boots, time, salt);
        for block in bytes.chunks_mut(BLOCK_LEN) {
            self.mask(&mut before, block);
            before[..block.len()].copy_from_slice(block); // a short block is the last
        }
    }

    pub(super) fn decrypt(&self, boots: u32, time: u32, salt: [u8; 8], bytes: &mut [u8]) {
        let mut before = start(boots, time, salt);
        for block in bytes.chunks_mut(BLOCK_LEN) {
            let mut hidden = [0; BLOCK_LEN];
            hidden[..block.len()].copy_from_slice(block);
            self.mask(&mut before, block);
            before = hidden;
        }
    }

    /// Lays the cipher's output for the block before over this one.
    fn mask(&self, before: &mut [u8; BLOCK_LEN], block: &mut [u8]) {
        let mut output = (*before).into();
        self.cipher.encrypt_block(&mut output);
        for (byte, mask) in block.iter_mut().zip(output) {
            *byte ^= mask;
        }
    }
}

/// The initialisation vector (RFC 3826 §3.1.2.1).
fn start(boots: u32, time: u32, salt: [u8; 8]) -> [u8; BLOCK_LEN] {
    let mut start = [0; BLOCK_LEN];
    start[..4].copy_from_slice(&boots.to_be_bytes());
    start[4..8].copy_from_slice(&time.to_be_bytes());
    start[8..].copy_from_slice(&salt);
    start
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_passphrase_becomes_the_keys_of_the_standard() {
        // RFC 3414 §A.3.2: "maplesyrup" at engine 00 00 00 00 00 00 00 00 00 00 00 02.
        let keys = Keys::stretch(SnmpAuth::Sha1, "maplesyrup", "maplesyrup");
        assert_eq!(
            hex(&keys.signing),
            "9fb5cc0381497b3793528939ff788d5d79145211"
        );
        let mut engine = [0; 12];
        engine[11] = 2;
        let local = digest::digest(
            SnmpAuth::Sha1.hash(),
            &[&keys.signing[..], &engine, &keys.signing].concat(),
        );
        assert_eq!(
            hex(local.as_ref()),
            "6695febc9288e36282235fc7151f128497b38f3f"
        );
    }

    #[test]
    fn the_cipher_is_that_of_the_standard() {
        // NIST SP 800-38A §F.3.13, CFB128-AES128, first two blocks.
        let bytes = |text: &str| -> Vec<u8> {
            let digits = text.as_bytes().chunks(2);
            digits
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let key: [u8; 16] = bytes("2b7e151628aed2a6abf7158809cf4f3c")
            .try_into()
            .unwrap();
        let keys = LocalKeys {
            auth: SnmpAuth::Sha256,
            signing: hmac::Key::new(hmac::HMAC_SHA256, b""),
            cipher: Aes128::new(&key.into()),
        };
        let mut text = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let salt = [8, 9, 10, 11, 12, 13, 14, 15];
        keys.encrypt(0x0001_0203, 0x0405_0607, salt, &mut text);
        assert_eq!(
            hex(&text),
            "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"
        );
    }

    proptest! {
        #[test]
        fn what_is_hidden_is_found_and_what_is_changed_is_noticed(text in proptest::collection::vec(any::<u8>(), 0..100), boots in any::<u32>(), time in any::<u32>(), salt in any::<[u8; 8]>(), place in any::<usize>()) {
            let keys = LocalKeys {
                auth: SnmpAuth::Sha256,
                signing: hmac::Key::new(hmac::HMAC_SHA256, b"key"),
                cipher: Aes128::new(&[7; 16].into()),
            };
            let mut bytes = text.clone();
            keys.encrypt(boots, time, salt, &mut bytes);
            keys.decrypt(boots, time, salt, &mut bytes);
            prop_assert_eq!(&bytes, &text);
            let mut message = [&text[..], &[0; 24], b"end"].concat();
            keys.sign(&mut message, text.len());
            let digest = message[text.len()..text.len() + 24].to_vec();
            prop_assert!(keys.proves(&message, text.len(), &digest));
            let place = place % message.len();
            message[place] ^= 1;
            let digest = message[text.len()..text.len() + 24].to_vec();
            prop_assert!(!keys.proves(&message, text.len(), &digest));
        }
    }
}
