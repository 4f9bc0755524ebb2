//! What HTTPS shows: the operator's certificate if there is one, else the node's own.

use std::sync::Arc;

use anyhow::Context as _;
use cluster::Identity;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::ApiConfig;

/// TLS 1.2 and 1.3 for people and programs (SECURITY D-16).
pub(super) fn server_config(
    config: &ApiConfig,
    identity: &Identity,
) -> Result<Arc<ServerConfig>, anyhow::Error> {
    let (chain, key) = match &config.certificate {
        None => (identity.chain(), identity.private_key()),
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
    let config = ServerConfig::builder_with_provider(cluster::crypto::provider())
        .with_safe_default_protocol_versions()
        .context("the crypto provider lacks TLS 1.2 or 1.3")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key of HTTPS do not fit together")?;
    Ok(Arc::new(config))
}
