//! Who a node is: its key, the leaf that names it, and the authority of its cluster. Files stay in the data directory,
//! readable by the owner only. The replicated membership, not these files, says who may take part (DESIGN B2).

mod audit_key;
mod ca;
mod files;
mod renewal;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::NodeId;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub use audit_key::AuditKey;
pub(crate) use ca::{Issued, NodeRequest, pin_of};
pub(crate) use files::{certificate_pem, read_checked, write_checked};
pub(crate) use tls::{
    ALPN_JOIN, ALPN_PEER, Presented, Trust, client_config, inspect, join_client_config,
    quic_client, quic_server, server_config, verify_signature,
};

use crate::crypto::sha256;

const KEY: &str = "node-key.pem";
const LEAF: &str = "node-cert.pem";
const AUTHORITY: &str = "cluster-ca.pem";
const AUTHORITY_KEY: &str = "cluster-ca-key.pem";
/// During a change of key or authority: what comes next.
const KEY_NEXT: &str = "node-key-next.pem";
const LEAF_NEXT: &str = "node-cert-next.pem";
const AUTHORITY_KEY_NEXT: &str = "cluster-ca-key-next.pem";
/// Keys what only this node must be able to read back, whatever its current key.
const SECRET: &str = "node-secret.hex";
const DOMAIN: &str = "holdfast.internal";

/// Why this node's identity cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read or write {path}; check the owner and free space of the data directory")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} is damaged: {why}; restore it from a backup, or remove this node and let it join anew"
    )]
    Damaged { path: PathBuf, why: String },
    #[error(
        "{path} already holds an identity; use another data directory, or `holdfast run` to start this node"
    )]
    Exists { path: PathBuf },
    #[error("cannot make or sign a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("the certificate request is not acceptable: {0}")]
    Request(String),
    #[error("this node does not hold the cluster's issuing key; ask a voting member")]
    NoIssuingKey,
    #[error("cannot configure TLS")]
    Tls(#[from] rustls::Error),
}

/// Names and contents of identity files.
pub(crate) type IdentityFiles = Vec<(String, String)>;

/// Puts identity files in place, each whole or not at all. Repeating it changes nothing.
pub(crate) fn write_files(dir: &Path, files: &IdentityFiles) -> Result<(), IdentityError> {
    files
        .iter()
        .try_for_each(|(name, text)| files::write(dir, name, text))
}

/// A node's own identity. Its key, leaf and authorities may be replaced while it runs (DESIGN B2).
pub struct Identity {
    dir: PathBuf,
    cluster: [u8; 16],
    node: NodeId,
    epoch: u32,
    held: RwLock<Held>,
}

struct Held {
    credentials: Arc<Credentials>,
    /// Certificates a leaf may stand under; two while the cluster changes its authority.
    trusted: Vec<CertificateDer<'static>>,
    /// Which of them signs new leaves.
    issuing: CertificateDer<'static>,
    /// Issuing keys in PEM, by the hash of their certificate; held by voters.
    issuing_keys: BTreeMap<[u8; 32], String>,
}

/// What a node shows and signs with.
struct Credentials {
    key: KeyPair,
    leaf: CertificateDer<'static>,
    /// The authority above the leaf.
    authority: CertificateDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("cluster", &self.cluster_hex())
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes a new cluster's authority and the identity of its first node, and writes both.
    ///
    /// `names` are the host names and IP addresses that people's programs use for this node's HTTPS.
    pub fn found(dir: &Path, cluster: [u8; 16], names: &[String]) -> Result<Self, IdentityError> {
        Self::found_as(dir, cluster, (NodeId(1), 1), names)
    }

    /// As [`Self::found`], for a node that goes on with a cluster whose authority is lost.
    pub(crate) fn found_as(
        dir: &Path,
        cluster: [u8; 16],
        who: (NodeId, u32),
        names: &[String],
    ) -> Result<Self, IdentityError> {
        // The leaf is written last: without it, whatever else is there was left by a try that broke off.
        if dir.join(LEAF).exists() {
            return Err(IdentityError::Exists {
                path: dir.to_owned(),
            });
        }
        let (authority, issuing_key) = ca::new_authority(&cluster)?;
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let request = NodeRequest {
            public: key.subject_public_key_info(),
            names: ca::parse_names(names)?,
        };
        let issued = ca::issue(&authority, &issuing_key, &cluster, who, &request)?;
        files::write(dir, AUTHORITY_KEY, &issuing_key)?;
        Self::store(dir, &key, &issued, &authority)?;
        Self::load(dir)?.ok_or_else(|| IdentityError::Damaged {
            path: dir.join(KEY),
            why: "it vanished".to_owned(),
        })
    }

