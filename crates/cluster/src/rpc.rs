//! What peers ask of each other, and the seam between that and whatever carries it.
//!
//! [`Network`](crate::Network) speaks for the consensus engine over any [`PeerTransport`]; QUIC and TCP are one, a
//! simulated network can be another. [`RaftPeer`](crate::RaftPeer) is the answering side.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::types::Peer;

/// The longest frame either side accepts: 16 MiB.
pub const FRAME_MAX: usize = 16 * 1024 * 1024;

/// What a request or stream carries, in its first byte. Never renumber.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    Vote = 1,
    PreVote = 2,
    Append = 3,
    AppendStream = 4,
    Snapshot = 5,
    TransferLeader = 6,
    Propose = 7,
    ReadIndex = 8,
    Lease = 9,
    Membership = 10,
    Change = 11,
    IssuingKey = 12,
    Status = 13,
    Journal = 14,
    /// Replace your key.
    RotateKey = 15,
    /// Sign a new leaf for my pinned key.
    SignLeaf = 16,
    /// Which authorities do you stand on?
    Authorities = 17,
    /// I am this start of this copy of myself.
    Presence = 20,
    /// A piece of a file, please.
    File = 21,
}

impl Kind {
    const ALL: [Self; 19] = [
        Self::Vote,
        Self::PreVote,
        Self::Append,
        Self::AppendStream,
        Self::Snapshot,
        Self::TransferLeader,
        Self::Propose,
        Self::ReadIndex,
        Self::Lease,
        Self::Membership,
        Self::Change,
        Self::IssuingKey,
        Self::Status,
        Self::Journal,
        Self::RotateKey,
        Self::SignLeaf,
        Self::Authorities,
        Self::Presence,
        Self::File,
    ];

    /// Reads the first byte of a request.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Which bytes leave first when the path is busy.
    pub(crate) fn priority(self) -> i32 {
        match self {
            Self::Vote | Self::PreVote | Self::TransferLeader => 40,
            Self::Append => 30,
            Self::AppendStream | Self::ReadIndex | Self::Lease | Self::Presence => 20,
            Self::Propose
            | Self::Membership
            | Self::Change
            | Self::IssuingKey
            | Self::Status
            | Self::Journal
            | Self::RotateKey
            | Self::SignLeaf
            | Self::Authorities => 10,
            Self::Snapshot => -10,
            Self::File => -20,
        }
    }
}

/// First byte of an answer.
pub mod status {
    /// The answer follows.
    pub const OK: u8 = 0;
    /// Words for a person follow.
    pub const REFUSED: u8 = 1;
    /// This version does not know the request.
    pub const UNKNOWN_KIND: u8 = 2;
}

/// Carries requests and streams to peers. Every call ends: with an answer, or with what is known instead.
#[async_trait]
pub trait PeerTransport: Send + Sync + 'static {
    /// Makes `node` reachable, or takes over where it moved to. Cheap when nothing changed.
    fn meet(&self, node: NodeId, peer: &Peer);

    /// One request, one answer, within `patience`.
    ///
    /// An unreachable peer is an error, never an answer: a vote that nobody cast must not count.
    async fn call(
        &self,
        to: NodeId,
        kind: Kind,
        body: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, CallError>;

    /// Opens a stream of frames ([`Kind::AppendStream`] or [`Kind::Snapshot`]) within `patience`. The caller writes the
    /// kind byte with its first frame; the other side reads it before it serves the rest.
    async fn open(&self, to: NodeId, kind: Kind, patience: Duration) -> Result<Pipe, CallError>;
}

/// Both directions of a stream. Dropping it unfinished abandons it.
pub struct Pipe {
    pub send: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    pub recv: Box<dyn AsyncRead + Send + Sync + Unpin>,
}

impl Pipe {
    /// Writes `prefix` (a kind or status byte, or nothing) and one frame.
    pub async fn write(&mut self, prefix: &[u8], body: &[u8]) -> Result<(), FrameError> {
        write(&mut self.send, prefix, body).await
    }

    /// Reads one frame; `None` at the orderly end.
    pub async fn read(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        read(&mut self.recv).await
    }

    /// Reads one byte; `None` at the orderly end.
    pub async fn read_byte(&mut self) -> Result<Option<u8>, FrameError> {
        read_byte(&mut self.recv).await
    }

