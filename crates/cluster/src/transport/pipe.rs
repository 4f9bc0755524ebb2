//! Streams as [`Pipe`]s: a QUIC stream as one, and one that ends when its path is given up.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::rpc::Pipe;

pub(crate) fn of(send: SendStream, recv: RecvStream) -> Pipe {
    Pipe {
        send: Box::new(Sending {
            stream: send,
            finished: false,
        }),
        recv: Box::new(recv),
    }
}

/// The same pipe, whose reads and writes fail once `given_up` is cancelled: whoever uses it opens another one, on a
/// better path, instead of waiting for this one to time out.
pub(super) fn bound_to(pipe: Pipe, given_up: &CancellationToken) -> Pipe {
    let wait = || Box::pin(given_up.clone().cancelled_owned());
    Pipe {
        send: Box::new(Bound {
            half: pipe.send,
            given_up: wait(),
        }),
        recv: Box::new(Bound {
            half: pipe.recv,
            given_up: wait(),
        }),
    }
}

/// Dropped before it is finished, a stream is reset: the peer must not take half of it for the whole.
struct Sending {
    stream: SendStream,
    finished: bool,
}

impl AsyncWrite for Sending {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.stream), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.stream), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finished = true;
        AsyncWrite::poll_shutdown(Pin::new(&mut self.stream), cx)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.finished {
            _ = self.stream.reset(0_u32.into());
        }
    }
}

struct Bound<T> {
    half: T,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T> Bound<T> {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.given_up.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the path was given up",
            )),
            Poll::Pending => Ok(()),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Bound<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.half).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Bound<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.half).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.half).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_shutdown(cx)
    }
}
