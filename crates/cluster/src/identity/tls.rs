//! TLS between members: TLS 1.3 only, both sides show a leaf of the cluster's authority. Chains are verified at a fixed
//! moment, so that no wrong clock cuts a peer (DESIGN B2); whether a valid leaf still belongs to a member is the pin
//! set's word.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::NodeId;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{Identity, IdentityError, parse_epoch_name, parse_node_name};
use crate::crypto::{provider, sha256};
use crate::pins::{PinSet, Reason, Refusals};

/// Protocol between members.
pub(crate) const ALPN_PEER: &[u8] = b"holdfast/1";
/// Protocol of a node that is not a member yet.
pub(crate) const ALPN_JOIN: &[u8] = b"holdfast-join/1";

/// The moment every chain is judged at: 2050-01-01, in the middle of the leaves' life.
const JUDGED_AT: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(2_524_608_000));

/// Whom a leaf names and which key it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Presented {
    pub(crate) cluster: [u8; 16],
    pub(crate) node: NodeId,
    /// In which its id was given out.
    pub(crate) epoch: u32,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) pin: [u8; 32],
}

/// Reads a leaf without judging it.
pub(crate) fn inspect(leaf: &CertificateDer<'_>) -> Result<Presented, Error> {
    let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let certificate = EndEntityCert::try_from(leaf).map_err(bad)?;
    let (node, cluster) = certificate
        .valid_dns_names()
        .find_map(parse_node_name)
        .ok_or(Error::InvalidCertificate(CertificateError::NotValidForName))?;
    let epoch = certificate.valid_dns_names().find_map(parse_epoch_name);
    Ok(Presented {
        cluster,
        node,
        epoch: epoch.unwrap_or(1),
        pin: sha256(certificate.subject_public_key_info().as_ref()),
    })
}

/// The authorities a chain may lead to: one, or two while the cluster changes from one to the other.
pub(crate) struct Trust {
    authorities: RwLock<Vec<CertificateDer<'static>>>,
    cluster: [u8; 16],
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("cluster", &data_encoding::HEXLOWER.encode(&self.cluster))
            .finish_non_exhaustive()
    }
}

impl Trust {
    pub(crate) fn new(authorities: Vec<CertificateDer<'static>>, cluster: [u8; 16]) -> Self {
        Self {
            authorities: RwLock::new(authorities),
            cluster,
            algorithms: provider().signature_verification_algorithms,
        }
    }

    /// Takes over other authorities, for handshakes from now on.
    pub(crate) fn set(&self, authorities: Vec<CertificateDer<'static>>) {
        *self
            .authorities
            .write()
            .unwrap_or_else(PoisonError::into_inner) = authorities;
    }

    /// The content of a leaf of our cluster that stands right under an authority.
    pub(crate) fn verify_member(&self, leaf: &CertificateDer<'_>) -> Result<Presented, Error> {
        self.verify(leaf, &[], KeyUsage::server_auth())
    }

    /// The leaf's content, once its chain leads to an authority or its key is pinned for the node it names.
    ///
    /// The pin alone is enough: it is the membership's word on who holds that key (DESIGN B2). So a node that slept
    /// through a change of authority is neither locked out nor cut off from the log that would tell it.
    fn judge(
        &self,
        pins: &PinSet,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: KeyUsage,
    ) -> Result<Presented, Error> {
        self.verify(leaf, intermediates, usage).or_else(|foreign| {
            let presented = inspect(leaf)?;
            let pinned = presented.cluster == self.cluster
                && pins.check(presented.node, &presented.pin).is_ok();
            if pinned { Ok(presented) } else { Err(foreign) }
        })
    }

    /// The leaf's content, once its chain leads to an authority and it names a node of our cluster.
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: KeyUsage,
    ) -> Result<Presented, Error> {
        let invalid = |e: webpki::Error| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(e))))
        };
        let certificate = EndEntityCert::try_from(leaf).map_err(invalid)?;
        let authorities = self
            .authorities
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let anchors = authorities
            .iter()
            .map(anchor_from_trusted_cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(invalid)?;
        certificate
            .verify_for_usage(
                self.algorithms.all,
                &anchors,
                intermediates,
                JUDGED_AT,
                usage,
                None,
                None,
            )
            .map_err(invalid)?;
        let presented = inspect(leaf)?;
        if presented.cluster != self.cluster {
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        }
        Ok(presented)
    }
}

/// Whether the holder of a leaf's key signed `message`. Says nothing about whose leaf it is.
pub(crate) fn verify_signature(
    leaf: &CertificateDer<'_>,
    message: &[u8],
    signature: &[u8],
) -> bool {
    EndEntityCert::try_from(leaf).is_ok_and(|leaf| {
        leaf.verify_signature(webpki::ring::ECDSA_P256_SHA256, message, signature)
            .is_ok()
    })
}

