//! What to do about an array that does not answer. Pure: from the error alone.

use std::io;

use sanfleet_driver::{ErrorNumber, client::ClientError};

use super::{ArrayDefinition, ArrayError};

/// One sentence for an operator: what to look at, or which command comes next.
pub fn advice(error: &ArrayError, array: &ArrayDefinition) -> String {
    match error {
        ArrayError::Driver { source, .. } => about_driver(source, array),
        ArrayError::Password { .. } => {
            format!(
                "make the file readable for the controller alone, or give it anew: sanfleet array password {}",
                array.name
            )
        }
        ArrayError::TooSlow { .. } | ArrayError::Endless { .. } => {
            "the array answers, but not to the end: see the driver's lines in the controller's log".to_owned()
        }
        ArrayError::Unknown(_)
        | ArrayError::WrongVolume { .. }
        | ArrayError::ForeignInitiators { .. }
        | ArrayError::NotOurs { .. }
        | ArrayError::NotVerified { .. } => format!("sanfleet array show {} tells more", array.name),
    }
}

fn about_driver(error: &ClientError, array: &ArrayDefinition) -> String {
    let (kind, name) = (&array.kind, &array.name);
    match error {
        ClientError::Start { path, source } => match source.kind() {
            io::ErrorKind::NotFound => format!(
                "there is no driver for {kind}:// on the controller's host; install it as {}, set driver_dir in controller.toml, or have libStorageMgmt's daemon serve it",
                path.display()
            ),
            io::ErrorKind::PermissionDenied => {
                format!("the controller may not execute {}; see its mode and its owner", path.display())
            }
            _ => format!("try on the controller's host whether {} can be started", path.display()),
        },
        ClientError::NotPermitted { path } => {
            format!(
                "the controller may not read and write the plug-in's socket {}; see its mode and its owner",
                path.display()
            )
        }
        ClientError::Array(said) => about_answer(said.number, array),
        ClientError::Timeout { .. } => {
            format!("is {} overloaded, or does a firewall swallow what is sent to it?", address(array))
        }
        ClientError::Lost { .. } | ClientError::Protocol { .. } => format!(
            "the driver {kind}_lsmplugin is at fault; its last words are in the controller's log. It is started again by itself"
        ),
        _ => format!("sanfleet array show {name} tells more"),
    }
}

fn about_answer(number: ErrorNumber, array: &ArrayDefinition) -> String {
    let (name, at) = (&array.name, address(array));
    match number {
        ErrorNumber::PluginAuthFailed => match array.user() {
            Some(user) => format!(
                "see that {user} may log in to {at}; another password: sanfleet array password {name}"
            ),
            None => format!(
                "name the user in the URI, as {}://USER@HOST/, and add the array with its password",
                array.kind
            ),
        },
        ErrorNumber::NetworkConnectionRefused => {
            format!("{at} is there, but nothing listens: is the port right, and the management service up?")
        }
        ErrorNumber::NetworkHostDown | ErrorNumber::NetworkError | ErrorNumber::TransportCommunication => {
            format!("can the controller's host reach {at}? see name, route, firewall and certificate")
        }
        ErrorNumber::Timeout => format!("is {at} overloaded, or does a firewall swallow what is sent to it?"),
        ErrorNumber::InvalidArgument | ErrorNumber::TransportInvalidArgument => {
            format!("see that the URI is right: {}", array.uri)
        }
        ErrorNumber::PermissionDenied => match array.user() {
            Some(user) => format!("give {user} the rights of a storage administrator on the array"),
            None => "the driver may not do that on the controller's host".to_owned(),
        },
        ErrorNumber::NotLicensed => "the array lacks a licence for this".to_owned(),
        ErrorNumber::NoSupport => {
            format!("the driver for {}:// cannot do this; is it the newest?", array.kind)
        }
        _ => format!("it is the array's own answer; sanfleet array show {name} tells what else went wrong"),
    }
}

/// The array's address as its URI has it, for people.
fn address(array: &ArrayDefinition) -> String {
    let parsed = array.uri.parse::<sanfleet_driver::Uri>();
    match parsed {
        Ok(uri) if !uri.host.is_empty() => match uri.port {
            Some(port) => format!("{}:{port}", uri.host),
            None => uri.host,
        },
        _ => array.uri.clone(),
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_driver::LsmError;

    use super::*;

    fn array() -> ArrayDefinition {
        ArrayDefinition::parse("f1", "ontap+ssl://admin@filer1:8443/").unwrap()
    }

    fn told(source: ClientError) -> String {
        let error = ArrayError::Driver { array: array().name, what: "x", source };
        advice(&error, &array())
    }

    fn answered(number: ErrorNumber) -> String {
        told(ClientError::Array(LsmError::new(number, "no")))
    }

    #[test]
    fn a_refused_login_names_the_user_and_the_command_that_helps() {
        let said = answered(ErrorNumber::PluginAuthFailed);
        assert!(said.contains("admin") && said.contains("sanfleet array password f1"), "{said}");
    }

    #[test]
    fn an_array_that_cannot_be_reached_is_named_with_its_port() {
        assert!(answered(ErrorNumber::NetworkConnectionRefused).contains("filer1:8443"));
        assert!(answered(ErrorNumber::NetworkHostDown).contains("filer1:8443"));
    }

    #[test]
    fn a_missing_driver_tells_which_path_was_looked_at() {
        let path = "/opt/drivers/ontap_lsmplugin".into();
        let said = told(ClientError::Start { path, source: io::Error::from(io::ErrorKind::NotFound) });
        assert!(said.contains("/opt/drivers/ontap_lsmplugin") && said.contains("driver_dir"), "{said}");
    }

    #[test]
    fn every_number_has_an_advice() {
        for number in -1..600 {
            assert!(!answered(ErrorNumber::from(number)).is_empty());
        }
    }
}
