//! A TCP stream that never reads past the end of a line.
//!
//! Answers a meddler slips in behind the reply to STARTTLS must not be taken for answers given under TLS (the weakness of
//! CVE-2011-0411, seen from the client). lettre keeps its read buffer across the upgrade, so nothing may be in it: what
//! follows the line stays in the socket, where the TLS handshake chokes on it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes looked at in one read. Under TLS a record comes in several reads, which costs nothing at the size of replies.
const LOOK_LEN: usize = 1024;

#[derive(Debug)]
pub(super) struct LineStream(pub(super) TcpStream);

impl AsyncTokioStream for LineStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for LineStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut seen = [0; LOOK_LEN];
        let mut look = ReadBuf::new(&mut seen[..LOOK_LEN.min(buf.remaining())]);
        ready!(self.0.poll_peek(cx, &mut look))?;
        let line_len = look
            .filled()
            .iter()
            .position(|&b| b == b'\n')
            .map_or(look.filled().len(), |at| at + 1);
        let mut line = ReadBuf::new(&mut seen[..line_len]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut line))?;
        buf.put_slice(line.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
