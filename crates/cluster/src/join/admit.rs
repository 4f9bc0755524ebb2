//! The member's side of joining.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::codec;
use domain::nodes;
use domain::ports::{Proposal, Replica as _};
use domain::{Actor, Command, NodeId, Outcome, Receipt, Refusal, RequestId, Timestamp};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::token::hash_of_secret;
use super::{Answer, FRAME_MAX, Newcomer, Request, digits};
use crate::crypto::sha256;
use crate::epoch;
use crate::identity::NodeRequest;
use crate::membership;
use crate::pins::Reason;
use crate::replica::{Core, LocalReplica};
use crate::rpc::{self, Pipe};
use crate::types::{Peer, WireStoredMembership};
use crate::wire::Change;

/// A newcomer states its request, and takes its answer, within this time.
const TALK_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after a refusal: nobody may fill the log with wrong secrets.
const REFUSAL_PAUSE: Duration = Duration::from_millis(500);
/// A new voter asks the others for the issuing key about once a second; a newcomer is kept waiting this long for it.
const ISSUING_KEY_WAIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Admissions remembered for the operator's screen.
const RECENT_MAX: usize = 16;
const NAME_MAX: usize = 64;
const ADDRESSES_MAX: usize = 8;

/// A node that joined through this member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admitted {
    pub node: NodeId,
    pub name: String,
    /// Must be the same as on the newcomer's screen.
    pub digits: String,
    pub at: Timestamp,
}

/// Admits newcomers, one at a time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admissions {
    core: Arc<Core>,
    replica: LocalReplica,
    recent: Arc<Mutex<VecDeque<Admitted>>>,
    one: Arc<Semaphore>,
}

impl Admissions {
    pub(crate) fn new(core: Arc<Core>, replica: LocalReplica) -> Self {
        Self {
            core,
            replica,
            recent: Arc::default(),
            one: Arc::new(Semaphore::new(1)),
        }
    }

    /// Who joined through this member since it started, newest last.
    pub(crate) fn recent(&self) -> Vec<Admitted> {
        self.recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Serves one newcomer; the caller keeps the connection until it was read.
    pub(crate) async fn serve(&self, newcomer: Newcomer) {
        let mut pipe = newcomer.pipe;
        let Ok(Ok(Some(body))) =
            timeout(TALK_TIMEOUT, rpc::read_at_most(&mut pipe.recv, FRAME_MAX)).await
        else {
            return;
        };
        if let Some(answer) = epoch::answer(&self.core, &body).await {
            return say(&mut pipe, &answer).await;
        }
        let answer = match self.one.acquire().await {
            Ok(_turn) => self.decide(newcomer.exported, &body).await,
            Err(_) => return,
        };
        let answer = answer.unwrap_or_else(|why| {
            tracing::warn!(from = %newcomer.from, why, "a newcomer was refused");
            Answer::Refused(why)
        });
        if let Ok(body) = codec::encode(&answer) {
            say(&mut pipe, &body).await;
        }
    }

    async fn decide(&self, exported: Option<[u8; 32]>, body: &[u8]) -> Result<Answer, String> {
        let request: Request = codec::decode(body)
            .map_err(|_| "the request cannot be read; use the same version".to_owned())?;
        let exported = exported.ok_or("the session gave no key material")?;
        if request.name.is_empty() || request.name.len() > NAME_MAX {
            return Err(format!("the node's name must have 1 to {NAME_MAX} bytes"));
        }
        if request.addresses.is_empty() || request.addresses.len() > ADDRESSES_MAX {
            return Err(format!(
                "the node must name 1 to {ADDRESSES_MAX} addresses (`advertise`)"
            ));
        }
        if !self.soon_issues().await {
            return Err(
                "this member does not hold the issuing key; join through a voting member, or again in a moment if it is new"
                    .to_owned(),
            );
        }
        let wanted = NodeRequest::decode(&request.csr).map_err(|e| e.to_string())?;
        let pin = wanted.pin();
        let node = match self.spend(&request, pin).await {
            Ok(node) => node,
            Err(why) => {
                sleep(REFUSAL_PAUSE).await;
                return Err(why);
            }
        };
        let issued = self
            .core
            .identity
            .issue(node, &wanted)
            .map_err(|e| e.to_string())?;
        let peer = Peer {
            addresses: request.addresses,
            pins: vec![pin],
            name: request.name.clone(),
        };
        let change = Change::AddLearner { node: node.0, peer };
        let membership = membership::change(&self.core, change)
            .await
            .map_err(|e| e.to_string())?;
        let authority = self.core.identity.authority();
        let digits = digits(&exported, &request.csr, &sha256(&authority), node);
        tracing::info!(%node, name = request.name, digits, "a node joined; compare the digits with its screen");
        self.remember(Admitted {
            node,
            name: request.name,
            digits,
            at: self.replica.now(),
        });
        Ok(Answer::Admitted {
            node: node.0,
            leaf: issued.leaf.to_vec(),
            authority: authority.to_vec(),
            membership: WireStoredMembership::from(&membership),
        })
    }

    /// Whether this member can issue certificates. A voter of this very moment is only just being handed the key.
    async fn soon_issues(&self) -> bool {
        let until = Instant::now() + ISSUING_KEY_WAIT;
        while !self.core.identity.can_issue() {
            let votes = self.core.standing().voters.contains(&self.core.node.0);
            if !votes || Instant::now() >= until {
                return false;
            }
            sleep(LOOK_EVERY).await;
        }
        true
    }

    /// Spends the invitation through the log. The same newcomer asking again, with the same key, gets the same id.
    async fn spend(&self, request: &Request, pin: [u8; 32]) -> Result<NodeId, String> {
        let token_hash = hash_of_secret(&request.secret);
        let admit = nodes::Admit {
            token_hash,
            node_name: request.name.clone(),
            pin,
            addresses: request.addresses.clone(),
        };
        let committed = self.replica.propose(Proposal {
            request: RequestId::derive(&[b"admit", &token_hash, &pin]),
            body: sha256(&[token_hash, pin].concat()),
            actor: Actor::Operator {
                node: self.core.node,
            },
            decided_under: None,
            command: Command::Nodes(nodes::Command::Admit(admit)),
        });
        match committed.await.map_err(|e| e.to_string())?.outcome {
            Outcome::Applied(Receipt::Node { id }) => Ok(id),
            Outcome::Refused(refusal) => {
                let refusals = self.core.transport.refusals();
                if refusal == Refusal::InviteUsed {
                    refusals.count(Reason::ReplayedJoin);
                } else if matches!(refusal, Refusal::UnknownInvite | Refusal::InviteExpired) {
                    refusals.count(Reason::WrongInvitation);
                }
                Err(refusal.to_string())
            }
            other @ (Outcome::Applied(_)
            | Outcome::Unchanged
            | Outcome::Conflict
            | Outcome::Defect(_)) => Err(format!("the admission came to {other:?}")),
        }
    }

    fn remember(&self, admitted: Admitted) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(admitted);
    }
}

/// Says one frame, and that it was the last.
async fn say(pipe: &mut Pipe, body: &[u8]) {
    let said = async {
        pipe.write(&[], body).await?;
        pipe.send.shutdown().await.map_err(rpc::FrameError::from)
    };
    if !matches!(timeout(TALK_TIMEOUT, said).await, Ok(Ok(()))) {
        tracing::info!("a newcomer did not take its answer");
    }
}
