//! What this node answers to its peers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use domain::codec;
use futures_util::StreamExt as _;
use futures_util::stream;
use quinn::{Connection, RecvStream, SendStream};

use crate::join::Admissions;
use crate::membership;
use crate::replica::{Core, grant, read_index_here, write_many};
use crate::snapshot_stream;
use crate::status;
use crate::transport::{FrameError, Kind, Service, Unary, frame, status as answer};
use crate::types::{WireStoredMembership, WireVote};
use crate::wire::{Append, Appended, Ballot, Forwarded, HandedOver, Handover, Voted};

/// How long a forwarded batch may take here; the sender gives up earlier and asks again.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests from peers, served by the engine and the replica.
pub(crate) struct Peers {
    core: Arc<Core>,
    admissions: Admissions,
}

impl Peers {
    pub(crate) fn new(core: Arc<Core>, admissions: Admissions) -> Self {
        Self { core, admissions }
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

    /// The issuing key goes to voters only: a learner has yet to prove itself.
    fn issuing_key(&self, from: NodeId) -> Unary {
        if !self.core.standing().voters.contains(&from.0) {
            return Err("only a voter may hold the issuing key".to_owned());
        }
        let key = self
            .core
            .identity
            .issuing_key()
            .ok_or("this node does not hold it")?;
        codec::encode(&key).map_err(words)
    }
}

#[async_trait]
impl Service for Peers {
    async fn unary(&self, from: NodeId, kind: Kind, body: Vec<u8>) -> Unary {
        let core = &self.core;
        match kind {
            Kind::Vote => {
                let request = Ballot::decode(&body).map_err(words)?;
                Voted::encode(&core.raft.vote(request).await.map_err(words)?).map_err(words)
            }
            Kind::PreVote => {
                let request = Ballot::decode(&body).map_err(words)?;
                Voted::encode(&core.raft.pre_vote(request).await.map_err(words)?).map_err(words)
            }
            Kind::Append => {
                let request = Append::decode(&body).map_err(words)?;
                Appended::encode(&core.raft.append_entries(request).await.map_err(words)?)
                    .map_err(words)
            }
            Kind::TransferLeader => {
                let request = Handover::decode(&body).map_err(words)?;
                HandedOver::encode(
                    &core
                        .raft
                        .handle_transfer_leader(request)
                        .await
                        .map_err(words)?,
                )
                .map_err(words)
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
            Kind::AppendStream | Kind::Snapshot => Err("not a request of one frame".to_owned()),
        }
    }

    async fn append_stream(
        &self,
        _from: NodeId,
        mut send: SendStream,
        recv: RecvStream,
    ) -> Result<(), FrameError> {
        let requests = stream::unfold(recv, |mut recv| async move {
            let body = frame::read(&mut recv).await.ok()??;
            let request = Append::decode(&body)
                .inspect_err(|e| tracing::warn!(error = %e, "a leader's append makes no sense"))
                .ok()?;
            Some((request, recv))
        });
        let mut answers = std::pin::pin!(self.core.raft.stream_append(requests));
        while let Some(Ok(result)) = answers.next().await {
            let Ok(body) = Appended::encode_streamed(&result) else {
                break;
            };
            frame::write(&mut send, &[], &body).await?;
        }
        _ = send.finish();
        Ok(())
    }

    async fn snapshot(
        &self,
        from: NodeId,
        mut send: SendStream,
        mut recv: RecvStream,
    ) -> Result<(), FrameError> {
        let received =
            snapshot_stream::receive(self.core.state.snapshots(), &mut send, &mut recv).await;
        let installed = match received {
            Ok((vote, snapshot)) => self
                .core
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
            Ok(body) => frame::write(&mut send, &[answer::OK], &body).await?,
            Err(why) => frame::write(&mut send, &[answer::REFUSED], why.as_bytes()).await?,
        }
        _ = send.finish();
        Ok(())
    }

    async fn join(&self, connection: Connection) {
        self.admissions.serve(connection).await;
    }
}

fn words(e: impl std::fmt::Display) -> String {
    e.to_string()
}
