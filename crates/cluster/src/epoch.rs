//! Epochs (DESIGN B6): what a survivor signs when it begins a new one, how it is shown to members of the old one, and
//! how those find out and stop.
//!
//! The statement is signed with a key the old membership has pinned, so it needs nothing the old epoch's members do not
//! have. A stolen issuing key alone retires nobody.

use std::sync::Arc;
use std::time::Duration;

use domain::{codec, nodes};
use futures_util::future::join_all;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::crypto::sha256;
use crate::identity::{self, Identity, IdentityError, Trust};
use crate::join;
use crate::pins::{PinSet, Reason};
use crate::replica::Core;
use crate::retired::{Retired, Why};

/// First bytes of the question, on the protocol for nodes that are not members. The old epoch of the asker follows.
const QUESTION: &[u8] = b"holdfast: which epoch is it? ";
/// The longest answer: a statement takes about a kilobyte.
const ANSWER_MAX: usize = 64 * 1024;
/// How often a node looks whether it has a reason to ask.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// Alone, it asks at most this often.
const ASK_PERIOD: Duration = Duration::from_secs(5);
/// One address is reached within this time, and answers within as long again.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// That an epoch is over, by one of its members.
#[derive(Debug, Serialize, Deserialize)]
struct Statement {
    /// The epoch that is over.
    from: u32,
    /// The one that goes on.
    to: u32,
    /// The signer's leaf of the old epoch.
    leaf: Vec<u8>,
    signature: Vec<u8>,
}

/// What is answered to the question.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    epoch: u32,
    statements: Vec<Vec<u8>>,
}

/// Signs that `identity`'s epoch is over and `to` goes on.
pub(crate) fn statement(identity: &Identity, to: u32) -> Result<Vec<u8>, IdentityError> {
    let from = identity.epoch();
    let statement = Statement {
        from,
        to,
        leaf: identity.leaf().to_vec(),
        signature: identity.sign(&signed_bytes(&identity.cluster(), from, to))?,
    };
    codec::encode(&statement).map_err(|e| IdentityError::Request(e.to_string()))
}

fn signed_bytes(cluster: &[u8; 16], from: u32, to: u32) -> Vec<u8> {
    let mut bytes = b"holdfast succession".to_vec();
    bytes.extend_from_slice(cluster);
    bytes.extend_from_slice(&from.to_be_bytes());
    bytes.extend_from_slice(&to.to_be_bytes());
    bytes
}

/// The epoch a statement proves to a member of `own`'s epoch; `None` when it proves nothing.
fn proven(bytes: &[u8], own: &Identity, pins: &PinSet) -> Option<u32> {
    let statement: Statement = codec::decode(bytes).ok()?;
    let leaf = CertificateDer::from(statement.leaf);
    let trust = Trust::new(own.trusted(), own.cluster());
    let signer = trust.verify_member(&leaf).ok()?;
    let ours = statement.from == own.epoch() && signer.epoch == own.epoch();
    let newer = statement.to > statement.from;
    let bytes = signed_bytes(&own.cluster(), statement.from, statement.to);
    let signed = identity::verify_signature(&leaf, &bytes, &statement.signature);
    let member = pins.check(signer.node, &signer.pin).is_ok();
    (ours && newer && signed && member).then_some(statement.to)
}

/// The answer to a question, if `body` is one.
pub(crate) async fn answer(core: &Core, body: &[u8]) -> Option<Vec<u8>> {
    let asked = body.strip_prefix(QUESTION)?;
    let from = u32::from_be_bytes(asked.try_into().ok()?);
    let mut view = core.state.view().await.ok()?;
    let statements = nodes::successions(&mut view, from).await.ok()?;
    let answer = Answer {
        epoch: core.identity.epoch(),
        statements,
    };
    codec::encode(&answer).ok()
}

