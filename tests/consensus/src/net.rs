//! Peers' requests over turmoil's TCP, in the frames production uses: a connection per request or stream, the kind first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster::RaftPeer;
use cluster::rpc::{self, CallError, FrameError, Kind, PeerTransport, Pipe, status};
use cluster::types::Peer;
use domain::NodeId;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use turmoil::net::{TcpListener, TcpStream};

use crate::node::Member;
use crate::state::{Inbox, Watched};

const PORT: u16 = 4_000;

/// The host name of a node.
pub(crate) fn host(node: u64) -> String {
    format!("n{node}")
}

/// The way to the others. The member's number goes before everything, as its certificate would say it.
pub(crate) struct Wire {
    pub own: u64,
}

impl Wire {
    async fn connect(&self, to: NodeId, deadline: Instant) -> Result<Pipe, CallError> {
        let connected = timeout_at(deadline, TcpStream::connect((host(to.0), PORT))).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return Err(CallError::Unreachable(to)),
        };
        let (recv, send) = stream.into_split();
        Ok(Pipe {
            send: Box::new(send),
            recv: Box::new(recv),
        })
    }
}

#[async_trait]
impl PeerTransport for Wire {
    fn meet(&self, _node: NodeId, _peer: &Peer) {}

    async fn call(
        &self,
        to: NodeId,
        kind: Kind,
        body: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + patience;
        let mut pipe = self.connect(to, deadline).await?;
        let asking = async {
            pipe.write(&[byte(self.own), kind as u8], body).await?;
            let status = pipe.read_byte().await?.ok_or(FrameError::Truncated)?;
            let answer = pipe.read().await?.ok_or(FrameError::Truncated)?;
            Ok::<_, FrameError>((status, answer))
        };
        match timeout_at(deadline, asking).await {
            Err(_) => Err(CallError::TimedOut(to)),
            Ok(Err(e)) => Err(CallError::Broken(to, e)),
            Ok(Ok((status::OK, answer))) => Ok(answer),
            Ok(Ok((_, words))) => Err(CallError::Refused(
                to,
                String::from_utf8_lossy(&words).into_owned(),
            )),
        }
    }

    async fn open(&self, to: NodeId, _kind: Kind, patience: Duration) -> Result<Pipe, CallError> {
        let deadline = Instant::now() + patience;
        let mut pipe = self.connect(to, deadline).await?;
        let own = [byte(self.own)];
        let named = timeout_at(
            deadline,
            tokio::io::AsyncWriteExt::write_all(&mut pipe.send, &own),
        );
        match named.await {
            Ok(Ok(())) => Ok(pipe),
            Ok(Err(_)) | Err(_) => Err(CallError::Unreachable(to)),
        }
    }
}

fn byte(node: u64) -> u8 {
    u8::try_from(node).expect("a handful of nodes")
}

/// Answers peers until the node ends.
pub(crate) async fn serve(member: Arc<Member>, inbox: Arc<Inbox>) -> std::io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let peer = Arc::new(RaftPeer::new(member.raft.clone()));
    let tasks = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let (recv, send) = stream.into_split();
        let pipe = Pipe {
            send: Box::new(send),
            recv: Box::new(recv),
        };
        let (member, peer, inbox) = (member.clone(), peer.clone(), inbox.clone());
        tasks.spawn(async move {
            // A broken connection is the caller's to notice.
            _ = answer(&member, &peer, &inbox, pipe).await;
        });
    }
}

async fn answer(
    member: &Member,
    peer: &RaftPeer<Watched>,
    inbox: &Inbox,
    mut pipe: Pipe,
) -> Result<(), FrameError> {
    // A connection whose first bytes were lost says nothing for ever.
    let first = timeout(Duration::from_secs(5), async {
        let from = pipe.read_byte().await?;
        let kind = pipe.read_byte().await?;
        Ok::<_, FrameError>(from.zip(kind))
    });
    let Ok(Some((from, kind))) = first.await.unwrap_or(Ok(None)) else {
        return Ok(());
    };
    let from = NodeId(u64::from(from));
    let kind = Kind::from_byte(kind).ok_or(FrameError::Truncated)?;
    match kind {
        Kind::AppendStream => return peer.append_stream(pipe).await,
        Kind::Snapshot => return peer.snapshot(from, pipe, inbox).await,
        _ => {}
    }
    let Some(body) = rpc::read(&mut pipe.recv).await? else {
        return Ok(());
    };
    let answered = match kind {
        Kind::Propose => member.write_here(&body).await,
        Kind::ReadIndex => member.read_index_here().await,
        _ => match peer.unary(kind, &body).await {
            Some(answered) => answered,
            None => Err("not part of this simulation".to_owned()),
        },
    };
    match answered {
        Ok(body) => pipe.write(&[status::OK], &body).await?,
        Err(why) => pipe.write(&[status::REFUSED], why.as_bytes()).await?,
    }
    pipe.finish().await;
    Ok(())
}
