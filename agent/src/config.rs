//! The agent's configuration: one TOML file, read once at start.
//!
//! It refuses what it does not know, so that a misspelt key is an error and not a default. It holds no password: those are
//! in files of their own, which only root or the agent's user may read.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sanfleet_protocol::{
    HookId, HostId, Initiator, Labels, MountPoint, delegation::OperatorPublicKey, sign::PublicKey,
};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    by_text::{self, list as by_texts},
    trust::Pinned,
};

mod fc;
mod helper;
mod hook;
mod iscsi;
mod policy;
mod secret_file;

pub use fc::Fc;
pub use helper::Helper;
pub use hook::{Argv, Hook};
pub use iscsi::{Chap, Iscsi};
pub use policy::{MountRoot, Policy, QuiesceKind};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The parser's words hold the line and show it.
    #[error("{}", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("{}: [[database]] {mount_point}: {why}", path.display())]
    Database { path: PathBuf, mount_point: MountPoint, why: &'static str },
    #[error("{}: [[hook]] {name}: {why}", path.display())]
    Hook { path: PathBuf, name: HookId, why: &'static str },
    #[error("{}: give either `operator_key` or `controller_key`", path.display())]
    Key { path: PathBuf },
    #[error("password file {}: {why}", path.display())]
    Password { path: PathBuf, why: String },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(deserialize_with = "by_text::deserialize")]
    pub host: HostId,
    /// The ledger lives here. It must not be on a file system that is ever quiesced.
    pub state_dir: PathBuf,
    /// Where systemd units are written for mounts that come back after a restart.
    #[serde(default = "unit_dir")]
    pub unit_dir: PathBuf,
    pub nats: Nats,
    #[serde(default)]
    pub helper: Helper,
    /// The operator's public key, in hex: commands count that a controller has signed whom he has given his word for.
    #[serde(default, deserialize_with = "some_text")]
    pub operator_key: Option<OperatorPublicKey>,
    /// Instead of it, a controller's public key: commands that it has not signed are refused.
    #[serde(default, deserialize_with = "some_text")]
    pub controller_key: Option<PublicKey>,
    /// Initiator ids beyond those that the host itself tells.
    #[serde(default, deserialize_with = "by_texts::deserialize")]
    pub initiators: Vec<Initiator>,
    #[serde(default)]
    pub fabric: Fabrics,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub database: Vec<Database>,
    #[serde(default)]
    pub hook: Vec<Hook>,
    #[serde(default)]
    pub report: Report,
    /// What hosts are chosen by.
    #[serde(default, deserialize_with = "labels")]
    pub labels: Labels,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    pub url: Vec<String>,
    pub credentials: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fabrics {
    #[serde(rename = "loop")]
    pub loopback: Option<LoopFabric>,
    pub iscsi: Option<Iscsi>,
    pub fc: Option<Fc>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopFabric {
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// No quiesce may be held longer than this, whatever a command says.
    pub max_dead_man_ms: u32,
    /// So many commands are carried out at once.
    pub concurrent_commands: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_dead_man_ms: 60_000, concurrent_commands: 64 }
    }
}

impl Limits {
    pub fn max_dead_man(&self) -> Duration {
        Duration::from_millis(self.max_dead_man_ms.into())
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    pub heartbeat_ms: u32,
    /// A full report at least this often, even when nothing has changed.
    pub full_interval_ms: u32,
    /// How long one device may take to be read before the report goes without it.
    pub probe_deadline_ms: u32,
}

impl Default for Report {
    fn default() -> Self {
        Self { heartbeat_ms: 5_000, full_interval_ms: 600_000, probe_deadline_ms: 1_000 }
    }
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// And MariaDB.
    #[default]
    Mysql,
    Postgresql,
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mysql => "MySQL or MariaDB",
            Self::Postgresql => "PostgreSQL",
        })
    }
}

/// The database whose files are on a mount point, and how to reach it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    #[serde(default)]
    pub kind: DatabaseKind,
    #[serde(deserialize_with = "by_text::deserialize")]
    pub mount_point: MountPoint,
    pub socket: Option<PathBuf>,
    pub address: Option<SocketAddr>,
    pub user: String,
    pub password_file: Option<PathBuf>,
}

impl Config {
    /// Whose commands count: none where there is no key or more than one.
    pub fn pinned(&self) -> Option<Pinned> {
        match (&self.operator_key, &self.controller_key) {
            (Some(operator), None) => Some(Pinned::Operator(operator.clone())),
            (None, Some(controller)) => Some(Pinned::Controller(controller.clone())),
            _ => None,
        }
    }

    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        for database in &config.database {
            database.refuse_two_ways(path)?;
        }
        hook::refuse_twins(&config.hook, path)?;
        match config.pinned() {
            Some(_) => Ok(config),
            None => Err(ConfigError::Key { path: path.to_owned() }),
        }
    }
}

fn some_text<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    by_text::deserialize(from).map(Some)
}