    /// The files that give this node the id of its next life, under the key it has; [`write_files`] puts them in place.
    /// Without the issuing key the cluster gets a new authority: then nobody of the old epoch can be told, and clients
    /// need the new certificate.
    pub(crate) fn successor(
        &self,
        who: (NodeId, u32),
        names: &[String],
    ) -> Result<IdentityFiles, IdentityError> {
        let request = NodeRequest {
            public: self.credentials().key.subject_public_key_info(),
            names: ca::parse_names(names)?,
        };
        let (authority, issuing_key) = match self.issuing_key() {
            Some(key) => (self.authority(), key),
            None => ca::new_authority(&self.cluster)?,
        };
        let issued = ca::issue(&authority, &issuing_key, &self.cluster, who, &request)?;
        // In the order in which they are written: the leaf last.
        Ok(vec![
            (AUTHORITY_KEY.to_owned(), issuing_key),
            (AUTHORITY.to_owned(), certificate_pem(&authority)),
            (LEAF.to_owned(), certificate_pem(&issued.leaf)),
        ])
    }

    /// The key a joining node will use: the one already there (an earlier try), or a new one.
    pub(crate) fn joining_key(dir: &Path) -> Result<KeyPair, IdentityError> {
        if dir.join(LEAF).exists() {
            return Err(IdentityError::Exists {
                path: dir.to_owned(),
            });
        }
        if let Some(pem) = files::read(dir, KEY)? {
            return KeyPair::from_pem(&pem).map_err(|e| damaged(dir, KEY, &e));
        }
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        files::write(dir, KEY, &key.serialize_pem())?;
        Ok(key)
    }

    /// Writes what an admission returned. The leaf comes last: its presence means the identity is whole.
    pub(crate) fn store(
        dir: &Path,
        key: &KeyPair,
        issued: &Issued,
        authority: &CertificateDer<'_>,
    ) -> Result<(), IdentityError> {
        files::write(dir, KEY, &key.serialize_pem())?;
        files::write(dir, AUTHORITY, &certificate_pem(authority))?;
        files::write(dir, LEAF, &certificate_pem(&issued.leaf))
    }

