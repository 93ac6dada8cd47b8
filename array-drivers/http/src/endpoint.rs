//! Where an array is, as its URI says: `kind[+ssl]://[user@]host[:port][/path][?ca_cert_file=PATH|no_ssl_verify=yes]`.

use std::path::PathBuf;

use sanfleet_driver::{ErrorNumber, LsmError, Uri};

use crate::trust::Tls;

/// The certificates that are trusted instead of the system's.
const CA_FILE: &str = "ca_cert_file";
/// Whatever answers is believed.
const NO_VERIFY: &str = "no_ssl_verify";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An IPv6 address is without brackets here.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
}

/// Why a URI says nothing about where to go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the URI names no host")]
    NoHost,
    #[error("the transport after + is ssl or nothing, not {0}")]
    Transport(String),
    #[error("{0} means something only with +ssl in the URI")]
    NoTls(&'static str),
    #[error("{CA_FILE} and {NO_VERIFY} exclude each other")]
    Contradiction,
    #[error("{NO_VERIFY} is yes or no, not {0}")]
    NotYesNo(String),
    #[error("{CA_FILE} names no file")]
    NoCaFile,
    #[error("unknown parameter {0}; there are {CA_FILE} and {NO_VERIFY}")]
    UnknownParameter(String),
}

impl Endpoint {
    pub fn from_uri(uri: &Uri, default_port: u16) -> Result<Self, EndpointError> {
        if uri.host.is_empty() {
            return Err(EndpointError::NoHost);
        }
        let known = |key: &str| [CA_FILE, NO_VERIFY].contains(&key);
        if let Some(unknown) = uri.parameters.keys().find(|key| !known(key)) {
            return Err(EndpointError::UnknownParameter(unknown.clone()));
        }
        Ok(Self { host: uri.host.clone(), port: uri.port.unwrap_or(default_port), tls: tls(uri)? })
    }

    /// `host:port` as it is in URLs and messages.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

fn tls(uri: &Uri) -> Result<Tls, EndpointError> {
    let ca_file = uri.parameters.get(CA_FILE);
    let no_verify = uri.parameters.get(NO_VERIFY);
    match uri.transport.as_deref() {
        Some("ssl") => {}
        Some(other) => return Err(EndpointError::Transport(other.to_owned())),
        None if ca_file.is_some() => return Err(EndpointError::NoTls(CA_FILE)),
        None if no_verify.is_some() => return Err(EndpointError::NoTls(NO_VERIFY)),
        None => return Ok(Tls::Off),
    }
    match (ca_file.map(String::as_str), no_verify.map(String::as_str)) {
        (Some(""), _) => Err(EndpointError::NoCaFile),
        (Some(_), Some("yes")) => Err(EndpointError::Contradiction),
        (_, Some(odd)) if odd != "yes" && odd != "no" => Err(EndpointError::NotYesNo(odd.to_owned())),
        (_, Some("yes")) => Ok(Tls::Unverified),
        (file, _) => Ok(Tls::Verified { ca_file: file.map(PathBuf::from) }),
    }
}

impl From<EndpointError> for LsmError {
    fn from(error: EndpointError) -> Self {
        Self::new(ErrorNumber::InvalidArgument, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::from_uri(&uri.parse().unwrap(), 18700)
    }

    #[test]
    fn the_port_is_the_drivers_own_unless_it_is_given() {
        assert_eq!(read("t://filer").unwrap().address(), "filer:18700");
        assert_eq!(read("t://me@[fe80::1]:99").unwrap().address(), "[fe80::1]:99");
    }

    #[test]
    fn tls_is_verified_unless_the_uri_says_otherwise() {
        assert_eq!(read("t://h").unwrap().tls, Tls::Off);
        for verified in ["t+ssl://h", "t+ssl://h?no_ssl_verify=no"] {
            assert_eq!(read(verified).unwrap().tls, Tls::Verified { ca_file: None }, "{verified}");
        }
        assert_eq!(read("t+ssl://h?no_ssl_verify=yes").unwrap().tls, Tls::Unverified);
        let own = Tls::Verified { ca_file: Some("/etc/ca.pem".into()) };
        assert_eq!(read("t+ssl://h?ca_cert_file=/etc/ca.pem").unwrap().tls, own);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (uri, why) in [
            ("t://", EndpointError::NoHost),
            ("t+tcp://h", EndpointError::Transport("tcp".into())),
            ("t://h?no_ssl_verify=yes", EndpointError::NoTls(NO_VERIFY)),
            ("t://h?ca_cert_file=/f", EndpointError::NoTls(CA_FILE)),
            ("t+ssl://h?ca_cert_file=/f&no_ssl_verify=yes", EndpointError::Contradiction),
            ("t+ssl://h?no_ssl_verify=1", EndpointError::NotYesNo("1".into())),
            ("t+ssl://h?ca_cert_file=", EndpointError::NoCaFile),
            ("t+ssl://h?colour=blue", EndpointError::UnknownParameter("colour".into())),
        ] {
            assert_eq!(read(uri), Err(why), "{uri}");
        }
    }
}
