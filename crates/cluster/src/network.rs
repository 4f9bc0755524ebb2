//! The engine's view of the network: each of its RPCs over a [`PeerTransport`], with a deadline of its own.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::NodeId;
use domain::codec::CodecError;
use futures_util::stream::{self, Stream, StreamExt as _};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, v2::RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, network::stream_append_sequential};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::profile::Timing;
use crate::rpc::{self, CallError, Kind, PeerTransport, Pipe};
use crate::snapshot_stream::{self, SnapshotSource};
use crate::types::{Peer, TypeConfig, Vote};
use crate::wire::{Append, Appended, Ballot, HandedOver, Handover, Voted};

/// A stream to a peer opens within this time, also where it takes a TLS handshake.
const STREAM_TIMEOUT: Duration = Duration::from_secs(3);

type RpcError = RPCError<TypeConfig>;
type AppendResult = Result<StreamAppendResult<TypeConfig>, RpcError>;

/// Makes a client per peer and purpose. `S` is what the state machine calls a snapshot.
pub struct Network<T, S> {
    own: NodeId,
    transport: Arc<T>,
    timing: Timing,
    snapshots: PhantomData<fn(S)>,
}

impl<T: PeerTransport, S> Network<T, S> {
    /// The network as node `own` sees it.
    pub fn new(own: NodeId, transport: Arc<T>, timing: Timing) -> Self {
        Self {
            own,
            transport,
            timing,
            snapshots: PhantomData,
        }
    }

    fn client(&self, target: u64, peer: &Peer, heartbeat: bool) -> PeerClient<T, S> {
        self.transport.meet(NodeId(target), peer);
        PeerClient {
            own: self.own,
            target: NodeId(target),
            transport: self.transport.clone(),
            timing: self.timing,
            heartbeat,
            snapshots: PhantomData,
        }
    }
}

impl<T: PeerTransport, S: SnapshotSource> RaftNetworkFactory<TypeConfig> for Network<T, S> {
    type Network = PeerClient<T, S>;

    async fn new_client(&mut self, target: u64, peer: &Peer) -> PeerClient<T, S> {
        self.client(target, peer, false)
    }

    async fn new_heartbeat_client(&mut self, target: u64, peer: &Peer) -> PeerClient<T, S> {
        self.client(target, peer, true)
    }
}

/// RPCs to one peer.
pub struct PeerClient<T, S> {
    own: NodeId,
    target: NodeId,
    transport: Arc<T>,
    timing: Timing,
    /// Heartbeats go one by one on short streams, ahead of appends.
    heartbeat: bool,
    snapshots: PhantomData<fn(S)>,
}

impl<T: PeerTransport, S: SnapshotSource> PeerClient<T, S> {
    async fn call(
        &self,
        kind: Kind,
        action: RPCTypes,
        body: Result<Vec<u8>, CodecError>,
        option: &RPCOption,
    ) -> Result<Vec<u8>, RpcError> {
        let body = body.map_err(|e| NetworkError::new(&e))?;
        let within = option.soft_ttl();
        self.transport
            .call(self.target, kind, &body, within)
            .await
            .map_err(|e| self.failed(&e, action, within))
    }

    fn failed(&self, why: &CallError, action: RPCTypes, timeout: Duration) -> RpcError {
        match why {
            CallError::Unreachable(_) => Unreachable::new(why).into(),
            CallError::TimedOut(_) => Timeout {
                action,
                id: self.own.0,
                target: self.target.0,
                timeout,
            }
            .into(),
            CallError::Broken(..) | CallError::Refused(..) => NetworkError::new(why).into(),
        }
    }

