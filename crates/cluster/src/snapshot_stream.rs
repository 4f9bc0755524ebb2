//! A snapshot on its own stream: the sender's head, the receiver's offset (it may hold part of it from a broken try),
//! chunks of 256 KiB each with its offset and CRC, then the receiver's vote once it is installed.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use domain::codec::{self, CodecError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::rpc::{CallError, FrameError, Kind, PeerTransport, Pipe, status};
use crate::store::snapshot::{self, Incoming, SnapshotFile, Snapshots};
use crate::types::{SnapshotMeta, TypeConfig, Vote, WireError, WireVote};
use crate::wire::SnapshotHead;

const CHUNK: usize = 256 * 1024;
/// Offset (8 bytes) and CRC-32 (4 bytes) before each chunk's data.
const HEAD: usize = 12;
/// One chunk must get through within this time, also over a satellite at its worst.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// A broken transfer is given up by its receiver within this time.
const BUSY_TIMEOUT: Duration = Duration::from_secs(45);
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// The path to a peer must open within this time.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

type Snapshot<S> = openraft::type_config::alias::SnapshotOf<TypeConfig, S>;

/// A snapshot that can be read from any offset.
#[async_trait]
pub trait SnapshotSource: Send + Sync + 'static {
    /// Size in bytes.
    fn len(&self) -> u64;
    /// Digest of all of them.
    fn sha256(&self) -> [u8; 32];
    /// Its bytes from `offset` on.
    async fn read_from(&self, offset: u64) -> io::Result<Box<dyn AsyncRead + Send + Sync + Unpin>>;

    /// Holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl SnapshotSource for SnapshotFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    async fn read_from(&self, offset: u64) -> io::Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        let mut file = tokio::fs::File::open(&self.path).await?;
        file.seek(io::SeekFrom::Start(offset)).await?;
        Ok(Box::new(file))
    }
}

/// Where snapshots from peers are put.
#[async_trait]
pub trait SnapshotSink: Sync {
    /// A whole snapshot, ready to install.
    type Data: Send + 'static;
    type Arriving: ArrivingSnapshot<Data = Self::Data> + 'static;
    /// Begins, or goes on with what a broken transfer left of the same snapshot.
    async fn begin(
        &self,
        len: u64,
        sha256: [u8; 32],
    ) -> Result<Self::Arriving, snapshot::ReceiveError>;
}

/// A snapshot on its way in. Dropping it keeps what arrived.
#[async_trait]
pub trait ArrivingSnapshot: Send {
    type Data: Send + 'static;
    /// Bytes already there.
    fn offset(&self) -> u64;
    /// Takes the next bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), snapshot::ReceiveError>;
    /// Checks the digest, and that the content is what `meta` says.
    async fn finish(self, meta: &SnapshotMeta) -> Result<Self::Data, snapshot::ReceiveError>;
}

#[async_trait]
impl SnapshotSink for Snapshots {
    type Data = SnapshotFile;
    type Arriving = Incoming;

    async fn begin(&self, len: u64, sha256: [u8; 32]) -> Result<Incoming, snapshot::ReceiveError> {
        self.begin_receiving(len, sha256).await
    }
}

#[async_trait]
impl ArrivingSnapshot for Incoming {
    type Data = SnapshotFile;

    fn offset(&self) -> u64 {
        self.offset()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), snapshot::ReceiveError> {
        self.write(bytes).await
    }

    async fn finish(self, meta: &SnapshotMeta) -> Result<SnapshotFile, snapshot::ReceiveError> {
        self.finish(meta).await
    }
}

