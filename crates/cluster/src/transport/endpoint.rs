//! The QUIC endpoint: our own UDP socket and the settings of every connection.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{Endpoint, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpSocket};

use crate::config::{Carriers, LocalPath};
use crate::crypto::hmac_sha256;
use crate::profile::Timing;

/// Socket buffers: a burst of appends must fit while the process is not scheduled.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// How much a peer may send on one stream, and on all, before we read it.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 24 * 1024 * 1024;
/// Datagrams every path must carry (RFC 9000 §14), and the largest we try.
pub(crate) const MTU_MIN: u16 = 1_200;
pub(crate) const MTU_MAX: u16 = 1_452;
/// RPCs under way at once on one connection.
const STREAMS_MAX: u32 = 1024;

/// One of this node's uplinks: its UDP socket, and how TCP leaves by the same way.
pub(super) struct Local {
    pub(super) name: String,
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    device: Option<String>,
}

impl Local {
    pub(super) fn new(path: &LocalPath, endpoint: Endpoint) -> io::Result<Self> {
        Ok(Self {
            name: path.name.clone(),
            address: endpoint.local_addr()?,
            endpoint,
            device: path.device.clone(),
        })
    }

    pub(super) fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Has a TCP socket leave by this uplink.
    pub(super) fn prepare_tcp(&self, socket: &TcpSocket) -> io::Result<()> {
        bind_device(socket2::SockRef::from(socket), self.device.as_deref())?;
        match self.address.ip() {
            ip if ip.is_unspecified() => Ok(()),
            ip => socket.bind(SocketAddr::new(ip, 0)),
        }
    }

    /// Listens for TCP at the same address and port as for UDP.
    pub(super) fn listen_tcp(&self) -> io::Result<TcpListener> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        bind_device(socket2::SockRef::from(&socket), self.device.as_deref())?;
        socket.bind(self.address)?;
        socket.listen(64)
    }
}

fn bind_device(socket: socket2::SockRef<'_>, device: Option<&str>) -> io::Result<()> {
    match device {
        Some(device) => socket.bind_device(Some(device.as_bytes())),
        None => Ok(()),
    }
}

/// Binds an uplink's UDP socket. The kernel may grant smaller buffers; that costs speed, not correctness.
pub(super) fn bind(path: &LocalPath) -> io::Result<UdpSocket> {
    let family = socket2::Domain::for_address(path.listen);
    let socket = socket2::Socket::new(family, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    bind_device(socket2::SockRef::from(&socket), path.device.as_deref())?;
    socket.bind(&path.listen.into())?;
    for outcome in [
        socket.set_recv_buffer_size(SOCKET_BUFFER),
        socket.set_send_buffer_size(SOCKET_BUFFER),
    ] {
        if let Err(e) = outcome {
            tracing::warn!(error = %e, "socket buffers keep the system's size");
        }
    }
    Ok(socket.into())
}

/// Endpoint settings. Stateless resets are signed with a key that outlives restarts: a peer's next packet to a restarted
/// node closes the old connection at once, instead of after an idle timeout.
pub(super) fn endpoint_config(reset_key: [u8; 32]) -> EndpointConfig {
    EndpointConfig::new(Arc::new(ResetKey(reset_key)))
}

/// Settings of each connection (congestion control stays Cubic: the traffic is mostly limited by the application).
pub(super) fn transport_config(timing: &Timing, carriers: &Carriers) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(STREAMS_MAX.into())
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(u64::from(CONNECTION_WINDOW))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(timing.keep_alive))
        .max_idle_timeout(IdleTimeout::try_from(timing.idle).ok())
        .initial_rtt(timing.initial_rtt);
    // Every path carries 1200 bytes; look for more, but not beyond what DSL and mobile links pass.
    let discovery = (carriers.mtu_max > MTU_MIN).then(|| {
        let mut discovery = MtuDiscoveryConfig::default();
        discovery.upper_bound(carriers.mtu_max.min(MTU_MAX));
        discovery
    });
    config
        .initial_mtu(MTU_MIN)
        .min_mtu(MTU_MIN)
        .mtu_discovery_config(discovery)
        .enable_segmentation_offload(carriers.udp_offload);
    Arc::new(config)
}

/// Application close codes.
pub(crate) mod close {
    use super::VarInt;

    /// This node stops.
    pub(crate) const STOPPING: VarInt = VarInt::from_u32(0);
    /// The peer is not a member of the membership whose log index (8 bytes, big-endian) is the reason.
    pub(crate) const NOT_MEMBER: VarInt = VarInt::from_u32(1);
    /// The peer's key is not pinned.
    pub(crate) const WRONG_KEY: VarInt = VarInt::from_u32(2);
    /// Not the protocol expected.
    pub(crate) const PROTOCOL: VarInt = VarInt::from_u32(3);
    /// Replaced by a newer connection, or gone silent.
    pub(crate) const STALE: VarInt = VarInt::from_u32(5);
}

struct ResetKey([u8; 32]);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        signature.copy_from_slice(&hmac_sha256(&self.0, data));
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if bool::from(hmac_sha256(&self.0, data).ct_eq(signature)) {
            Ok(())
        } else {
            Err(CryptoError)
        }
    }
}
