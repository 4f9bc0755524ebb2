//! What this node answers to its peers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use domain::codec;
use futures_util::StreamExt as _;
use futures_util::stream;
use openraft::storage::RaftStateMachine;
use tokio::io::AsyncWriteExt as _;

use crate::files::Files;
use crate::island::{self, Ground};
use crate::join::{Admissions, Newcomer};
use crate::membership;
use crate::presence;
use crate::replica::{Core, grant, read_index_here, write_many};
use crate::rotation::Rotation;
use crate::rpc::{self, FrameError, Kind, Pipe, status as answer};
use crate::snapshot_stream::{self, SnapshotSink};
use crate::status;
use crate::store::state::StateStore;
use crate::transport::{Service, Unary};
use crate::types::{TypeConfig, WireStoredMembership, WireVote};
use crate::wire::{Append, Appended, Ballot, Forwarded, HandedOver, Handover, Voted};

/// How long a forwarded batch may take here; the sender gives up earlier and asks again.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers a peer's consensus RPCs from the engine, whatever carried them here.
pub struct RaftPeer<M: RaftStateMachine<TypeConfig>> {
    raft: openraft::Raft<TypeConfig, M>,
}

impl<M: RaftStateMachine<TypeConfig>> RaftPeer<M> {
    /// Answers for `raft`.
    pub fn new(raft: openraft::Raft<TypeConfig, M>) -> Self {
        Self { raft }
    }

    /// A request of one frame; `None` for kinds that are none of the engine's business. A refusal is words for a person.
    pub async fn unary(&self, kind: Kind, body: &[u8]) -> Option<Result<Vec<u8>, String>> {
        let raft = &self.raft;
        let answer = async {
            match kind {
                Kind::Vote => {
                    let request = Ballot::decode(body).map_err(words)?;
                    Voted::encode(&raft.vote(request).await.map_err(words)?)
                }
                Kind::PreVote => {
                    let request = Ballot::decode(body).map_err(words)?;
                    Voted::encode(&raft.pre_vote(request).await.map_err(words)?)
                }
                Kind::Append => {
                    let request = Append::decode(body).map_err(words)?;
                    Appended::encode(&raft.append_entries(request).await.map_err(words)?)
                }
                Kind::TransferLeader => {
                    let request = Handover::decode(body).map_err(words)?;
                    HandedOver::encode(&raft.handle_transfer_leader(request).await.map_err(words)?)
                }
                Kind::AppendStream
                | Kind::Snapshot
                | Kind::Propose
                | Kind::ReadIndex
                | Kind::Lease
                | Kind::Membership
                | Kind::Change
                | Kind::IssuingKey
                | Kind::Status
                | Kind::Journal
                | Kind::RotateKey
                | Kind::SignLeaf
                | Kind::Authorities
                | Kind::Presence
                | Kind::File => return Ok(None),
            }
            .map(Some)
            .map_err(words)
        };
        answer.await.transpose()
    }

    /// A long stream of appends, its kind byte already read.
    pub async fn append_stream(&self, pipe: Pipe) -> Result<(), FrameError> {
        let Pipe { mut send, recv } = pipe;
        // What ends the stream of requests early is told once the answers have ended with it.
        let broken = Arc::new(Mutex::new(None));
        let breaking = broken.clone();
        let requests = stream::unfold(recv, move |mut recv| {
            let breaking = breaking.clone();
            async move {
                let body = match rpc::read(&mut recv).await {
                    Ok(body) => body?,
                    Err(e) => {
                        *breaking.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                        return None;
                    }
                };
                let request = Append::decode(&body)
                    .inspect_err(|e| tracing::warn!(error = %e, "a leader's append makes no sense"))
                    .ok()?;
                Some((request, recv))
            }
        });
        let mut answers = std::pin::pin!(self.raft.stream_append(requests));
        while let Some(Ok(result)) = answers.next().await {
            let Ok(body) = Appended::encode_streamed(&result) else {
                break;
            };
            rpc::write(&mut send, &[], &body).await?;
        }
        _ = send.shutdown().await;
        let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        broken.map_or(Ok(()), Err)
    }

    /// A snapshot coming in, its kind byte already read: received into `sink`, then installed.
    pub async fn snapshot<S>(
        &self,
        from: NodeId,
        mut pipe: Pipe,
        sink: &S,
    ) -> Result<(), FrameError>
    where
        S: SnapshotSink<Data = M::SnapshotData>,
    {
        let received = snapshot_stream::receive(sink, &mut pipe).await;
        if let Err(snapshot_stream::ReceiveError::Frame(e)) = received {
            return Err(e);
        }
        let installed = match received {
            Ok((vote, snapshot)) => self
                .raft
                .install_full_snapshot(vote, snapshot)
                .await
                .map_err(words),
            Err(e) => {
                tracing::warn!(%from, error = %e, "a snapshot did not arrive whole");
                Err(e.to_string())
            }
        };
        let body = installed
            .and_then(|response| codec::encode(&WireVote::from(&response.vote)).map_err(words));
        match body {
            Ok(body) => pipe.write(&[answer::OK], &body).await?,
            Err(why) => pipe.write(&[answer::REFUSED], why.as_bytes()).await?,
        }
        pipe.finish().await;
        Ok(())
    }
}