impl Database {
    fn refuse_two_ways(&self, path: &Path) -> Result<(), ConfigError> {
        match (&self.socket, &self.address) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err(ConfigError::Database {
                path: path.to_owned(),
                mount_point: self.mount_point.clone(),
                why: "give either `socket` or `address`",
            }),
        }
    }

    /// Reads the password afresh, so that it can be changed without a restart.
    pub fn password(&self) -> Result<Option<String>, ConfigError> {
        let Some(path) = &self.password_file else { return Ok(None) };
        secret_file::read(path).map(Some)
    }
}

fn unit_dir() -> PathBuf {
    PathBuf::from("/etc/systemd/system")
}

fn labels<'de, D: Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(from)?;
    let texts = texts.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Labels::parse(texts).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::{error::Error, io::Write, os::unix::fs::PermissionsExt};

    use sanfleet_protocol::sign::CommandKey;

    use super::*;

    fn whole() -> String {
        let key = CommandKey::from_bytes(&[7; 32]).public();
        format!(
            r#"
            host = "db1"
            state_dir = "/var/lib/sanfleet-agent"
            controller_key = "{key}"
            initiators = ["iqn.1993-08.org.debian:01:db1"]
            [nats]
            url = ["nats://127.0.0.1:4222"]
            [fabric.loop]
            dir = "/run/sanfleet/loop"
            [limits]
            max_dead_man_ms = 5000
            [[database]]
            mount_point = "/var/lib/mysql"
            socket = "/run/mysqld/mysqld.sock"
            user = "sanfleet"
            password_file = "/etc/sanfleet/db.password"
            "#
        )
    }

    fn read(text: &str) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Config::read(file.path())
    }

    #[test]
    fn a_whole_file_is_read_and_what_is_left_out_has_a_default() {
        let config = read(&whole()).unwrap();
        assert_eq!(config.limits.max_dead_man(), Duration::from_secs(5));
        assert_eq!(config.limits.concurrent_commands, 64);
        assert_eq!(config.report.heartbeat_ms, 5_000);
        assert_eq!(config.initiators.len(), 1);
    }

    #[test]
    fn a_fabric_is_there_when_it_is_named_and_without_multipath_unless_that_is_said() {
        let fc = |text: &str| read(&(whole() + text)).map(|config| config.fabric.fc.map(|fc| fc.multipath));
        assert_eq!(fc("").unwrap(), None);
        assert_eq!(fc("\n[fabric.fc]").unwrap(), Some(false));
        assert_eq!(fc("\n[fabric.fc]\nmultipath = true").unwrap(), Some(true));
        assert!(fc("\n[fabric.fc]\nissue_lip = true").is_err());
    }

    #[test]
    fn one_key_is_pinned_the_operators_or_a_controllers() {
        let line = "controller_key";
        let operator = whole().replace(line, "operator_key");
        assert!(matches!(read(&operator).unwrap().pinned(), Some(Pinned::Operator(_))));
        assert!(matches!(read(&whole()).unwrap().pinned(), Some(Pinned::Controller(_))));
        let neither = operator.lines().filter(|line| !line.contains("operator_key")).collect::<Vec<_>>();
        assert!(matches!(read(&neither.join("\n")), Err(ConfigError::Key { .. })));
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_its_line() {
        let error = read(&whole().replace("max_dead_man_ms", "max_deadman_ms")).unwrap_err();
        let source = error.source().unwrap().to_string();
        assert!(source.contains("line 11") && source.contains("max_deadman_ms"), "{source}");
    }

    #[test]
    fn a_database_is_mysql_unless_it_says_otherwise() {
        assert_eq!(read(&whole()).unwrap().database[0].kind, DatabaseKind::Mysql);
        let other = whole().replace("user =", "kind = \"postgresql\"\nuser =");
        assert_eq!(read(&other).unwrap().database[0].kind, DatabaseKind::Postgresql);
        assert!(read(&whole().replace("user =", "kind = \"oracle\"\nuser =")).is_err());
    }

    #[test]
    fn labels_are_words_and_others_are_refused() {
        let labels = read(&(whole() + "\n[labels]\nrole = \"web\"")).unwrap().labels;
        assert_eq!(labels, Labels::parse([("role", "web")]).unwrap());
        assert!(read(&(whole() + "\n[labels]\nrole = \"a web\"")).is_err());
    }

    #[test]
    fn a_database_is_reached_in_one_way() {
        let both = whole().replace("user =", "address = \"127.0.0.1:3306\"\nuser =");
        assert!(matches!(read(&both), Err(ConfigError::Database { .. })));
    }

    #[test]
    fn a_password_that_others_can_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "secret\n").unwrap();
        let mut config = read(&whole()).unwrap();
        let database = &mut config.database[0];
        database.password_file = Some(file.path().to_owned());
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(database.password().unwrap().as_deref(), Some("secret"));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let error = database.password().unwrap_err().to_string();
        assert!(error.contains("640") && !error.contains("secret"), "{error}");
    }
}
