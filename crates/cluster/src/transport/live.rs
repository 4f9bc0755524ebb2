//! A connection to a peer that has shown who it is, over whichever carrier it came up.

use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, ConnectionError, VarInt};
use tokio::time::{Instant, timeout_at};

use super::accept;
use super::endpoint::close;
use super::pipe;
use super::score::Totals;
use super::tcp;
use crate::rpc::{self, FrameError, Kind, Pipe};

/// What bytes travel in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    Quic,
    /// TLS 1.3 over TCP, where UDP does not pass.
    Tcp,
}

impl Carrier {
    /// Short name, for people and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) enum Live {
    Quic(Connection),
    Tcp(Arc<tcp::Control>),
}

/// Why an exchange gave no answer.
pub(super) enum Missed {
    /// It never left.
    Unsent,
    TimedOut,
    Broken(FrameError),
}

/// Why a connection ended.
pub(super) enum Ended {
    /// The peer says we are not a member, by the membership with this log index.
    NotMember(Option<u64>),
    /// Nothing came through any more.
    Silent,
    Other(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotMember(_) => f.write_str("the peer does not know this node"),
            Self::Silent => f.write_str("nothing arrived any more"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl Live {
    pub(super) fn carrier(&self) -> Carrier {
        match self {
            Self::Quic(_) => Carrier::Quic,
            Self::Tcp(_) => Carrier::Tcp,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Quic(connection) => connection.close_reason().is_none(),
            Self::Tcp(control) => control.is_open(),
        }
    }

    /// The key the other end showed; unknown for a connection that is gone.
    pub(super) fn pin(&self) -> Option<[u8; 32]> {
        match self {
            Self::Quic(connection) => accept::presented(connection).map(|who| who.pin),
            Self::Tcp(control) => control.pin(),
        }
    }

    pub(super) fn rtt(&self) -> Duration {
        match self {
            Self::Quic(connection) => connection.rtt(),
            Self::Tcp(control) => control.rtt(),
        }
    }

    pub(super) fn totals(&self) -> Totals {
        match self {
            Self::Quic(connection) => {
                let stats = connection.stats();
                Totals {
                    received: stats.udp_rx.datagrams,
                    acknowledged: stats.frame_rx.acks,
                    sent: stats.path.sent_packets,
                    lost: stats.path.lost_packets,
                }
            }
            Self::Tcp(control) => control.totals(),
        }
    }

    /// One request and its answer: a status byte and a frame.
    pub(super) async fn call(
        &self,
        kind: Kind,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(u8, Vec<u8>), Missed> {
        match self {
            Self::Quic(connection) => call_quic(connection, kind, body, deadline).await,
            Self::Tcp(control) => control.call(kind, body, deadline).await,
        }
    }

    /// A stream of frames.
    pub(super) async fn open(&self, kind: Kind, deadline: Instant) -> Option<Pipe> {
        match self {
            Self::Quic(connection) => {
                let opened = timeout_at(deadline, connection.open_bi()).await;
                let (send, recv) = opened.ok()?.ok()?;
                _ = send.set_priority(kind.priority());
                Some(pipe::of(send, recv))
            }
            Self::Tcp(control) => timeout_at(deadline, control.open()).await.ok()?,
        }
    }

    pub(super) fn close(&self, code: VarInt, reason: &[u8]) {
        match self {
            Self::Quic(connection) => connection.close(code, reason),
            Self::Tcp(control) => control.close(),
        }
    }

    /// Waits for the end.
    pub(super) async fn closed(&self) -> Ended {
        match self {
            Self::Quic(connection) => {
                let why = connection.closed().await;
                if let ConnectionError::ApplicationClosed(closed) = &why
                    && closed.error_code == close::NOT_MEMBER
                {
                    let index = <[u8; 8]>::try_from(closed.reason.as_ref());
                    return Ended::NotMember(index.map(u64::from_be_bytes).ok());
                }
                if why == ConnectionError::TimedOut {
                    Ended::Silent
                } else {
                    Ended::Other(why.to_string())
                }
            }
            Self::Tcp(control) => control.closed().await,
        }
    }
}

async fn call_quic(
    connection: &Connection,
    kind: Kind,
    body: &[u8],
    deadline: Instant,
) -> Result<(u8, Vec<u8>), Missed> {
    let Ok(Ok((mut send, mut recv))) = timeout_at(deadline, connection.open_bi()).await else {
        return Err(Missed::Unsent);
    };
    _ = send.set_priority(kind.priority());
    let exchange = async {
        rpc::write(&mut send, &[kind as u8], body).await?;
        _ = send.finish();
        let status = rpc::read_byte(&mut recv)
            .await?
            .ok_or(FrameError::Truncated)?;
        let answer = rpc::read(&mut recv).await?.ok_or(FrameError::Truncated)?;
        Ok::<_, FrameError>((status, answer))
    };
    match timeout_at(deadline, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(Missed::Broken(e)),
        Err(_) => {
            _ = send.reset(0_u32.into());
            Err(Missed::TimedOut)
        }
    }
}
