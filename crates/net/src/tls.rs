//! TLS: configurations from PEM bytes, both sides always authenticated.
//!
//! A responder asks every caller for a certificate under the trust roots, an initiator checks that
//! the peer's certificate carries the configured name and shows its own. There is no way to make a
//! configuration that does less.
//= RFC 6733 §13.1

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::GeneralName;

/// How a listener speaks TLS.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

/// How an outgoing connection speaks TLS.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// Our own identity and whom we trust, as PEM bytes.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// The certificates under which a peer's certificate must stand.
    pub roots: &'a [u8],
    /// Our certificate, then those between it and its root.
    pub chain: &'a [u8],
    /// Our private key.
    pub key: &'a [u8],
}

/// Why a TLS configuration cannot be made.
#[derive(Debug)]
pub struct TlsError {
    /// Which part was being read.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for TlsError {}

impl ServerTls {
    /// For a listener.
    ///
    /// # Errors
    /// A part is missing, unreadable, or does not fit the others.
    pub fn new(pem: &Pem<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots(pem.roots)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| wrong("trust roots", &error))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("protocol versions", &error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain(pem.chain)?, key(pem.key)?)
            .map_err(|error| wrong("certificate and key", &error))?;
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

impl ClientTls {
    /// For outgoing connections.
    ///
    /// # Errors
    /// A part is missing, unreadable, or does not fit the others.
    pub fn new(pem: &Pem<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("protocol versions", &error))?
            .with_root_certificates(roots(pem.roots)?)
            .with_client_auth_cert(chain(pem.chain)?, key(pem.key)?)
            .map_err(|error| wrong("certificate and key", &error))?;
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.0))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// The name that a peer's certificate must carry.
#[derive(Clone, Debug)]
pub struct CertificateName(ServerName<'static>);

impl CertificateName {
    /// Reads a DNS name.
    ///
    /// # Errors
    /// It is none.
    pub fn new(name: &str) -> Result<Self, TlsError> {
        let name = ServerName::try_from(name.to_owned());
        name.map(Self).map_err(|error| wrong("certificate name", &error))
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.0.clone()
    }
}

/// The DNS names of the certificate that the peer proved to hold, in lower case.
pub(crate) fn peer_names<IO>(stream: &TlsStream<IO>) -> Vec<String> {
    let (_, session) = stream.get_ref();
    let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else {
        return Vec::new();
    };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates("trust roots", pem)? {
        store.add(certificate).map_err(|error| wrong("trust roots", &error))?;
    }
    Ok(store)
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates("certificate chain", pem)
}

fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| wrong("private key", &error))
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let list = list.map_err(|error| wrong(what, &error))?;
    if list.is_empty() {
        return Err(TlsError { what, why: "no certificate in it".to_owned() });
    }
    Ok(list)
}

fn wrong(what: &'static str, error: &dyn fmt::Display) -> TlsError {
    TlsError { what, why: error.to_string() }
}
