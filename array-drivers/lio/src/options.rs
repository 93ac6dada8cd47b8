//! What a session asks for in its URI: `lio://[?vg=NAME][&portals=IP:PORT,…]` for the machine that the driver runs on, and
//! `lio+ssh://[user@]host[:port][?…]` for another.

use std::net::SocketAddr;

use sanfleet_driver::{ErrorNumber, LsmError, Uri};

const KIND: &str = "lio";
const SSH: &str = "ssh";
const USER: &str = "root";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub place: Place,
    /// Whose thin pools are pools of ours; all when there is none.
    pub group: Option<String>,
    /// Where the target listens; every address of the machine when there is none.
    pub portals: Vec<SocketAddr>,
}

/// Which machine it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    Ssh { user: String, host: String, port: Option<u16> },
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
        let (mut group, mut portals) = (None, Vec::new());
        for (key, value) in &uri.parameters {
            match key.as_str() {
                "vg" => group = Some(value.clone()),
                "portals" => portals = value.split(',').map(portal).collect::<Result<_, _>>()?,
                other => {
                    return Err(refuse(format!("no parameter {other} is known; there are vg and portals")));
                }
            }
        }
        Ok(Self { place: Place::of(&uri)?, group, portals })
    }
}

impl Place {
    fn of(uri: &Uri) -> Result<Self, LsmError> {
        match (uri.transport.as_deref(), uri.host.as_str()) {
            (None, "") if uri.user.is_none() => Ok(Self::Here),
            (None, _) => {
                Err(refuse(format!("another machine is reached by {KIND}+{SSH}://, not by {KIND}://")))
            }
            (Some(SSH), "") => Err(refuse(format!("{KIND}+{SSH}:// is followed by a host"))),
            (Some(SSH), host) => {
                let user =
                    uri.user.clone().filter(|user| !user.is_empty()).unwrap_or_else(|| USER.to_owned());
                // Either would be an option of ssh.
                if user.starts_with('-') || host.starts_with('-') {
                    return Err(refuse("neither user nor host begins with a hyphen".into()));
                }
                Ok(Self::Ssh { user, host: host.to_owned(), port: uri.port })
            }
            (Some(other), _) => {
                Err(refuse(format!("{KIND}+{other}:// is not known; there is {KIND}+{SSH}://")))
            }
        }
    }
}

fn portal(text: &str) -> Result<SocketAddr, LsmError> {
    text.parse().map_err(|_| refuse(format!("{text:?} is no IP address with a port")))
}

fn refuse(message: String) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_this_one_or_is_reached_over_ssh() {
        assert_eq!(Options::from_uri("lio://").unwrap().place, Place::Here);
        let far =
            Options::from_uri("lio+ssh://ops@store1:2222/?vg=fast&portals=192.0.2.1:3260,[2001:db8::1]:3260");
        let far = far.unwrap();
        assert_eq!(far.place, Place::Ssh { user: "ops".into(), host: "store1".into(), port: Some(2222) });
        assert_eq!((far.group.as_deref(), far.portals.len()), (Some("fast"), 2));
        let root = Options::from_uri("lio+ssh://store1").unwrap().place;
        assert_eq!(root, Place::Ssh { user: "root".into(), host: "store1".into(), port: None });
    }

    #[test]
    fn what_is_no_uri_of_ours_is_refused() {
        for bad in [
            "sim://",
            "lio://store1",
            "lio+ssh://",
            "lio+ssl://store1",
            "lio+ssh://-oProxyCommand=x@h",
            "lio+ssh://-h",
            "lio://?pool=x",
            "lio://?portals=store1:3260",
            "lio:///etc",
        ] {
            assert_eq!(Options::from_uri(bad).unwrap_err().number, ErrorNumber::InvalidArgument, "{bad}");
        }
    }
}
