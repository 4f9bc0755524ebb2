//! A snapshot on its own stream: the sender's head, the receiver's offset (it may hold part of it from a broken try),
//! chunks of 256 KiB each with its offset and CRC, then the receiver's vote once it is installed.

use std::io::SeekFrom;
use std::time::Duration;

use domain::NodeId;
use domain::codec::{self, CodecError};
use quinn::{RecvStream, SendStream};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::{Instant, timeout};

use crate::store::snapshot::{self, EngineSnapshot, Incoming, Snapshots};
use crate::transport::{CallError, FrameError, Kind, Transport, frame, status};
use crate::types::{SnapshotMeta, Vote, WireError, WireVote};
use crate::wire::SnapshotHead;

const CHUNK: usize = 256 * 1024;
/// Offset (8 bytes) and CRC-32 (4 bytes) before each chunk's data.
const HEAD: usize = 12;
/// One chunk must get through within this time, also over a satellite at its worst.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a snapshot was not delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("cannot read the snapshot file")]
    File(#[from] std::io::Error),
    #[error("the peer's answer cannot be read")]
    Codec(#[from] CodecError),
    #[error("the path stalled")]
    Stalled,
}

/// Sends a snapshot; the receiver has installed it, or refused an old leader, once its vote comes back.
pub(crate) async fn send(
    transport: &Transport,
    to: NodeId,
    vote: Vote,
    snapshot: EngineSnapshot,
    install_within: Duration,
) -> Result<Vote, SendError> {
    let opened = transport
        .open(to, Kind::Snapshot, Instant::now() + Duration::from_secs(5))
        .await?;
    let (_connection, mut send, mut recv) = opened;
    let broken = |e| SendError::Call(CallError::Broken(to, e));
    let file = &snapshot.snapshot;
    let head = SnapshotHead {
        vote: (&vote).into(),
        meta: (&snapshot.meta).into(),
        len: file.len,
        sha256: file.sha256,
    };
    frame::write(&mut send, &[Kind::Snapshot as u8], &codec::encode(&head)?)
        .await
        .map_err(broken)?;
    let offset = timeout(CHUNK_TIMEOUT, answer(&mut recv))
        .await
        .map_err(|_| SendError::Stalled)?
        .map_err(broken)?;
    let mut offset: u64 = codec::decode(&accepted(to, offset)?)?;
    let mut source = File::open(&file.path).await?;
    source.seek(SeekFrom::Start(offset)).await?;
    while offset < file.len {
        let length = usize::try_from(file.len - offset)
            .unwrap_or(CHUNK)
            .min(CHUNK);
        let mut chunk = vec![0; HEAD + length];
        source.read_exact(&mut chunk[HEAD..]).await?;
        chunk[..8].copy_from_slice(&offset.to_be_bytes());
        let crc = crc32fast::hash(&chunk[HEAD..]);
        chunk[8..HEAD].copy_from_slice(&crc.to_be_bytes());
        let written = timeout(CHUNK_TIMEOUT, frame::write(&mut send, &[], &chunk)).await;
        written.map_err(|_| SendError::Stalled)?.map_err(broken)?;
        offset += length as u64;
    }
    _ = send.finish();
    let installed = timeout(install_within, answer(&mut recv))
        .await
        .map_err(|_| SendError::Stalled)?;
    let vote: WireVote = codec::decode(&accepted(to, installed.map_err(broken)?)?)?;
    Ok(vote.into())
}

async fn answer(recv: &mut RecvStream) -> Result<(u8, Vec<u8>), FrameError> {
    let status = frame::read_byte(recv).await?.ok_or(FrameError::Truncated)?;
    Ok((
        status,
        frame::read(recv).await?.ok_or(FrameError::Truncated)?,
    ))
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
pub(crate) async fn receive(
    snapshots: &Snapshots,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Result<(Vote, EngineSnapshot), ReceiveError> {
    let head = timeout(CHUNK_TIMEOUT, frame::read(recv))
        .await
        .map_err(|_| ReceiveError::Stalled)??;
    let head: SnapshotHead = codec::decode(&head.ok_or(FrameError::Truncated)?)?;
    let meta = SnapshotMeta::try_from(head.meta)?;
    let mut incoming = snapshots.begin_receiving(head.len, head.sha256).await?;
    frame::write(send, &[status::OK], &codec::encode(&incoming.offset())?).await?;
    while incoming.offset() < head.len {
        let chunk = timeout(CHUNK_TIMEOUT, frame::read(recv))
            .await
            .map_err(|_| ReceiveError::Stalled)??;
        take(&mut incoming, &chunk.ok_or(FrameError::Truncated)?).await?;
    }
    let snapshot = incoming.finish(&meta).await?;
    Ok((head.vote.into(), EngineSnapshot { meta, snapshot }))
}

async fn take(incoming: &mut Incoming, chunk: &[u8]) -> Result<(), ReceiveError> {
    let Some((head, data)) = chunk.split_first_chunk::<HEAD>() else {
        return Err(ReceiveError::Damaged("a chunk is too short"));
    };
    let (offset, crc) = head.split_at(8);
    if offset != incoming.offset().to_be_bytes() || data.is_empty() {
        return Err(ReceiveError::Damaged("a chunk is out of place"));
    }
    if crc != crc32fast::hash(data).to_be_bytes() {
        return Err(ReceiveError::Damaged("a chunk's CRC is wrong"));
    }
    Ok(incoming.write(data).await?)
}