    /// Reads the identity in a data directory; `None` when there is none yet.
    pub fn load(dir: &Path) -> Result<Option<Self>, IdentityError> {
        let Some((key, leaf)) = renewal::load_pair(dir)? else {
            return Ok(None);
        };
        let presented = inspect(&leaf).map_err(|e| damaged(dir, LEAF, &e))?;
        let trusted = files::read_certificates(dir, AUTHORITY)?;
        let above = |authority: &&CertificateDer<'static>| {
            Trust::new(vec![(*authority).clone()], presented.cluster)
                .verify_member(&leaf)
                .is_ok()
        };
        let authority = trusted
            .iter()
            .find(above)
            .or(trusted.first())
            .ok_or_else(|| IdentityError::Damaged {
                path: dir.join(AUTHORITY),
                why: "it is missing or empty".to_owned(),
            })?
            .clone();
        let mut issuing_keys = BTreeMap::new();
        for name in [AUTHORITY_KEY, AUTHORITY_KEY_NEXT] {
            if let Some(pem) = files::read(dir, name)? {
                let key = KeyPair::from_pem(&pem).map_err(|e| damaged(dir, name, &e))?;
                drop(key); // only whether it is one
                if let Some(of) = ca::authority_of(&trusted, &pem) {
                    issuing_keys.insert(sha256(of), pem);
                }
            }
        }
        Ok(Some(Self {
            dir: dir.to_owned(),
            cluster: presented.cluster,
            node: presented.node,
            epoch: presented.epoch,
            held: RwLock::new(Held {
                issuing: authority.clone(),
                credentials: Arc::new(Credentials {
                    key,
                    leaf,
                    authority,
                }),
                trusted,
                issuing_keys,
            }),
        }))
    }

    /// The cluster this node belongs to.
    pub fn cluster(&self) -> [u8; 16] {
        self.cluster
    }

    /// The cluster's id as 32 hexadecimal digits.
    pub fn cluster_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.cluster)
    }

    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The epoch in which this node's id was given out: it takes part in no other.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// This node's leaf.
    pub(crate) fn leaf(&self) -> CertificateDer<'static> {
        self.credentials().leaf.clone()
    }

    /// The authority above this node's leaf.
    pub(crate) fn above(&self) -> CertificateDer<'static> {
        self.credentials().authority.clone()
    }

    /// SHA-256 of this node's SubjectPublicKeyInfo: what the membership knows it by.
    pub fn pin(&self) -> [u8; 32] {
        pin_of(&self.credentials().key)
    }

    /// Certificate of the authority that signs newcomers now.
    pub fn authority(&self) -> CertificateDer<'static> {
        self.held().issuing.clone()
    }

    /// Certificates of the authorities leaves may stand under.
    pub fn trusted(&self) -> Vec<CertificateDer<'static>> {
        self.held().trusted.clone()
    }

    /// The chain this node shows, to peers and to HTTPS clients alike: its leaf, then the authority above it.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        let credentials = self.credentials();
        vec![credentials.leaf.clone(), credentials.authority.clone()]
    }

    /// This node's private key. Give it to a TLS server of this process, nowhere else.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.credentials().key.serialize_der()).into()
    }

    /// Signs a message with this node's key.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IdentityError> {
        Ok(self.credentials().key.sign(message)?)
    }

    /// Whether this node can sign newcomers' leaves.
    pub fn can_issue(&self) -> bool {
        self.issuing_key().is_some()
    }

    /// Signs the leaf of a newcomer, or a member's new one.
    pub(crate) fn issue(
        &self,
        node: NodeId,
        request: &NodeRequest,
    ) -> Result<Issued, IdentityError> {
        let key = self.issuing_key().ok_or(IdentityError::NoIssuingKey)?;
        ca::issue(
            &self.authority(),
            &key,
            &self.cluster,
            (node, self.epoch),
            request,
        )
    }

    /// The key that signs newcomers, in PEM.
    fn issuing_key(&self) -> Option<String> {
        let held = self.held();
        held.issuing_keys.get(&sha256(&held.issuing)).cloned()
    }

    /// The key that signs this node's QUIC stateless resets: the same after a restart, so that peers notice at once.
    pub(crate) fn reset_key(&self) -> [u8; 32] {
        let credentials = self.credentials();
        sha256(
            &[
                b"holdfast quic reset".as_slice(),
                credentials.key.serialized_der(),
            ]
            .concat(),
        )
    }

    fn credentials(&self) -> Arc<Credentials> {
        self.held().credentials.clone()
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name a node's leaf carries: `node-3.<cluster>.holdfast.internal`.
pub(crate) fn node_name(node: NodeId, cluster: &[u8; 16]) -> String {
    format!(
        "node-{}.{}.{DOMAIN}",
        node.0,
        data_encoding::HEXLOWER.encode(cluster)
    )
}

/// The name that says in which epoch the node's id was given out: `epoch-2.<cluster>.holdfast.internal`.
fn epoch_name(epoch: u32, cluster: &[u8; 16]) -> String {
    format!(
        "epoch-{epoch}.{}.{DOMAIN}",
        data_encoding::HEXLOWER.encode(cluster)
    )
}

/// Reads what [`epoch_name`] wrote.
fn parse_epoch_name(name: &str) -> Option<u32> {
    let (epoch, rest) = name.strip_prefix("epoch-")?.split_once('.')?;
    rest.ends_with(DOMAIN).then_some(())?;
    epoch.parse().ok().filter(|epoch| *epoch > 0)
}

/// Reads what [`node_name`] wrote.
fn parse_node_name(name: &str) -> Option<(NodeId, [u8; 16])> {
    let (node, rest) = name.strip_prefix("node-")?.split_once('.')?;
    let cluster = rest.strip_suffix(DOMAIN)?.strip_suffix('.')?;
    let cluster = data_encoding::HEXLOWER.decode(cluster.as_bytes()).ok()?;
    Some((NodeId(node.parse().ok()?), cluster.try_into().ok()?))
}

/// A name or address as certificates hold it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum HostName {
    Dns(String),
    Ip(IpAddr),
}

fn damaged(dir: &Path, name: &str, why: &impl fmt::Display) -> IdentityError {
    IdentityError::Damaged {
        path: dir.join(name),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests;