    /// Nothing more will be written. The peer may be gone already: that is its business.
    pub async fn finish(&mut self) {
        _ = self.send.shutdown().await;
    }
}

/// Why an RPC gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request never left: nothing happened.
    #[error("peer {0} cannot be reached")]
    Unreachable(NodeId),
    /// It may have been carried out.
    #[error("peer {0} gave no answer in time")]
    TimedOut(NodeId),
    /// It may have been carried out.
    #[error("the connection to peer {0} broke")]
    Broken(NodeId, #[source] FrameError),
    /// The peer answered that it would not.
    #[error("peer {0} refused: {1}")]
    Refused(NodeId, String),
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the stream ended inside a frame")]
    Truncated,
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("the stream broke")]
    Io(#[from] io::Error),
}

/// Writes `prefix` and one frame: four bytes of length (big-endian), then that many bytes.
pub async fn write<W: AsyncWrite + Unpin + ?Sized>(
    send: &mut W,
    prefix: &[u8],
    body: &[u8],
) -> Result<(), FrameError> {
    if body.len() > FRAME_MAX {
        return Err(FrameError::TooLong(body.len()));
    }
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLong(body.len()))?;
    let mut frame = Vec::with_capacity(prefix.len() + 4 + body.len());
    frame.extend_from_slice(prefix);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    send.write_all(&frame).await?;
    Ok(send.flush().await?)
}

/// Reads one frame; `None` at the orderly end of the stream.
pub async fn read<R: AsyncRead + Unpin + ?Sized>(
    recv: &mut R,
) -> Result<Option<Vec<u8>>, FrameError> {
    read_at_most(recv, FRAME_MAX).await
}

/// As [`read`], with a lower limit.
pub async fn read_at_most<R: AsyncRead + Unpin + ?Sized>(
    recv: &mut R,
    max: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; 4];
    let first = recv.read(&mut length).await?;
    if first == 0 {
        return Ok(None);
    }
    fill(recv, &mut length[first..]).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > max {
        return Err(FrameError::TooLong(length));
    }
    // Grow as bytes arrive: a length alone must not make us allocate 16 MiB.
    let mut body = Vec::with_capacity(length.min(64 * 1024));
    while body.len() < length {
        let part = body.len()..length.min(body.len() + 256 * 1024);
        body.resize(part.end, 0);
        fill(recv, &mut body[part]).await?;
    }
    Ok(Some(body))
}

/// Reads one byte; `None` at the orderly end of the stream.
pub async fn read_byte<R: AsyncRead + Unpin + ?Sized>(
    recv: &mut R,
) -> Result<Option<u8>, FrameError> {
    let mut byte = [0];
    Ok((recv.read(&mut byte).await? == 1).then_some(byte[0]))
}

async fn fill<R: AsyncRead + Unpin + ?Sized>(
    recv: &mut R,
    buffer: &mut [u8],
) -> Result<(), FrameError> {
    match recv.read_exact(buffer).await {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Truncated),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_survive_the_stream_and_its_end_is_seen() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let sending = async {
            write(&mut near, &[9], b"").await.unwrap();
            write(&mut near, &[], &[5; 300]).await.unwrap();
            drop(near);
        };
        let receiving = async {
            assert_eq!(read_byte(&mut far).await.unwrap(), Some(9));
            assert_eq!(read(&mut far).await.unwrap(), Some(vec![]));
            assert_eq!(read(&mut far).await.unwrap(), Some(vec![5; 300]));
            assert_eq!(read(&mut far).await.unwrap(), None);
            assert_eq!(read_byte(&mut far).await.unwrap(), None);
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test]
    async fn oversize_and_truncated_frames_are_errors() {
        let long = [0xff_u8; 4];
        assert!(matches!(
            read(&mut &long[..]).await,
            Err(FrameError::TooLong(_))
        ));
        for cut in [&[0_u8, 0][..], &[0, 0, 0, 2, 1][..]] {
            assert!(matches!(
                read(&mut &cut[..]).await,
                Err(FrameError::Truncated)
            ));
        }
        assert!(matches!(
            read_at_most(&mut &[0_u8, 0, 0, 2, 1, 1][..], 1).await,
            Err(FrameError::TooLong(2))
        ));
    }
}
