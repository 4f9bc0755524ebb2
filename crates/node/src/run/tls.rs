//! What HTTPS shows: the operator's certificate if there is one, else the node's own.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use cluster::Identity;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::ApiConfig;

/// TLS 1.2 and 1.3 for people and programs (SECURITY D-16).
pub(super) fn server_config(
    config: &ApiConfig,
    identity: &Arc<Identity>,
) -> Result<Arc<ServerConfig>, anyhow::Error> {
    let builder = ServerConfig::builder_with_provider(cluster::crypto::provider())
        .with_safe_default_protocol_versions()
        .context("the crypto provider lacks TLS 1.2 or 1.3")?
        .with_no_client_auth();
    let (chain, key) = match &config.certificate {
        None => {
            return Ok(Arc::new(
                builder.with_cert_resolver(Arc::new(Own::new(identity)?)),
            ));
        }
        Some((cert_file, key_file)) => {
            let read = CertificateDer::pem_file_iter(cert_file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let chain = read.with_context(|| {
                format!("cannot read the certificate in {}", cert_file.display())
            })?;
            let key = PrivateKeyDer::from_pem_file(key_file)
                .with_context(|| format!("cannot read the key in {}", key_file.display()))?;
            (chain, key)
        }
    };
    let config = builder
        .with_single_cert(chain, key)
        .context("certificate and key of HTTPS do not fit together")?;
    Ok(Arc::new(config))
}

/// The node's own certificate, as it is at each handshake: key and authority may change while the node runs.
#[derive(Debug)]
struct Own {
    identity: Arc<Identity>,
    latest: Mutex<Arc<CertifiedKey>>,
}

impl Own {
    fn new(identity: &Arc<Identity>) -> Result<Self, rustls::Error> {
        Ok(Self {
            identity: Arc::clone(identity),
            latest: Mutex::new(Arc::new(certified(identity)?)),
        })
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.cert != self.identity.chain() {
            match certified(&self.identity) {
                Ok(now) => *latest = Arc::new(now),
                Err(error) => tracing::error!(%error, "cannot use the node's new certificate"),
            }
        }
        Some(Arc::clone(&latest))
    }
}

fn certified(identity: &Identity) -> Result<CertifiedKey, rustls::Error> {
    let provider = cluster::crypto::provider();
    CertifiedKey::from_der(identity.chain(), identity.private_key(), &provider)
}
