//! TLS: a chain of certificates and a key.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;

use crate::cli::CliError;

/// Reads both; whether they fit is found out here, and not by the first customer.
pub(crate) fn tls(certificates: &Path, key: &Path) -> Result<TlsAcceptor, CliError> {
    let wrong = |path: &Path, error: String| {
        CliError::usage(format!("{}: {error}. Give PEM files: --tls-cert the chain, --tls-key its key", path.display()))
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
    let chain = chain.map_err(|error| wrong(certificates, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificates, "there is no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(certificates, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong(certificates, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