    /// One long stream: requests leave as they come, answers return in order. Both halves are driven by whoever polls
    /// the returned stream, so that dropping it ends both.
    ///
    /// The engine spaces out its tries by when it yields the first request, so that is awaited before the stream is
    /// opened: a peer whose path fails at once would otherwise be tried again without a pause.
    async fn pipeline<'s, I>(
        &'s mut self,
        mut input: I,
        setup: Duration,
    ) -> Result<BoxStream<'s, AppendResult>, RpcError>
    where
        I: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let Some(first) = input.next().await else {
            return Ok(Box::pin(stream::empty()));
        };
        let action = RPCTypes::AppendEntries;
        let opened = self
            .transport
            .open(self.target, Kind::AppendStream, setup)
            .await;
        let Pipe { mut send, recv } = opened.map_err(|e| self.failed(&e, action, setup))?;
        let sent = Arc::new(AtomicU64::new(0));
        let answered = sent.clone();

        let requests = stream::once(async move {
            let mut input = stream::iter([first]).chain(input);
            let mut kind = [Kind::AppendStream as u8].as_slice();
            while let Some(request) = input.next().await {
                let body =
                    Append::encode(&request).map_err(|e| RpcError::from(NetworkError::new(&e)))?;
                sent.fetch_add(1, Ordering::Relaxed);
                rpc::write(&mut send, kind, &body)
                    .await
                    .map_err(|e| broken(&e))?;
                kind = &[];
            }
            _ = send.shutdown().await;
            Ok(())
        })
        .filter_map(|ended: Result<(), RpcError>| async move { ended.err().map(Err) });

        // An answer may wait for a slow disk; silence on top of that means the path is gone.
        let patience = (self.timing.election_max * 2).max(Duration::from_secs(2));
        let target = self.target;
        let stalled = Timeout {
            action,
            id: self.own.0,
            target: target.0,
            timeout: patience,
        };
        let answers = stream::unfold(Some((recv, 0_u64)), move |state| {
            let (answered, stalled) = (answered.clone(), stalled.clone());
            async move {
                let (mut recv, done) = state?;
                let answer = {
                    let mut reading = std::pin::pin!(rpc::read(&mut recv));
                    loop {
                        match timeout(patience, &mut reading).await {
                            Ok(answer) => break answer,
                            Err(_) if answered.load(Ordering::Relaxed) > done => {
                                return Some((Err(stalled.into()), None));
                            }
                            Err(_) => {}
                        }
                    }
                };
                let result = match answer {
                    Ok(None) => return None,
                    Ok(Some(bytes)) => match Appended::decode_streamed(&bytes) {
                        Ok(Some(result)) => Ok(result),
                        Ok(None) => Err(broken(&io::Error::other("an answer out of place"))),
                        Err(e) => Err(broken(&e)),
                    },
                    Err(e) => Err(broken(&e)),
                };
                let next = matches!(result, Ok(Ok(_))).then_some((recv, done + 1));
                Some((result, next))
            }
        });
        Ok(Box::pin(stream::select(answers, requests)))
    }
}

impl<T: PeerTransport, S: SnapshotSource> RaftNetworkV2<TypeConfig> for PeerClient<T, S> {
    type SnapshotData = S;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let answer = self
            .call(
                Kind::Append,
                RPCTypes::AppendEntries,
                Append::encode(&request),
                &option,
            )
            .await?;
        Appended::decode(&answer).map_err(|e| broken(&e))
    }

    fn stream_append<'s, I>(
        &'s mut self,
        input: I,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, AppendResult>, RpcError>>
    where
        I: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if self.heartbeat {
            return stream_append_sequential(self, input, option);
        }
        // Over TCP a stream is a connection of its own, with handshakes: that may take longer than one append.
        Box::pin(self.pipeline(input, option.soft_ttl().max(STREAM_TIMEOUT)))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let answer = self
            .call(
                Kind::Vote,
                RPCTypes::Vote,
                Ballot::encode(&request),
                &option,
            )
            .await?;
        Voted::decode(&answer).map_err(|e| broken(&e))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let answer = self
            .call(
                Kind::PreVote,
                RPCTypes::Vote,
                Ballot::encode(&request),
                &option,
            )
            .await?;
        Voted::decode(&answer).map_err(|e| broken(&e))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<TypeConfig, S>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sending = snapshot_stream::send(
            &*self.transport,
            self.target,
            vote,
            snapshot,
            self.timing.snapshot_rate,
            option.hard_ttl(),
        );
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = sending => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote)),
                Err(snapshot_stream::SendError::Call(e @ CallError::Unreachable(_))) => Err(Unreachable::new(&e).into()),
                Err(e) => Err(NetworkError::new(&e).into()),
            },
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let answer = self
            .call(
                Kind::TransferLeader,
                RPCTypes::TransferLeader,
                Handover::encode(&request),
                &option,
            )
            .await?;
        HandedOver::decode(&answer).map_err(|e| broken(&e))
    }
}

fn broken(why: &(impl std::error::Error + 'static)) -> RpcError {
    NetworkError::new(why).into()
}

#[cfg(test)]
mod tests {
    use std::io;

    use async_trait::async_trait;

    use super::*;
    use crate::profile::Profile;
    use crate::store::snapshot::SnapshotFile;

    /// A cable that is not plugged in.
    struct Unplugged;

    #[async_trait]
    impl PeerTransport for Unplugged {
        fn meet(&self, _node: NodeId, _peer: &Peer) {}

        async fn call(
            &self,
            to: NodeId,
            _kind: Kind,
            _body: &[u8],
            _patience: Duration,
        ) -> Result<Vec<u8>, CallError> {
            Err(CallError::Unreachable(to))
        }

        async fn open(
            &self,
            to: NodeId,
            _kind: Kind,
            _patience: Duration,
        ) -> Result<Pipe, CallError> {
            Err(CallError::Broken(to, io::Error::other("unplugged").into()))
        }
    }

    #[tokio::test]
    async fn a_peer_that_cannot_be_reached_grants_no_vote() {
        let network =
            Network::<_, SnapshotFile>::new(NodeId(1), Arc::new(Unplugged), Profile::Lan.timing());
        let mut peer = network.client(2, &Peer::default(), false);
        let option = || RPCOption::new(Duration::from_secs(1));
        let request = VoteRequest::new(Vote::new(3, 1), None);
        for asked in [
            peer.pre_vote(request.clone(), option()).await,
            peer.vote(request, option()).await,
        ] {
            assert!(matches!(asked, Err(RPCError::Unreachable(_))), "{asked:?}");
        }
    }
}
