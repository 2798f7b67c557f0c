//! TLS: the client's settings and how strictly a server's certificate is judged.
//!
//! Owns the verifier and the reading of certificate files. Only TLS 1.2 and 1.3 are spoken.

use super::error::TlsReason;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, PeerIncompatible,
    RootCertStore, SignatureScheme,
};
use std::io;
use std::sync::Arc;
use wherry_model::task::{TlsMode, TlsSpec};

/// The settings of a connection with this specification, whose mode is not `Off`.
pub(super) fn client_config(spec: &TlsSpec) -> Result<ClientConfig, TlsReason> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier {
        trust: trust(spec)?,
        check_name: spec.mode == TlsMode::VerifyIdentity,
        provider: provider.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsReason::Other(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&spec.certificate, &spec.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable("the client key", key, &error))?;
            builder
                .with_client_auth_cert(chain, key_der)
                .map_err(|error| {
                    TlsReason::Settings(format!(
                        "the client certificate and its key do not fit: {error}"
                    ))
                })
        }
        _ => Err(TlsReason::Settings(
            "`certificate` and `key` are only useful together".to_owned(),
        )),
    }
}

fn trust(spec: &TlsSpec) -> Result<Trust, TlsReason> {
    if !matches!(spec.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity) {
        return Ok(Trust::Anyone);
    }
    let trusted = match &spec.ca {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(trusted.iter().cloned());
    match &spec.ca {
        None if usable == 0 => Err(TlsReason::Settings(
            "no CA certificates found on this system".to_owned(),
        )),
        None => Ok(Trust::Signed {
            roots,
            listed: Vec::new(),
        }),
        Some(_) => Ok(Trust::Signed {
            roots,
            listed: trusted,
        }),
    }
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsReason> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("the certificate file", path, &error))?;
    if read.is_empty() {
        return Err(TlsReason::Settings(format!(
            "no certificate found in `{path}`"
        )));
    }
    Ok(read)
}

fn unreadable(what: &str, path: &str, error: &rustls::pki_types::pem::Error) -> TlsReason {
    TlsReason::Settings(format!("could not read {what} `{path}`: {error}"))
}

/// Whom to believe.
#[derive(Debug)]
enum Trust {
    Anyone,
    Signed {
        roots: RootCertStore,
        /// Certificates of the CA file; a server that shows exactly one of them is trusted too,
        /// which is how a self-signed server certificate is pinned.
        listed: Vec<CertificateDer<'static>>,
    },
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    check_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Trust::Signed { roots, listed } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let pinned = listed.iter().any(|certificate| certificate == end_entity);
        if pinned && !self.check_name {
            return Ok(ServerCertVerified::assertion());
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        if !pinned {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.check_name {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Why a TLS connection failed; `None` where TLS is not the cause.
pub(super) fn reason_of(error: &io::Error) -> Option<TlsReason> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match inner {
        rustls::Error::InvalidCertificate(problem) => certificate_reason(problem),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsReason::TooOld,
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired),
        ) => TlsReason::ClientCertificate(format!("{alert:?}")),
        other => TlsReason::Other(other.to_string()),
    })
}

fn certificate_reason(problem: &CertificateError) -> TlsReason {
    match problem {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsReason::NameMismatch
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsReason::Expired,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsReason::Untrusted,
        other => TlsReason::Other(format!("the server's certificate was refused: {other}")),
    }
}
