//! What a session asks for in its URI: `targetd[+ssl]://[user@]host[:port][?ca_cert_file=PATH|no_ssl_verify=yes]`.

use sanfleet_driver::{ErrorNumber, LsmError, Uri};
use sanfleet_driver_http::Endpoint;

const KIND: &str = "targetd";
/// The daemon listens on no other.
const PORT: u16 = 18700;
/// Whom the daemon knows unless it is told otherwise.
const USER: &str = "admin";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub endpoint: Endpoint,
    pub user: String,
}

impl Options {
    pub fn from_uri(uri: &str) -> Result<Self, LsmError> {
        let uri: Uri = uri.parse().map_err(|error| refuse(format!("{error}")))?;
        if uri.kind != KIND {
            return Err(refuse(format!("this driver serves {KIND}://, not {}://", uri.kind)));
        }
        if !matches!(uri.path.as_str(), "" | "/") {
            return Err(refuse(format!("a URI of {KIND} has no path")));
        }
        let user = uri.user.clone().filter(|user| !user.is_empty()).unwrap_or_else(|| USER.to_owned());
        if user.contains(':') {
            return Err(refuse("no user of the daemon has a colon in its name".into()));
        }
        Ok(Self { endpoint: Endpoint::from_uri(&uri, PORT)?, user })
    }
}

/// The daemon takes a password apart at its colons, so one with a colon never lets anybody in, and each try costs two seconds.
pub(crate) fn password(given: Option<&str>) -> Result<&str, LsmError> {
    let password = given.unwrap_or_default();
    match password.contains(':') {
        true => Err(LsmError::new(
            ErrorNumber::PluginAuthFailed,
            "targetd lets nobody in whose password holds a colon; set another one there",
        )),
        false => Ok(password),
    }
}

fn refuse(message: String) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use sanfleet_driver_http::Tls;

    use super::*;

    #[test]
    fn host_alone_is_enough() {
        let options = Options::from_uri("targetd://storage1").unwrap();
        assert_eq!((options.endpoint.address().as_str(), options.user.as_str()), ("storage1:18700", "admin"));
        assert_eq!(options.endpoint.tls, Tls::Off);
    }

    #[test]
    fn user_port_and_tls_are_read() {
        let options = Options::from_uri("targetd+ssl://ops@storage1:1870/?ca_cert_file=/ca.pem").unwrap();
        assert_eq!((options.endpoint.address().as_str(), options.user.as_str()), ("storage1:1870", "ops"));
        assert_eq!(options.endpoint.tls, Tls::Verified { ca_file: Some("/ca.pem".into()) });
    }

    #[test]
    fn what_is_no_uri_of_ours_is_refused() {
        for bad in ["ontap://h", "targetd://", "targetd://h/path", "targetd://a:b@h", "targetd://h?x=1", "h"]
        {
            assert_eq!(Options::from_uri(bad).unwrap_err().number, ErrorNumber::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn a_password_that_can_never_let_anybody_in_is_not_even_tried() {
        assert_eq!(password(Some("plain")), Ok("plain"));
        let error = password(Some("co:lon")).unwrap_err();
        assert_eq!(error.number, ErrorNumber::PluginAuthFailed);
        assert!(!error.message.contains("co:lon"));
    }
}
