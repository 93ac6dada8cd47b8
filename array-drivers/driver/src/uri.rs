//! The URI of an array: `scheme[+transport]://[user@]host[:port][/path][?key=value&…][#fragment]`; `scheme://` alone is one.
//!
//! A fragment says nothing to a driver and is cut off, as libStorageMgmt's C client does.
//! No percent decoding, as neither existing client does any. A password has no place here: it travels by itself.

use std::collections::BTreeMap;

/// An array's URI, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// The driver's kind, up to the first `+`.
    pub kind: String,
    /// What follows the `+`, for instance `ssl`.
    pub transport: Option<String>,
    pub user: Option<String>,
    /// Empty when the array has no address. An IPv6 address comes without its brackets.
    pub host: String,
    pub port: Option<u16>,
    pub path: String,
    /// What each key was set to; a key without `=` is set to nothing.
    pub parameters: BTreeMap<String, String>,
}

/// Why a text is no array's URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    #[error("the URI has no scheme before ://")]
    Scheme,
    #[error("the port is no number up to 65535")]
    Port,
    #[error("the URI gives a parameter twice")]
    Twice,
}

impl std::str::FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (text, _fragment) = split_off(text, '#');
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let (kind, transport) = split_off(scheme, '+');
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-' | '_');
        if kind.is_empty() || !scheme.chars().all(legal) {
            return Err(UriError::Scheme);
        }
        let (rest, query) = split_off(rest, '?');
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let (host, port) = host_and_port(address)?;
        Ok(Self {
            kind: kind.to_owned(),
            transport: transport.map(str::to_owned),
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            parameters: parameters(query.unwrap_or_default())?,
        })
    }
}

fn split_off(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn host_and_port(address: &str) -> Result<(&str, Option<u16>), UriError> {
    if let Some((host, after)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = after.strip_prefix(':').map(str::parse).transpose().map_err(|_| UriError::Port)?;
        return Ok((host, port));
    }
    match address.split_once(':') {
        // More than one colon without brackets is an IPv6 address without a port.
        Some((_, port)) if port.contains(':') => Ok((address, None)),
        Some((host, port)) => Ok((host, Some(port.parse().map_err(|_| UriError::Port)?))),
        None => Ok((address, None)),
    }
}

fn parameters(query: &str) -> Result<BTreeMap<String, String>, UriError> {
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = split_off(pair, '=');
        if parameters.insert(key.to_owned(), value.unwrap_or_default().to_owned()).is_some() {
            return Err(UriError::Twice);
        }
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scheme_alone_is_enough() {
        let uri: Uri = "sim://".parse().unwrap();
        assert_eq!((uri.kind.as_str(), uri.host.as_str(), uri.parameters.len()), ("sim", "", 0));
    }

    #[test]
    fn every_part_is_found() {
        let uri: Uri = "ontap+ssl://admin@[fe80::1]:8443/svm1?ca_cert_file=/etc/ca.pem&only".parse().unwrap();
        assert_eq!((uri.kind.as_str(), uri.transport.as_deref()), ("ontap", Some("ssl")));
        assert_eq!(
            (uri.user.as_deref(), uri.host.as_str(), uri.port),
            (Some("admin"), "fe80::1", Some(8443))
        );
        assert_eq!((uri.path.as_str(), uri.parameters["ca_cert_file"].as_str()), ("/svm1", "/etc/ca.pem"));
        assert_eq!(uri.parameters["only"], "");
    }

    #[test]
    fn a_fragment_is_part_of_nothing() {
        for (text, bare) in [
            ("sim://?private#x", "sim://?private"),
            ("sim://?statefile=/a#b?c=d&e", "sim://?statefile=/a"),
            ("ontap://admin@filer:8443/svm1#x@y:z/", "ontap://admin@filer:8443/svm1"),
            ("sim://#", "sim://"),
        ] {
            assert_eq!(text.parse::<Uri>(), bare.parse::<Uri>(), "{text}");
        }
        assert_eq!("sim#://".parse::<Uri>(), Err(UriError::Scheme));
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for (text, why) in [
            ("sim", UriError::Scheme),
            ("://host", UriError::Scheme),
            ("a b://", UriError::Scheme),
            ("sim://host:http", UriError::Port),
            ("sim://?a=1&a=2", UriError::Twice),
        ] {
            assert_eq!(text.parse::<Uri>(), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_uri_or_refused(text in "\\PC{0,60}") {
            let _ = text.parse::<Uri>();
        }
    }
}
