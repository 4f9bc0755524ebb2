//! Frames on a stream: four bytes of length (big-endian), then that many bytes.

use quinn::{ReadExactError, RecvStream, SendStream, WriteError};

/// The longest frame either side accepts: 16 MiB.
pub(crate) const FRAME_MAX: usize = 16 * 1024 * 1024;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the stream ended inside a frame")]
    Truncated,
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("the stream broke")]
    Read(#[from] quinn::ReadError),
    #[error("the stream broke")]
    Write(#[from] WriteError),
}

/// Writes `prefix` (a kind or status byte, or nothing) and one frame.
pub(crate) async fn write(
    send: &mut SendStream,
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
    Ok(send.write_all(&frame).await?)
}

/// Reads one frame; `None` at the orderly end of the stream.
pub(crate) async fn read(recv: &mut RecvStream) -> Result<Option<Vec<u8>>, FrameError> {
    read_at_most(recv, FRAME_MAX).await
}

/// As [`read`], with a lower limit.
pub(crate) async fn read_at_most(
    recv: &mut RecvStream,
    max: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; 4];
    match recv.read_exact(&mut length).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(e) => return Err(e.into()),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > max {
        return Err(FrameError::TooLong(length));
    }
    // Grow as bytes arrive: a length alone must not make us allocate 16 MiB.
    let mut body = Vec::with_capacity(length.min(64 * 1024));
    while body.len() < length {
        let part = body.len()..length.min(body.len() + 256 * 1024);
        body.resize(part.end, 0);
        recv.read_exact(&mut body[part]).await?;
    }
    Ok(Some(body))
}

/// Reads one byte; `None` at the orderly end of the stream.
pub(crate) async fn read_byte(recv: &mut RecvStream) -> Result<Option<u8>, FrameError> {
    let mut byte = [0];
    match recv.read_exact(&mut byte).await {
        Ok(()) => Ok(Some(byte[0])),
        Err(ReadExactError::FinishedEarly(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

impl From<ReadExactError> for FrameError {
    fn from(e: ReadExactError) -> Self {
        match e {
            ReadExactError::FinishedEarly(_) => Self::Truncated,
            ReadExactError::ReadError(e) => Self::Read(e),
        }
    }
}
