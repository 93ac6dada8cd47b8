//! What a session asks for in its URI:
//! `nexentastor[+ssl]://[user@]host[:port][?ca_cert_file=PATH|no_ssl_verify=yes]`, or `nstor` for `nexentastor`.

use sanfleet_driver::{ErrorNumber, LsmError, Uri};
use sanfleet_driver_http::{Endpoint, Tls};

/// Ours, and what libStorageMgmt's own driver was called by.
const KINDS: [&str; 2] = ["nexentastor", "nstor"];
const USER: &str = "admin";
/// Release 5, with and without TLS.
const REST_TLS: u16 = 8443;
const REST: u16 = 8080;
/// Releases 3 and 4, with TLS or without.
const NMS: [u16; 2] = [2000, 8457];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub user: String,
    /// Where to look for which release, in this order.
    pub doors: Vec<Door>,
}

/// One place at which an appliance may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    pub endpoint: Endpoint,
    pub rest: bool,
    pub nms: bool,
}

impl Options {
    pub fn from_uri(uri: &str) -> Result<Self, LsmError> {
        let uri: Uri = uri.parse().map_err(|error| refuse(format!("{error}")))?;
        if !KINDS.contains(&uri.kind.as_str()) {
            let [ours, theirs] = KINDS;
            return Err(refuse(format!("this driver serves {ours}:// and {theirs}://, not {}://", uri.kind)));
        }
        if !matches!(uri.path.as_str(), "" | "/") {
            return Err(refuse("a URI of NexentaStor has no path".into()));
        }
        let user = uri.user.clone().filter(|user| !user.is_empty()).unwrap_or_else(|| USER.to_owned());
        if user.contains(':') {
            return Err(refuse("no user of NexentaStor has a colon in its name".into()));
        }
        Ok(Self { user, doors: doors(&uri)? })
    }
}

/// A port that is given is asked for both; without one each release has its own.
fn doors(uri: &Uri) -> Result<Vec<Door>, LsmError> {
    let endpoint = Endpoint::from_uri(uri, REST)?;
    if uri.port.is_some() {
        return Ok(vec![Door { endpoint, rest: true, nms: true }]);
    }
    let rest = if endpoint.tls == Tls::Off { REST } else { REST_TLS };
    let at = |port, rest| Door { endpoint: Endpoint { port, ..endpoint.clone() }, rest, nms: !rest };
    Ok(std::iter::once(at(rest, true)).chain(NMS.into_iter().map(|port| at(port, false))).collect())
}

fn refuse(message: String) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(uri: &str) -> Vec<(String, bool, bool)> {
        let doors = Options::from_uri(uri).unwrap().doors;
        doors.into_iter().map(|door| (door.endpoint.address(), door.rest, door.nms)).collect()
    }

    #[test]
    fn without_a_port_every_release_is_looked_for_where_it_listens() {
        let wanted = [("h:8443", true, false), ("h:2000", false, true), ("h:8457", false, true)];
        assert_eq!(places("nexentastor+ssl://h"), wanted.map(|(at, rest, nms)| (at.to_owned(), rest, nms)));
        assert_eq!(places("nstor://h").first(), Some(&("h:8080".to_owned(), true, false)));
    }

    #[test]
    fn a_port_that_is_given_is_the_only_one_and_asked_for_both() {
        assert_eq!(places("nexentastor://ops@h:99/"), [("h:99".to_owned(), true, true)]);
        assert_eq!(Options::from_uri("nexentastor://ops@h:99/").unwrap().user, "ops");
    }

    #[test]
    fn what_is_no_uri_of_ours_is_refused() {
        for bad in ["ontap://h", "nexentastor://", "nstor://h/path", "nstor://a:b@h", "nstor://h?x=1", "h"] {
            assert_eq!(Options::from_uri(bad).unwrap_err().number, ErrorNumber::InvalidArgument, "{bad}");
        }
    }
}
