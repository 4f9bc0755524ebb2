//! Keys and authorities replaced without a gap (DESIGN B2).
//!
//! A key: the next one is pinned before it is used, connections are made anew one at a time, then the old pin goes. An
//! authority: three entries in the log (trust both, sign with the new one, trust only the new one); every member follows
//! them by itself. Each step can be repeated, by any member, after a break.

use std::sync::Arc;
use std::time::Duration;

use domain::codec::{self, CodecError};
use domain::nodes;
use domain::ports::{Proposal, ProposeError, Replica as _};
use domain::{Command, NodeId, Outcome, RequestId};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::crypto::sha256;
use crate::identity::{IdentityError, NodeRequest, pin_of};
use crate::membership::{self, ChangeError};
use crate::replica::{Core, LocalReplica};
use crate::rpc::{Kind, PeerTransport as _};
use crate::types::{Peer, WireStoredMembership};
use crate::wire::Change;

/// A member answers a question about its certificates within this time.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// Reachable members learn of a coming key within this time; the others from the log, later.
const TOLD_TIMEOUT: Duration = Duration::from_secs(5);
/// All members follow one step of a change of authority within this time.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(20);
/// Another node's rotation takes at most this long.
const REMOTE_TIMEOUT: Duration = Duration::from_secs(35);
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// How often a node looks whether the authorities changed.
const FOLLOW_PERIOD: Duration = Duration::from_millis(500);

/// Why a key or an authority was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("a rotation is under way on this node; wait for it to end")]
    Busy,
    #[error("n{0} is not a member")]
    Unknown(u64),
    #[error("{node} did not rotate its key: {why}")]
    Remote { node: NodeId, why: String },
    #[error("no voting member signed the new certificate; check that one is reachable")]
    Unsigned,
    #[error("the new issuing key is held by no member in reach; start the others, then repeat")]
    KeyMissing,
    #[error("{0} did not follow yet; see that it runs and is reachable, then repeat this command")]
    Behind(String),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error("the cluster refused: {0}")]
    Refused(String),
    #[error("this should not happen, please report it")]
    Codec(#[from] CodecError),
}

/// A leaf and the authority above it, in sent form.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    leaf: Vec<u8>,
    authority: Vec<u8>,
}

/// What a member's certificates stand on, in sent form: hashes of authority certificates.
#[derive(Debug, Serialize, Deserialize)]
struct Standing {
    signed_by: [u8; 32],
    trusts: Vec<[u8; 32]>,
}

/// Does rotations, one at a time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rotation {
    core: Arc<Core>,
    replica: LocalReplica,
    one: Arc<Mutex<()>>,
}

impl Rotation {
    pub(crate) fn new(core: Arc<Core>, replica: LocalReplica) -> Self {
        Self {
            core,
            replica,
            one: Arc::default(),
        }
    }

    /// Gives a member a new key.
    pub(crate) async fn rotate_key(&self, node: NodeId) -> Result<(), RotateError> {
        if node == self.core.node {
            return self.rotate_own_key().await;
        }
        if !self.core.transport.pins().peers().contains_key(&node.0) {
            return Err(RotateError::Unknown(node.0));
        }
        let asked = self
            .core
            .transport
            .call(node, Kind::RotateKey, &[], REMOTE_TIMEOUT)
            .await;
        asked.map(|_| ()).map_err(|e| RotateError::Remote {
            node,
            why: e.to_string(),
        })
    }

    /// Gives this node a new key.
    pub(crate) async fn rotate_own_key(&self) -> Result<(), RotateError> {
        let _one = self.one.try_lock().map_err(|_| RotateError::Busy)?;
        let core = &self.core;
        let (current, next) = (core.identity.pin(), core.identity.next_key()?);
        let pin = pin_of(&next);
        self.pin(vec![current, pin]).await?;
        self.told(&pin).await;
        let signed = self
            .sign(&core.identity.renewal_request(Some(&next))?)
            .await?;
        core.identity
            .install(signed.leaf.into(), signed.authority.into())?;
        tracing::info!("this node uses its new key");
        core.transport.renew().await?;
        self.pin(vec![pin]).await
    }

