//! A node's key, leaf and authorities replaced while it runs. Every step is durable before the next and can be repeated.

use std::fs;
use std::path::Path;

use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;

use super::{
    AUTHORITY, AUTHORITY_KEY, AUTHORITY_KEY_NEXT, Credentials, Identity, IdentityError, KEY,
    KEY_NEXT, LEAF, LEAF_NEXT, NodeRequest, SECRET, Trust, ca, damaged, files, inspect, pin_of,
};
use crate::crypto::sha256;
use std::sync::Arc;

/// The key and leaf that belong together. A crash between the two renames of a rotation leaves the new half of each
/// beside the old one; whichever pair fits is used, and the rest of the way made good.
pub(super) fn load_pair(
    dir: &Path,
) -> Result<Option<(KeyPair, CertificateDer<'static>)>, IdentityError> {
    let Some(leaf) = files::read_certificate(dir, LEAF)? else {
        return Ok(None);
    };
    let key = files::read(dir, KEY)?.ok_or_else(|| IdentityError::Damaged {
        path: dir.join(KEY),
        why: "it is missing".to_owned(),
    })?;
    let key = KeyPair::from_pem(&key).map_err(|e| damaged(dir, KEY, &e))?;
    if fits(&key, &leaf) {
        return Ok(Some((key, leaf)));
    }
    match files::read_certificate(dir, LEAF_NEXT)? {
        Some(next) if fits(&key, &next) => {
            files::rename(dir, LEAF_NEXT, LEAF)?;
            Ok(Some((key, next)))
        }
        Some(_) | None => Err(IdentityError::Damaged {
            path: dir.join(LEAF),
            why: "it belongs to another key".to_owned(),
        }),
    }
}

fn fits(key: &KeyPair, leaf: &CertificateDer<'_>) -> bool {
    inspect(leaf).is_ok_and(|presented| presented.pin == pin_of(key))
}

impl Identity {
    /// The key this node will use next: the one of a rotation that broke off, or a new one.
    pub(crate) fn next_key(&self) -> Result<KeyPair, IdentityError> {
        if let Some(pem) = files::read(&self.dir, KEY_NEXT)? {
            return KeyPair::from_pem(&pem).map_err(|e| damaged(&self.dir, KEY_NEXT, &e));
        }
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        files::write(&self.dir, KEY_NEXT, &key.serialize_pem())?;
        Ok(key)
    }

    /// Asks for a leaf for `key`, with the HTTPS names of the present one; `None` for the present key.
    pub(crate) fn renewal_request(&self, key: Option<&KeyPair>) -> Result<Vec<u8>, IdentityError> {
        let credentials = self.credentials();
        let names = ca::names_of(&credentials.leaf)?;
        NodeRequest::encode(key.unwrap_or(&credentials.key), &names)
    }

    /// Puts a new leaf, and the next key if it is for that one, in use: in files first, then for new connections.
    pub(crate) fn install(
        &self,
        leaf: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    ) -> Result<(), IdentityError> {
        let presented = Trust::new(vec![authority.clone()], self.cluster)
            .verify_member(&leaf)
            .map_err(|_| {
                IdentityError::Request("the new leaf is not of this cluster".to_owned())
            })?;
        if presented.node != self.node {
            return Err(IdentityError::Request(format!(
                "the new leaf is for {}",
                presented.node
            )));
        }
        let pem = files::certificate_pem(&leaf);
        let current = self.credentials();
        let key = if presented.pin == pin_of(&current.key) {
            files::write(&self.dir, LEAF, &pem)?;
            KeyPair::from_pem(&current.key.serialize_pem())?
        } else {
            let next = self.next_key()?;
            if presented.pin != pin_of(&next) {
                return Err(IdentityError::Request(
                    "the new leaf is for another key".to_owned(),
                ));
            }
            self.local_secret()?;
            files::write(&self.dir, LEAF_NEXT, &pem)?;
            files::rename(&self.dir, KEY_NEXT, KEY)?;
            files::rename(&self.dir, LEAF_NEXT, LEAF)?;
            next
        };
        self.held_mut().credentials = Arc::new(Credentials {
            key,
            leaf,
            authority,
        });
        Ok(())
    }

