//! One question to a member by somebody whom it does not know, or not any more: over QUIC, or over TCP where UDP does not
//! pass.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::NodeId;
use quinn::{Connection, ConnectionError, Endpoint};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{EXPORTER_LABEL, exported};
use crate::identity;
use crate::rpc::{self, Pipe};
use crate::transport::{ConnectFailure, connect, connect_as_stranger, pipe_of};

/// The member hears that a QUIC connection is closed within this time.
const FAREWELL: Duration = Duration::from_millis(200);

/// A newcomer's connection as the member sees it.
pub(crate) struct Newcomer {
    pub(crate) pipe: Pipe,
    /// Bytes that only the two ends of this session have.
    pub(crate) exported: Option<[u8; 32]>,
    pub(crate) from: SocketAddr,
}

/// Why an address is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missed {
    #[error("what answers is not this cluster")]
    WrongCluster,
    #[error("{0}")]
    NoAnswer(String),
}

/// A connection to one member, for one question.
pub(crate) struct Talk {
    pipe: Pipe,
    exported: Option<[u8; 32]>,
    quic: Option<(Endpoint, Connection)>,
}

impl Talk {
    /// Reaches whatever member of a cluster listens at an address; its authority's certificate has this SHA-256. It answers
    /// over QUIC within `each`, or within as long again over TCP.
    pub(super) async fn begin(
        address: &str,
        (cluster, authority): ([u8; 16], [u8; 32]),
        each: Duration,
    ) -> Result<Self, Missed> {
        let quic = timeout(each, over_quic(address, cluster, authority)).await;
        let why = match quic {
            Ok(Ok(talk)) => return Ok(talk),
            Ok(Err(ConnectFailure::Handshake(ConnectionError::TransportError(_)))) => {
                return Err(Missed::WrongCluster);
            }
            Ok(Err(why)) => why.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::info!(address, why, "no member answers over QUIC; trying TCP");
        match timeout(each, over_tcp(address, cluster, authority)).await {
            Ok(Ok(talk)) => Ok(talk),
            // What rustls says of a handshake.
            Ok(Err(ConnectFailure::Tcp(e))) if e.kind() == std::io::ErrorKind::InvalidData => {
                Err(Missed::WrongCluster)
            }
            Ok(Err(why)) => Err(Missed::NoAnswer(why.to_string())),
            Err(_) => Err(Missed::NoAnswer("no answer in time".to_owned())),
        }
    }

    /// Bytes that only the two ends of this session have.
    pub(super) fn exported(&self) -> Option<[u8; 32]> {
        self.exported
    }

    /// Asks one frame, and waits `patience` for one of at most `max` bytes. `None`: it broke off.
    pub(super) async fn ask(
        mut self,
        body: &[u8],
        max: usize,
        patience: Duration,
    ) -> Option<Vec<u8>> {
        let exchange = async {
            self.pipe.write(&[], body).await.ok()?;
            self.pipe.send.shutdown().await.ok()?;
            rpc::read_at_most(&mut self.pipe.recv, max).await.ok()?
        };
        let answer = timeout(patience, exchange).await.ok().flatten();
        if let Some((endpoint, connection)) = self.quic {
            connection.close(0_u32.into(), b"done");
            _ = timeout(FAREWELL, endpoint.wait_idle()).await;
        }
        answer
    }
}

/// Asks whatever member listens at an address one question, as somebody without an identity.
pub(crate) async fn ask_at(
    address: &str,
    cluster: ([u8; 16], [u8; 32]),
    body: &[u8],
    max: usize,
    patience: Duration,
) -> Result<Vec<u8>, String> {
    let talk = Talk::begin(address, cluster, patience / 2).await;
    let talk = talk.map_err(|why| why.to_string())?;
    let answer = talk.ask(body, max, patience).await;
    answer.ok_or_else(|| "it broke off".to_owned())
}

async fn over_quic(
    address: &str,
    cluster: [u8; 16],
    authority: [u8; 32],
) -> Result<Talk, ConnectFailure> {
    let config = identity::join_client_config(cluster, authority).map_err(std::io::Error::other)?;
    let config = identity::quic_client(config).map_err(std::io::Error::other)?;
    let config = quinn::ClientConfig::new(Arc::new(config));
    let endpoint = Endpoint::client(any_port(address))?;
    let name = identity::node_name(NodeId(0), &cluster);
    let connection = connect(&endpoint, config, address, &name).await?;
    let (send, recv) = connection.open_bi().await?;
    Ok(Talk {
        pipe: pipe_of(send, recv),
        exported: exported(&connection),
        quic: Some((endpoint, connection)),
    })
}

async fn over_tcp(
    address: &str,
    cluster: [u8; 16],
    authority: [u8; 32],
) -> Result<Talk, ConnectFailure> {
    let config = identity::join_client_config(cluster, authority).map_err(std::io::Error::other)?;
    let name = identity::node_name(NodeId(0), &cluster);
    let stream = connect_as_stranger(address, config, &name).await?;
    let session = stream.get_ref().1;
    let exported = session.export_keying_material([0; 32], EXPORTER_LABEL, Some(b""));
    let exported = exported.ok();
    let (recv, send) = tokio::io::split(stream);
    Ok(Talk {
        pipe: Pipe {
            send: Box::new(send),
            recv: Box::new(recv),
        },
        exported,
        quic: None,
    })
}

/// An address to dial from: any, of the family that reaches `address` when it is a literal, else IPv4.
fn any_port(address: &str) -> SocketAddr {
    match address.parse::<SocketAddr>() {
        Ok(SocketAddr::V6(_)) => SocketAddr::from(([0_u16; 8], 0)),
        Ok(SocketAddr::V4(_)) | Err(_) => SocketAddr::from(([0_u8; 4], 0)),
    }
}