    /// Gives the cluster a new authority: all three steps, or those that are left after a break.
    pub(crate) async fn rotate_authority(&self) -> Result<(), RotateError> {
        let _one = self.one.try_lock().map_err(|_| RotateError::Busy)?;
        let identity = &self.core.identity;
        let (mut authorities, mut issuing) = self.authorities().await?;
        if issuing == 0 {
            let old = authorities
                .first()
                .cloned()
                .unwrap_or_else(|| identity.authority());
            let prepared = authorities
                .get(1)
                .filter(|next| identity.holds_key_of(next));
            let next = match prepared {
                Some(next) => next.clone(),
                None => identity.new_authority()?,
            };
            authorities = vec![old, next];
            self.set_authorities(&authorities, 0).await?;
            let next = sha256(&authorities[1]);
            self.all_members(|standing| standing.trusts.contains(&next))
                .await?;
            issuing = 1;
        }
        let [_, next] = authorities.as_slice() else {
            return Err(RotateError::KeyMissing);
        };
        let hash = sha256(next);
        self.set_authorities(&authorities, issuing).await?;
        self.all_members(|standing| standing.signed_by == hash)
            .await?;
        self.set_authorities(&authorities[1..], 0).await
    }

    /// Signs the leaf of a member whose key is pinned.
    pub(crate) fn sign_for(&self, from: NodeId, csr: &[u8]) -> Result<Vec<u8>, String> {
        let request = NodeRequest::decode(csr).map_err(|e| e.to_string())?;
        let pins = self.core.transport.pins();
        if pins.check(from, &request.pin()).is_err() {
            return Err("that key is not pinned for this member".to_owned());
        }
        let signed = self.sign_here(from, &request).map_err(|e| e.to_string())?;
        codec::encode(&signed).map_err(|e| e.to_string())
    }

    /// What this node's certificates stand on, for a peer.
    pub(crate) fn standing(&self) -> Result<Vec<u8>, String> {
        codec::encode(&self.own_standing()).map_err(|e| e.to_string())
    }