/// Requests from peers, served by the engine and the replica.
pub(crate) struct Peers {
    core: Arc<Core>,
    engine: RaftPeer<StateStore>,
    admissions: Admissions,
    ground: Arc<Ground>,
    rotation: Rotation,
    files: Arc<Files>,
}

impl Peers {
    pub(crate) fn new(
        core: Arc<Core>,
        admissions: Admissions,
        ground: Arc<Ground>,
        rotation: Rotation,
        files: Arc<Files>,
    ) -> Self {
        Self {
            engine: RaftPeer::new(core.raft.clone()),
            core,
            admissions,
            ground,
            rotation,
            files,
        }
    }

    async fn propose(&self, body: &[u8]) -> Unary {
        let forwarded: Forwarded = codec::decode(body).map_err(words)?;
        let written = tokio::time::timeout(
            WRITE_TIMEOUT,
            write_many(&self.core.raft, forwarded.records),
        );
        let fates = written
            .await
            .map_err(|_| "not committed in time".to_owned())?;
        codec::encode(&fates).map_err(words)
    }

    /// Nothing of a node that is shut out; and no consensus before the others have looked at this node: on old files it
    /// would break promises.
    fn admit(&self, from: NodeId, kind: Kind) -> Result<(), String> {
        let presence = &self.core.presence;
        if let Some(why) = presence.shut_out(from) {
            return Err(why);
        }
        let consensus = matches!(
            kind,
            Kind::Vote
                | Kind::PreVote
                | Kind::Append
                | Kind::AppendStream
                | Kind::Snapshot
                | Kind::TransferLeader
        );
        if consensus && !(presence.cleared() && self.core.retired.borrow().is_none()) {
            return Err("this node has not been looked at by the others yet".to_owned());
        }
        Ok(())
    }

    /// The issuing key goes to voters only: a learner has yet to prove itself.
    fn issuing_key(&self, from: NodeId) -> Unary {
        if !self.core.standing().voters.contains(&from.0) {
            return Err("only a voter may hold the issuing key".to_owned());
        }
        let key = self
            .core
            .identity
            .issuing_keys()
            .ok_or("this node does not hold it")?;
        codec::encode(&key).map_err(words)
    }
}

#[async_trait]
impl Service for Peers {
    async fn unary(&self, from: NodeId, kind: Kind, body: Vec<u8>) -> Unary {
        let core = &self.core;
        if kind == Kind::Presence {
            return presence::answer(core, from, &body);
        }
        self.admit(from, kind)?;
        match kind {
            Kind::Vote | Kind::PreVote | Kind::Append | Kind::TransferLeader => {
                let answer = self.engine.unary(kind, &body).await;
                answer.unwrap_or_else(|| Err("not a request to the engine".to_owned()))
            }
            Kind::Propose => self.propose(&body).await,
            Kind::ReadIndex => codec::encode(&read_index_here(core).await).map_err(words),
            Kind::Lease => codec::encode(&grant(core, from)).map_err(words),
            Kind::Membership => {
                let metrics = core.metrics();
                codec::encode(&WireStoredMembership::from(&*metrics.membership_config))
                    .map_err(words)
            }
            Kind::Change => {
                let change = codec::decode(&body).map_err(words)?;
                codec::encode(&membership::change_for(core, from, change).await).map_err(words)
            }
            Kind::IssuingKey => self.issuing_key(from),
            Kind::Status => codec::encode(&status::of_leader(core)).map_err(words),
            Kind::Journal => island::answer(&self.ground, &body).await,
            Kind::RotateKey => {
                let voter = core.standing().voters.contains(&from.0);
                if !voter {
                    return Err("only a voter may ask for that".to_owned());
                }
                let rotated = self.rotation.rotate_own_key().await;
                rotated.map(|()| Vec::new()).map_err(words)
            }
            Kind::SignLeaf => self.rotation.sign_for(from, &body),
            Kind::Authorities => self.rotation.standing(),
            Kind::File => self.files.answer(&body).await,
            Kind::AppendStream | Kind::Snapshot | Kind::Presence => {
                Err("not a request of one frame".to_owned())
            }
        }
    }

    async fn append_stream(&self, from: NodeId, pipe: Pipe) -> Result<(), FrameError> {
        if self.admit(from, Kind::AppendStream).is_err() {
            return Ok(());
        }
        self.engine.append_stream(pipe).await
    }

    async fn snapshot(&self, from: NodeId, pipe: Pipe) -> Result<(), FrameError> {
        if self.admit(from, Kind::Snapshot).is_err() {
            return Ok(());
        }
        let snapshots = self.core.state.snapshots();
        self.engine.snapshot(from, pipe, snapshots).await
    }

    async fn join(&self, newcomer: Newcomer) {
        self.admissions.serve(newcomer).await;
    }
}

fn words(e: impl std::fmt::Display) -> String {
    e.to_string()
}