/// Asks the members' addresses whether the epoch is over: when left alone, and when a later epoch showed itself.
pub(crate) async fn follow(core: Arc<Core>, stop: CancellationToken) {
    let mut alone_since: Option<Instant> = None;
    let mut asked = Instant::now();
    let mut seen = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_PERIOD) => {}
        }
        let shown = core.transport.refusals().of(Reason::LaterEpoch);
        if core.leader().is_some() {
            alone_since = None;
        }
        let alone = core.leader().is_none()
            && alone_since.get_or_insert_with(Instant::now).elapsed()
                > core.timing.election_max * 3;
        if shown == seen && !(alone && asked.elapsed() > ASK_PERIOD) {
            continue;
        }
        seen = shown;
        asked = Instant::now();
        let epoch = tokio::select! {
            () = stop.cancelled() => return,
            epoch = ask_around(&core) => epoch,
        };
        if let Some(epoch) = epoch {
            core.retire(Retired {
                why: Why::EpochOver { epoch },
            });
            return;
        }
    }
}

async fn ask_around(core: &Core) -> Option<u32> {
    let peers = core.transport.pins().peers();
    let addresses = peers
        .into_iter()
        .filter(|(id, _)| *id != core.node.0)
        .flat_map(|(_, peer)| peer.addresses);
    let answers = join_all(addresses.map(|address| async move {
        match ask(core, &address).await {
            Ok(answer) => Some(answer),
            Err(why) => {
                tracing::debug!(address, why, "nobody of a later epoch here");
                None
            }
        }
    }));
    let answers = answers.await;
    let statements = answers.into_iter().flatten().flat_map(|a| a.statements);
    statements
        .filter_map(|bytes| proven(&bytes, &core.identity, core.transport.pins()))
        .max()
}

async fn ask(core: &Core, address: &str) -> Result<Answer, String> {
    let own = &core.identity;
    let mut question = QUESTION.to_vec();
    question.extend_from_slice(&own.epoch().to_be_bytes());
    let cluster = (own.cluster(), sha256(&own.authority()));
    let answer = join::ask_at(address, cluster, &question, ANSWER_MAX, ASK_TIMEOUT).await?;
    codec::decode(&answer).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use domain::NodeId;
    use tempfile::TempDir;

    use super::*;
    use crate::types::{Peer, WireLogId, WireMembership, WireStoredMembership};

    fn pinned(id: u64, pin: [u8; 32]) -> PinSet {
        let peer = Peer {
            pins: vec![pin],
            ..Peer::default()
        };
        let pins = PinSet::default();
        pins.adopt_wire(WireStoredMembership {
            log_id: Some(WireLogId {
                term: 1,
                node: 1,
                index: 1,
            }),
            membership: WireMembership {
                voters: vec![[id].into()],
                nodes: [(id, peer)].into(),
            },
        });
        pins
    }

    #[test]
    fn only_a_pinned_member_of_ones_own_epoch_can_end_it() {
        let dir = TempDir::new().unwrap();
        let identity = Identity::found(dir.path(), [7; 16], &[]).unwrap();
        let pins = pinned(1, identity.pin());
        let said = statement(&identity, 2).unwrap();
        assert_eq!(proven(&said, &identity, &pins), Some(2));
        // Not by somebody who was removed, not back in time, not of another cluster, not with a byte changed.
        assert_eq!(proven(&said, &identity, &pinned(1, [9; 32])), None);
        assert_eq!(
            proven(&statement(&identity, 1).unwrap(), &identity, &pins),
            None
        );
        let other = TempDir::new().unwrap();
        let foreign = Identity::found(other.path(), [7; 16], &[]).unwrap();
        let said_elsewhere = statement(&foreign, 2).unwrap();
        assert_eq!(proven(&said_elsewhere, &identity, &pins), None);
        for at in 0..said.len() {
            let mut damaged = said.clone();
            damaged[at] ^= 1;
            assert_eq!(proven(&damaged, &identity, &pins), None, "byte {at}");
            assert_eq!(proven(&said[..at], &identity, &pins), None);
        }
        // A member of a later epoch is not moved by what ended an earlier one.
        let files = identity.successor((NodeId(2), 2), &[]).unwrap();
        identity::write_files(dir.path(), &files).unwrap();
        let later = Identity::load(dir.path()).unwrap().unwrap();
        assert_eq!(proven(&said, &later, &pinned(2, later.pin())), None);
    }
}
