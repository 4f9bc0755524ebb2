//! Who a node is: its key, the leaf that names it, and the authority of its cluster. Files stay in the data directory,
//! readable by the owner only. The replicated membership, not these files, says who may take part (DESIGN B2).

mod ca;
mod files;
mod tls;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use domain::NodeId;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) use ca::{Issued, NodeRequest, pin_of};
pub(crate) use files::write_private;
pub(crate) use tls::{
    ALPN_JOIN, ALPN_PEER, Presented, Trust, client_config, inspect, join_client_config,
    server_config,
};

use crate::crypto::sha256;

const KEY: &str = "node-key.pem";
const LEAF: &str = "node-cert.pem";
const AUTHORITY: &str = "cluster-ca.pem";
const AUTHORITY_KEY: &str = "cluster-ca-key.pem";
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

/// A node's own identity.
pub struct Identity {
    dir: PathBuf,
    cluster: [u8; 16],
    node: NodeId,
    key: KeyPair,
    leaf: CertificateDer<'static>,
    authority: CertificateDer<'static>,
    /// The cluster's issuing key; held by voters.
    issuing_key: RwLock<Option<String>>,
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
        let issued = ca::issue(&authority, &issuing_key, &cluster, NodeId(1), &request)?;
        files::write(dir, AUTHORITY_KEY, &issuing_key)?;
        Self::store(dir, &key, &issued, &authority)?;
        Self::load(dir)?.ok_or_else(|| IdentityError::Damaged {
            path: dir.join(KEY),
            why: "it vanished".to_owned(),
        })
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
        files::write(dir, AUTHORITY, &files::certificate_pem(authority))?;
        files::write(dir, LEAF, &files::certificate_pem(&issued.leaf))
    }

    /// Reads the identity in a data directory; `None` when there is none yet.
    pub fn load(dir: &Path) -> Result<Option<Self>, IdentityError> {
        let Some(leaf) = files::read_certificate(dir, LEAF)? else {
            return Ok(None);
        };
        let missing = |name: &str| IdentityError::Damaged {
            path: dir.join(name),
            why: "it is missing".to_owned(),
        };
        let authority =
            files::read_certificate(dir, AUTHORITY)?.ok_or_else(|| missing(AUTHORITY))?;
        let key = files::read(dir, KEY)?.ok_or_else(|| missing(KEY))?;
        let key = KeyPair::from_pem(&key).map_err(|e| damaged(dir, KEY, &e))?;
        let presented = inspect(&leaf).map_err(|e| damaged(dir, LEAF, &e))?;
        if presented.pin != sha256(&key.subject_public_key_info()) {
            return Err(IdentityError::Damaged {
                path: dir.join(LEAF),
                why: "it belongs to another key".to_owned(),
            });
        }
        let issuing_key = files::read(dir, AUTHORITY_KEY)?;
        let (cluster, node) = (presented.cluster, presented.node);
        Ok(Some(Self {
            dir: dir.to_owned(),
            cluster,
            node,
            key,
            leaf,
            authority,
            issuing_key: RwLock::new(issuing_key),
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

    /// SHA-256 of this node's SubjectPublicKeyInfo: what the membership knows it by.
    pub fn pin(&self) -> [u8; 32] {
        sha256(&self.key.subject_public_key_info())
    }

    /// The cluster authority's certificate.
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// The chain this node shows, to peers and to HTTPS clients alike: its leaf, then the authority.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.leaf.clone(), self.authority.clone()]
    }

    /// This node's private key. Give it to a TLS server of this process, nowhere else.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Whether this node can sign newcomers' leaves.
    pub fn can_issue(&self) -> bool {
        self.issuing_key.read().is_ok_and(|key| key.is_some())
    }

    /// Signs a newcomer's leaf.
    pub(crate) fn issue(
        &self,
        node: NodeId,
        request: &NodeRequest,
    ) -> Result<Issued, IdentityError> {
        let key = self.issuing_key().ok_or(IdentityError::NoIssuingKey)?;
        ca::issue(&self.authority, &key, &self.cluster, node, request)
    }

    /// The issuing key in PEM, for another voter.
    pub(crate) fn issuing_key(&self) -> Option<String> {
        self.issuing_key.read().ok()?.clone()
    }

    /// Keeps the issuing key another voter gave. A key of another authority is refused.
    pub(crate) fn adopt_issuing_key(&self, pem: &str) -> Result<(), IdentityError> {
        ca::check_issuing_key(&self.authority, pem)?;
        files::write(&self.dir, AUTHORITY_KEY, pem)?;
        if let Ok(mut key) = self.issuing_key.write() {
            *key = Some(pem.to_owned());
        }
        Ok(())
    }

    /// The key that signs this node's QUIC stateless resets: the same after a restart, so that peers notice at once.
    pub(crate) fn reset_key(&self) -> [u8; 32] {
        sha256(&[b"holdfast quic reset".as_slice(), self.key.serialized_der()].concat())
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