    /// Takes over which authorities leaves may stand under, and which of them signs. True when anything changed.
    pub(crate) fn set_authorities(
        &self,
        trusted: &[CertificateDer<'static>],
        issuing: usize,
    ) -> Result<bool, IdentityError> {
        let Some(signs) = trusted.get(issuing) else {
            return Ok(false);
        };
        let (changed, stale) = {
            let held = self.held();
            (
                held.trusted != trusted || held.issuing != *signs,
                held.issuing != *signs,
            )
        };
        if !changed {
            return Ok(false);
        }
        // First the one that signs: programs that read only one certificate read that one.
        let rest = trusted.iter().filter(|authority| *authority != signs);
        let pem: String = std::iter::once(signs)
            .chain(rest)
            .map(files::certificate_pem)
            .collect();
        files::write(&self.dir, AUTHORITY, &pem)?;
        {
            let mut held = self.held_mut();
            held.trusted = trusted.to_vec();
            held.issuing = signs.clone();
            let hashes: Vec<_> = trusted.iter().map(|authority| sha256(authority)).collect();
            held.issuing_keys.retain(|of, _| hashes.contains(of));
        }
        if stale || trusted.len() == 1 {
            self.store_issuing_keys()?;
        }
        Ok(true)
    }

    /// A new authority's certificate, and its key kept in a file before anybody hears of it.
    pub(crate) fn new_authority(&self) -> Result<CertificateDer<'static>, IdentityError> {
        let (authority, key) = ca::new_authority(&self.cluster)?;
        files::write(&self.dir, AUTHORITY_KEY_NEXT, &key)?;
        self.held_mut().issuing_keys.insert(sha256(&authority), key);
        Ok(authority)
    }

    /// Whether this node holds the key of every authority in use.
    pub(crate) fn holds_all_keys(&self) -> bool {
        let held = self.held();
        let mut trusted = held.trusted.iter();
        trusted.all(|authority| held.issuing_keys.contains_key(&sha256(authority)))
    }

    /// Whether this node holds the key of this authority.
    pub(crate) fn holds_key_of(&self, authority: &CertificateDer<'_>) -> bool {
        self.held().issuing_keys.contains_key(&sha256(authority))
    }

    /// SHA-256 of the authority above this node's leaf.
    pub(crate) fn signed_by(&self) -> [u8; 32] {
        sha256(&self.credentials().authority)
    }

    /// The issuing keys in PEM, one after the other, for another voter.
    pub(crate) fn issuing_keys(&self) -> Option<String> {
        let held = self.held();
        let keys: String = held.issuing_keys.values().map(String::as_str).collect();
        (!keys.is_empty()).then_some(keys)
    }

    /// Keys for sealing what is replicated and must be read back, one of each issuing key held, that of the signing
    /// authority first: they change with it, and whoever was evicted before does not hold them.
    pub fn sealing_keys(&self) -> Vec<[u8; 32]> {
        let held = self.held();
        let signs = sha256(&held.issuing);
        let (first, rest): (Vec<_>, Vec<_>) =
            held.issuing_keys.iter().partition(|(of, _)| **of == signs);
        let keys = first.into_iter().chain(rest);
        keys.filter_map(|(_, pem)| KeyPair::from_pem(pem).ok())
            .map(|key| sha256(&[b"holdfast sealing key".as_slice(), key.serialized_der()].concat()))
            .collect()
    }

    /// Keeps the issuing keys another voter gave. Keys of other authorities are refused.
    pub(crate) fn adopt_issuing_keys(&self, pem: &str) -> Result<(), IdentityError> {
        let trusted = self.trusted();
        let mut adopted = false;
        for key in ca::keys_in(pem) {
            if let Some(of) = ca::authority_of(&trusted, &key) {
                self.held_mut().issuing_keys.insert(sha256(of), key);
                adopted = true;
            }
        }
        if !adopted {
            return Err(IdentityError::Request(
                "the issuing key belongs to another cluster".to_owned(),
            ));
        }
        self.store_issuing_keys()
    }

    /// A secret of this node that outlives its keys: what it protects stays readable after a rotation.
    pub fn local_secret(&self) -> Result<[u8; 32], IdentityError> {
        if let Some(hex) = files::read(&self.dir, SECRET)? {
            let bytes = data_encoding::HEXLOWER.decode(hex.trim().as_bytes());
            return bytes
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| damaged(&self.dir, SECRET, &"it is not 64 hexadecimal digits"));
        }
        let credentials = self.credentials();
        let secret = sha256(
            &[
                b"holdfast node secret".as_slice(),
                credentials.key.serialized_der(),
            ]
            .concat(),
        );
        files::write(&self.dir, SECRET, &data_encoding::HEXLOWER.encode(&secret))?;
        Ok(secret)
    }

    /// The signing authority's key in its own file, the other one beside it.
    fn store_issuing_keys(&self) -> Result<(), IdentityError> {
        let (signs, other) = {
            let held = self.held();
            let signs = sha256(&held.issuing);
            let other = held.issuing_keys.iter().find(|(of, _)| **of != signs);
            (
                held.issuing_keys.get(&signs).cloned(),
                other.map(|(_, key)| key.clone()),
            )
        };
        for (name, key) in [(AUTHORITY_KEY, signs), (AUTHORITY_KEY_NEXT, other)] {
            match key {
                Some(key) => files::write(&self.dir, name, &key)?,
                None => remove(&self.dir, name)?,
            }
        }
        Ok(())
    }
}

fn remove(dir: &Path, name: &str) -> Result<(), IdentityError> {
    match fs::remove_file(dir.join(name)) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(IdentityError::File {
            path: dir.join(name),
            source,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}
