//! What a node signs the audit with: a key of its own, which lives as long as its membership and is never rotated with the
//! one peers know it by (SECURITY D-12).

use std::path::Path;

use domain::ports::Signer;
use rcgen::{KeyPair, SigningKey as _};

use super::{IdentityError, damaged, files};

const FILE: &str = "audit-key.pem";

/// An Ed25519 key in the data directory.
pub struct AuditKey {
    key: KeyPair,
    public: [u8; 32],
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditKey")
            .field("public", &data_encoding::HEXLOWER.encode(&self.public))
            .finish_non_exhaustive()
    }
}

impl AuditKey {
    /// The key in `dir`; made at the first start.
    pub fn open(dir: &Path) -> Result<Self, IdentityError> {
        let key = match files::read(dir, FILE)? {
            Some(pem) => KeyPair::from_pem(&pem).map_err(|e| damaged(dir, FILE, &e))?,
            None => {
                let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
                files::write(dir, FILE, &key.serialize_pem())?;
                key
            }
        };
        let public = key.public_key_raw().try_into();
        let public = public.map_err(|_| damaged(dir, FILE, &"it is no Ed25519 key"))?;
        Ok(Self { key, public })
    }
}

impl Signer for AuditKey {
    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        // Ed25519 needs neither chance nor room: it cannot fail. What is empty is refused by everybody.
        self.key.sign(message).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use domain::audit::{Checkpoint, hex};

    use super::*;

    #[test]
    fn the_key_stays_and_what_it_signs_verifies() {
        let dir = tempfile::tempdir().unwrap();
        let (first, again) = (
            AuditKey::open(dir.path()).unwrap(),
            AuditKey::open(dir.path()).unwrap(),
        );
        assert_eq!(first.public_key(), again.public_key());
        let mut checkpoint = Checkpoint {
            cluster: "00".repeat(16),
            epoch: 1,
            head: "11".repeat(32),
            node: "n1".to_owned(),
            seq: 7,
            signature: String::new(),
        };
        checkpoint.signature = hex(&first.sign(&checkpoint.message()));
        assert!(checkpoint.is_signed_by(&again.public_key()));
        checkpoint.seq = 8;
        assert!(!checkpoint.is_signed_by(&again.public_key()));
    }
}
