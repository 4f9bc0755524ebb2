//! A QUIC stream as a [`Pipe`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::{RecvStream, SendStream};
use tokio::io::AsyncWrite;

use crate::rpc::Pipe;

pub(super) fn of(send: SendStream, recv: RecvStream) -> Pipe {
    Pipe {
        send: Box::new(Sending {
            stream: send,
            finished: false,
        }),
        recv: Box::new(recv),
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
