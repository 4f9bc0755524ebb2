//! The QUIC endpoint: our own UDP socket and the settings of every connection.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use subtle::ConstantTimeEq as _;

use crate::crypto::hmac_sha256;
use crate::profile::Timing;

/// Socket buffers: a burst of appends must fit while the process is not scheduled.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// How much a peer may send on one stream, and on all, before we read it.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 24 * 1024 * 1024;
/// RPCs under way at once on one connection.
const STREAMS_MAX: u32 = 1024;

/// Binds the cluster's UDP socket. The kernel may grant smaller buffers; that costs speed, not correctness.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    let buffers = socket2::SockRef::from(&socket);
    for outcome in [
        buffers.set_recv_buffer_size(SOCKET_BUFFER),
        buffers.set_send_buffer_size(SOCKET_BUFFER),
    ] {
        if let Err(e) = outcome {
            tracing::warn!(error = %e, "socket buffers keep the system's size");
        }
    }
    Ok(socket)
}

/// Endpoint settings. Stateless resets are signed with a key that outlives restarts: a peer's next packet to a restarted
/// node closes the old connection at once, instead of after an idle timeout.
pub(super) fn endpoint_config(reset_key: [u8; 32]) -> EndpointConfig {
    EndpointConfig::new(Arc::new(ResetKey(reset_key)))
}

/// Settings of each connection (congestion control stays Cubic: the traffic is mostly limited by the application).
pub(super) fn transport_config(timing: &Timing) -> Arc<TransportConfig> {
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
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(1452);
    config.mtu_discovery_config(Some(discovery));
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