/// Why a snapshot was not delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("cannot read the snapshot file")]
    File(#[from] io::Error),
    #[error("the peer's answer cannot be read")]
    Codec(#[from] CodecError),
    #[error("the path stalled")]
    Stalled,
}

/// Sends a snapshot, at most `rate` bytes a second, so that a narrow line keeps room for heartbeats; the receiver has installed it, or refused an old leader, once its vote comes back.
pub(crate) async fn send<T: PeerTransport, S: SnapshotSource>(
    transport: &T,
    to: NodeId,
    vote: Vote,
    snapshot: Snapshot<S>,
    rate: u64,
    install_within: Duration,
) -> Result<Vote, SendError> {
    let mut pipe = transport.open(to, Kind::Snapshot, OPEN_TIMEOUT).await?;
    let broken = |e| SendError::Call(CallError::Broken(to, e));
    let file = &snapshot.snapshot;
    let head = SnapshotHead {
        vote: (&vote).into(),
        meta: (&snapshot.meta).into(),
        len: file.len(),
        sha256: file.sha256(),
    };
    pipe.write(&[Kind::Snapshot as u8], &codec::encode(&head)?)
        .await
        .map_err(broken)?;
    let offset = timeout(CHUNK_TIMEOUT, answer(&mut pipe))
        .await
        .map_err(|_| SendError::Stalled)?
        .map_err(broken)?;
    let mut offset: u64 = codec::decode(&accepted(to, offset)?)?;
    if offset > 0 {
        tracing::info!(peer = %to, offset, len = head.len, "snapshot goes on where it broke off");
    }
    let mut source = file.read_from(offset).await?;
    let mut next = Instant::now();
    while offset < head.len {
        let length = usize::try_from(head.len - offset)
            .unwrap_or(CHUNK)
            .min(CHUNK);
        let mut chunk = vec![0; HEAD + length];
        source.read_exact(&mut chunk[HEAD..]).await?;
        chunk[..8].copy_from_slice(&offset.to_be_bytes());
        let crc = crc32fast::hash(&chunk[HEAD..]);
        chunk[8..HEAD].copy_from_slice(&crc.to_be_bytes());
        sleep_until(next).await;
        next = next.max(Instant::now()) + pause_after(length, rate);
        let written = timeout(CHUNK_TIMEOUT, pipe.write(&[], &chunk)).await;
        written.map_err(|_| SendError::Stalled)?.map_err(broken)?;
        offset += length as u64;
    }
    pipe.finish().await;
    let installed = timeout(install_within, answer(&mut pipe))
        .await
        .map_err(|_| SendError::Stalled)?;
    let vote: WireVote = codec::decode(&accepted(to, installed.map_err(broken)?)?)?;
    Ok(vote.into())
}

/// How long `length` bytes take at `rate` bytes a second.
fn pause_after(length: usize, rate: u64) -> Duration {
    let micros = (length as u64).saturating_mul(1_000_000) / rate.max(1);
    Duration::from_micros(micros)
}

async fn answer(pipe: &mut Pipe) -> Result<(u8, Vec<u8>), FrameError> {
    let status = pipe.read_byte().await?.ok_or(FrameError::Truncated)?;
    Ok((status, pipe.read().await?.ok_or(FrameError::Truncated)?))
}

fn accepted(by: NodeId, answer: (u8, Vec<u8>)) -> Result<Vec<u8>, CallError> {
    match answer {
        (status::OK, body) => Ok(body),
        (_, words) => Err(CallError::Refused(
            by,
            String::from_utf8_lossy(&words).into_owned(),
        )),
    }
}

/// Why a snapshot could not be received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the head cannot be read")]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the snapshot is damaged on the way: {0}")]
    Damaged(&'static str),
    #[error(transparent)]
    File(#[from] snapshot::ReceiveError),
    #[error("the sender stalled")]
    Stalled,
}

/// Receives the whole file, checked and ready to install, and the sender's vote.
pub(crate) async fn receive<S: SnapshotSink>(
    sink: &S,
    pipe: &mut Pipe,
) -> Result<(Vote, Snapshot<S::Data>), ReceiveError> {
    let head = timeout(CHUNK_TIMEOUT, pipe.read())
        .await
        .map_err(|_| ReceiveError::Stalled)??;
    let head: SnapshotHead = codec::decode(&head.ok_or(FrameError::Truncated)?)?;
    let meta = SnapshotMeta::try_from(head.meta)?;
    let mut arriving = begin(sink, head.len, head.sha256).await?;
    pipe.write(&[status::OK], &codec::encode(&arriving.offset())?)
        .await?;
    while arriving.offset() < head.len {
        let chunk = timeout(CHUNK_TIMEOUT, pipe.read())
            .await
            .map_err(|_| ReceiveError::Stalled)??;
        take(&mut arriving, &chunk.ok_or(FrameError::Truncated)?).await?;
    }
    let snapshot = arriving.finish(&meta).await?;
    Ok((head.vote.into(), Snapshot { meta, snapshot }))
}

/// Begins to receive. A transfer of the same snapshot that is still being given up here makes the next one wait, not fail:
/// its sender has already gone on to this one.
async fn begin<S: SnapshotSink>(
    sink: &S,
    len: u64,
    sha256: [u8; 32],
) -> Result<S::Arriving, snapshot::ReceiveError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match sink.begin(len, sha256).await {
            Err(snapshot::ReceiveError::Busy) if Instant::now() < deadline => {
                sleep(BUSY_PAUSE).await;
            }
            begun => return begun,
        }
    }
}

async fn take(arriving: &mut impl ArrivingSnapshot, chunk: &[u8]) -> Result<(), ReceiveError> {
    let Some((head, data)) = chunk.split_first_chunk::<HEAD>() else {
        return Err(ReceiveError::Damaged("a chunk is too short"));
    };
    let (offset, crc) = head.split_at(8);
    if offset != arriving.offset().to_be_bytes() || data.is_empty() {
        return Err(ReceiveError::Damaged("a chunk is out of place"));
    }
    if crc != crc32fast::hash(data).to_be_bytes() {
        return Err(ReceiveError::Damaged("a chunk's CRC is wrong"));
    }
    Ok(arriving.write(data).await?)
}