/// What a member's endpoint accepts: members by certificate, and newcomers without one on the join protocol.
///
/// A valid chain is checked here; whether it still belongs to a member, right after the handshake and before any stream,
/// so that a removed node can be told so.
pub(crate) fn server_config(
    identity: &Identity,
    trust: &Arc<Trust>,
    pins: &Arc<PinSet>,
    refusals: &Arc<Refusals>,
) -> Result<rustls::ServerConfig, IdentityError> {
    let provider = provider();
    let verifier = ClientVerifier {
        trust: trust.clone(),
        pins: pins.clone(),
        refusals: refusals.clone(),
    };
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(identity.chain(), identity.private_key())?;
    config.alpn_protocols = vec![ALPN_PEER.to_vec(), ALPN_JOIN.to_vec()];
    // A resumed session would skip the verifier; connections live long, so a full handshake costs nothing.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Dials member `node`: its chain, its name and its pin must all be right.
pub(crate) fn client_config(
    identity: &Identity,
    trust: &Arc<Trust>,
    pins: &Arc<PinSet>,
    refusals: &Arc<Refusals>,
    node: NodeId,
) -> Result<rustls::ClientConfig, IdentityError> {
    let verifier = MemberVerifier {
        trust: trust.clone(),
        pins: pins.clone(),
        refusals: refusals.clone(),
        expected: node,
        epoch: identity.epoch(),
    };
    let mut config = client_builder(Arc::new(verifier))?
        .with_client_auth_cert(identity.chain(), identity.private_key())?;
    config.alpn_protocols = vec![ALPN_PEER.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Dials any member of the cluster an invitation names. The authority must have the hash in the invitation.
pub(crate) fn join_client_config(
    cluster: [u8; 16],
    authority_hash: [u8; 32],
) -> Result<rustls::ClientConfig, IdentityError> {
    let mut config =
        client_builder(Arc::new(inviter_verifier(cluster, authority_hash)))?.with_no_client_auth();
    config.alpn_protocols = vec![ALPN_JOIN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

pub(super) fn inviter_verifier(cluster: [u8; 16], authority_hash: [u8; 32]) -> InviterVerifier {
    InviterVerifier {
        cluster,
        authority_hash,
        provider: provider(),
    }
}

fn client_builder(
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<
    rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>,
    IdentityError,
> {
    Ok(rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

/// The same, for QUIC.
pub(crate) fn quic_client(
    mut config: rustls::ClientConfig,
) -> Result<QuicClientConfig, IdentityError> {
    config.resumption = rustls::client::Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(|e| Error::General(e.to_string()).into())
}

/// The same, for QUIC.
pub(crate) fn quic_server(config: rustls::ServerConfig) -> Result<QuicServerConfig, IdentityError> {
    QuicServerConfig::try_from(config).map_err(|e| Error::General(e.to_string()).into())
}

/// The server's view of a dialling peer.
#[derive(Debug)]
struct ClientVerifier {
    trust: Arc<Trust>,
    pins: Arc<PinSet>,
    refusals: Arc<Refusals>,
}

impl ClientCertVerifier for ClientVerifier {
    /// Newcomers have no certificate; without one, only the join protocol is served.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self
            .trust
            .judge(&self.pins, leaf, intermediates, KeyUsage::client_auth())
        {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(e) => {
                self.refusals.count(Reason::ForeignCertificate);
                Err(e)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.trust.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

/// The dialling side's view of a member.
#[derive(Debug)]
struct MemberVerifier {
    trust: Arc<Trust>,
    pins: Arc<PinSet>,
    refusals: Arc<Refusals>,
    expected: NodeId,
    epoch: u32,
}

impl ServerCertVerifier for MemberVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = self
            .trust
            .judge(&self.pins, leaf, intermediates, KeyUsage::server_auth())
            .inspect_err(|_| {
                self.refusals.count(Reason::ForeignCertificate);
            })?;
        if presented.epoch > self.epoch {
            self.refusals.count(Reason::LaterEpoch);
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        }
        if presented.node != self.expected {
            self.refusals.count(Reason::WrongNode);
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        }
        if let Err(reason) = self.pins.check(presented.node, &presented.pin) {
            self.refusals.count(reason);
            return Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.trust.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

/// A newcomer's view of the member it joins through: it knows the authority's hash and nothing else.
#[derive(Debug)]
pub(super) struct InviterVerifier {
    cluster: [u8; 16],
    authority_hash: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for InviterVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| sha256(certificate) == self.authority_hash)
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let trust = Trust::new(vec![authority.clone().into_owned()], self.cluster);
        trust.verify(leaf, intermediates, KeyUsage::server_auth())?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            leaf,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
