//! Whose certificates are believed.

use std::{fs, io, path::PathBuf, sync::Arc};

use rustls::crypto::ring;
use sanfleet_driver::{ErrorNumber, LsmError};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    Off,
    Verified {
        /// PEM; without it the system's certificates are trusted.
        ca_file: Option<PathBuf>,
    },
    /// Whoever answers is believed to be the array.
    Unverified,
}

/// Why nobody can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} holds no certificate in PEM", path.display())]
    NoCertificate { path: PathBuf },
    #[error("this system trusts no certificate; name one that is to be trusted with ca_cert_file")]
    NoneOfTheSystem,
}

impl Tls {
    pub(crate) fn config(&self) -> Result<TlsConfig, TrustError> {
        let config = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
        Ok(match self {
            Self::Off => config.build(),
            Self::Unverified => config.disable_verification(true).build(),
            Self::Verified { ca_file } => config.root_certs(roots(ca_file.as_ref())?).build(),
        })
    }
}

fn roots(ca_file: Option<&PathBuf>) -> Result<RootCerts, TrustError> {
    let certificates: Vec<Certificate<'static>> = match ca_file {
        Some(path) => {
            let text = fs::read(path).map_err(|source| TrustError::Read { path: path.clone(), source })?;
            let items = parse_pem(&text).filter_map(Result::ok);
            items
                .filter_map(|item| match item {
                    PemItem::Certificate(certificate) => Some(certificate),
                    _ => None,
                })
                .collect()
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            found.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
        }
    };
    match (certificates.is_empty(), ca_file) {
        (false, _) => Ok(RootCerts::new_with_certs(&certificates)),
        (true, Some(path)) => Err(TrustError::NoCertificate { path: path.clone() }),
        (true, None) => Err(TrustError::NoneOfTheSystem),
    }
}

impl From<TrustError> for LsmError {
    fn from(error: TrustError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Self::new(ErrorNumber::InvalidArgument, format!("{error}{}", cause.unwrap_or_default()))
    }
}