    /// Follows the authorities in the log until stopped: trusts what it says, and has the leaf signed anew.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut applied = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(FOLLOW_PERIOD) => {}
            }
            let now = self.core.state.applied().map(|id| id.index);
            if now == applied {
                continue;
            }
            match self.follow_once().await {
                Ok(()) => applied = now,
                Err(e) => tracing::warn!(error = %e, "cannot follow the cluster's authorities yet"),
            }
        }
    }

    async fn follow_once(&self) -> Result<(), RotateError> {
        let (authorities, issuing) = self.authorities().await?;
        let Some(signs) = authorities.get(issuing).cloned() else {
            return Ok(());
        };
        let core = &self.core;
        if core.identity.set_authorities(&authorities, issuing)? {
            core.transport.trust(core.identity.trusted());
            tracing::info!(
                trusted = authorities.len(),
                "follows the cluster's authorities"
            );
        }
        if core.identity.signed_by() == sha256(&signs) {
            return Ok(());
        }
        let _one = self.one.try_lock().map_err(|_| RotateError::Busy);
        let signed = self.sign(&core.identity.renewal_request(None)?).await?;
        if sha256(&signed.authority) != sha256(&signs) {
            return Err(RotateError::Unsigned);
        }
        core.identity
            .install(signed.leaf.into(), signed.authority.into())?;
        tracing::info!("this node's certificate is signed by the new authority");
        core.transport.renew().await.map_err(RotateError::from)
    }

    /// The authorities in the log, and which one signs; none while the founding one is the only one ever.
    async fn authorities(&self) -> Result<(Vec<CertificateDer<'static>>, usize), RotateError> {
        let unreadable = |e: &dyn std::fmt::Display| RotateError::Refused(e.to_string());
        let mut view = self.core.state.view().await.map_err(|e| unreadable(&e))?;
        let rows = nodes::authorities(&mut view)
            .await
            .map_err(|e| unreadable(&e))?;
        let issuing = rows.iter().position(|row| row.issuing).unwrap_or(0);
        let certificates = rows.into_iter().map(|row| row.certificate.into());
        Ok((certificates.collect(), issuing))
    }

    async fn set_authorities(
        &self,
        authorities: &[CertificateDer<'static>],
        issuing: usize,
    ) -> Result<(), RotateError> {
        let certificates: Vec<Vec<u8>> = authorities.iter().map(|a| a.to_vec()).collect();
        self.order(nodes::Command::SetAuthorities(nodes::SetAuthorities {
            certificates,
            issuing: u32::try_from(issuing).unwrap_or(0),
        }))
        .await
    }

    /// Waits until every member answers that it followed.
    async fn all_members(&self, followed: impl Fn(&Standing) -> bool) -> Result<(), RotateError> {
        let deadline = Instant::now() + FOLLOW_TIMEOUT;
        loop {
            let mut behind = Vec::new();
            for id in self.core.transport.pins().peers().into_keys() {
                let standing = if id == self.core.node.0 {
                    Some(self.own_standing())
                } else {
                    let asked = self
                        .core
                        .transport
                        .call(NodeId(id), Kind::Authorities, &[], ASK_TIMEOUT)
                        .await;
                    asked.ok().and_then(|bytes| codec::decode(&bytes).ok())
                };
                if !standing.as_ref().is_some_and(&followed) {
                    behind.push(NodeId(id).to_string());
                }
            }
            if behind.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(RotateError::Behind(behind.join(", ")));
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Puts these pins for this node into the membership, which admits, and into its row, which people see.
    async fn pin(&self, pins: Vec<[u8; 32]>) -> Result<(), RotateError> {
        let core = &self.core;
        let metrics = core.metrics();
        let known = metrics
            .membership_config
            .membership()
            .get_node(&core.node.0)
            .cloned();
        let known = known.ok_or(RotateError::Unknown(core.node.0))?;
        let addresses = known.addresses.clone();
        if known.pins != pins {
            let peer = Peer {
                pins: pins.clone(),
                ..known
            };
            let node = core.node.0;
            membership::change(core, Change::Move { node, peer }).await?;
        }
        self.order(nodes::Command::SetIdentity {
            node: core.node,
            pins,
            addresses,
        })
        .await
    }

    /// Waits until the members in reach know the coming key; those that do not yet would refuse it for a moment.
    async fn told(&self, pin: &[u8; 32]) {
        let deadline = Instant::now() + TOLD_TIMEOUT;
        let own = self.core.node.0;
        let mut waiting: Vec<u64> = self.core.transport.pins().peers().into_keys().collect();
        waiting.retain(|id| *id != own);
        while !waiting.is_empty() && Instant::now() < deadline {
            let mut behind = Vec::new();
            for id in waiting {
                let asked = self
                    .core
                    .transport
                    .call(NodeId(id), Kind::Membership, &[], Duration::from_secs(1))
                    .await;
                let known = asked.ok().and_then(|bytes| {
                    let stored: WireStoredMembership = codec::decode(&bytes).ok()?;
                    Some(stored.membership.nodes.get(&own)?.pins.contains(pin))
                });
                if known != Some(true) {
                    behind.push(id);
                }
            }
            waiting = behind;
            if !waiting.is_empty() {
                sleep(LOOK_PAUSE).await;
            }
        }
    }

    /// Has a leaf signed, here or by a voter.
    async fn sign(&self, csr: &[u8]) -> Result<Signed, RotateError> {
        let core = &self.core;
        if core.identity.can_issue() {
            return self.sign_here(core.node, &NodeRequest::decode(csr)?);
        }
        let voters = core.standing().voters;
        for id in voters.into_iter().filter(|id| *id != core.node.0) {
            let asked = core
                .transport
                .call(NodeId(id), Kind::SignLeaf, csr, ASK_TIMEOUT)
                .await;
            match asked {
                Ok(bytes) => return Ok(codec::decode(&bytes)?),
                Err(e) => tracing::debug!(by = %NodeId(id), error = %e, "no signature"),
            }
        }
        Err(RotateError::Unsigned)
    }

    fn sign_here(&self, node: NodeId, request: &NodeRequest) -> Result<Signed, RotateError> {
        let authority = self.core.identity.authority();
        Ok(Signed {
            leaf: self.core.identity.issue(node, request)?.leaf.to_vec(),
            authority: authority.to_vec(),
        })
    }

    fn own_standing(&self) -> Standing {
        let identity = &self.core.identity;
        Standing {
            signed_by: identity.signed_by(),
            trusts: identity.trusted().iter().map(|a| sha256(a)).collect(),
        }
    }

    async fn order(&self, command: nodes::Command) -> Result<(), RotateError> {
        let committed = self.replica.propose(Proposal::by_operator(
            self.core.node,
            RequestId::derive(&[b"rotate", &rand::random::<[u8; 16]>()]),
            Command::Nodes(command),
        ));
        match committed.await?.outcome {
            Outcome::Applied(_) | Outcome::Unchanged => Ok(()),
            Outcome::Refused(refusal) => Err(RotateError::Refused(refusal.to_string())),
            other @ (Outcome::Conflict | Outcome::Defect(_)) => {
                Err(RotateError::Refused(format!("{other:?}")))
            }
        }
    }
}
