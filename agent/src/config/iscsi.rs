//! `[fabric.iscsi]`: that the agent may log in to iSCSI targets, and as whom.

#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;

use sanfleet_protocol::Password;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{ConfigError, secret_file};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iscsi {
    pub chap: Option<Chap>,
    /// multipathd runs here: a volume comes in over all of its paths, and multipathd makes one map of them.
    #[serde(default)]
    pub multipath: bool,
}

/// The name by which this host proves to targets who it is, and where the password is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chap {
    #[serde(deserialize_with = "line")]
    user: String,
    password_file: PathBuf,
}

impl Chap {
    #[cfg(test)]
    pub fn new(user: &str, password_file: &Path) -> Self {
        Self { user: user.to_owned(), password_file: password_file.to_owned() }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// Reads the password afresh, so that it can be changed without a restart.
    pub fn password(&self) -> Result<Password, ConfigError> {
        let path = &self.password_file;
        Password::new(&secret_file::read(path)?)
            .map_err(|error| ConfigError::Password { path: path.clone(), why: error.to_string() })
    }
}

/// A name that cannot end the line that it is written to.
fn line<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let user = String::deserialize(from)?;
    match user.is_empty() || user.chars().any(char::is_control) {
        true => Err(D::Error::custom("a CHAP user is a word without control characters")),
        false => Ok(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_would_write_a_line_of_its_own_is_refused() {
        let iscsi = |user: &str| {
            toml::from_str::<Iscsi>(&format!("chap = {{ user = {user:?}, password_file = \"/etc/chap\" }}"))
        };
        assert_eq!(iscsi("db1").unwrap().chap.unwrap().user(), "db1");
        assert!(iscsi("db1\nnode.startup = automatic").is_err() && iscsi("").is_err());
        assert!(toml::from_str::<Iscsi>("").unwrap().chap.is_none());
    }
}
