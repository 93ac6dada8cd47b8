//! The controller's configuration file (TOML). Unknown keys are refused: a misspelt one would be silently ignored.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use sanfleet_protocol::{
    ControllerId, IdError,
    delegation::SignedDelegation,
    sign::{CommandKey, SignError},
};
use serde::Deserialize;

use crate::{
    bus::BusOptions,
    doctor::Limits,
    reconciler::Pace,
    runs::forget::Keep,
    secrets::{Passwords, WebhookSecrets},
};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The controller's name, as journals and events show it. Each controller of a fleet has its own.
    #[serde(deserialize_with = "controller_id")]
    pub name: ControllerId,
    pub nats: BusOptions,
    /// File with the secret key that signs commands; made by `sanfleet-controller new-key`.
    pub command_key: PathBuf,
    /// File with the operator's word for that key, made by `sanfleet bus delegate`; for agents that pin the operator's key.
    #[serde(default)]
    pub delegation: Option<PathBuf>,
    /// Folder of the drivers' executables, `<kind>_lsmplugin`. Kinds that have none there are asked for at libStorageMgmt's daemon.
    #[serde(default = "default_driver_dir")]
    pub driver_dir: PathBuf,
    /// What this controller keeps on its host: passwords of arrays and secrets of webhooks, and nothing else. For nobody but its user.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// For arrays whose password is in a variable of the controller's environment: the variable's name.
    #[serde(default)]
    pub array_password_env: BTreeMap<String, String>,
    #[serde(default)]
    pub doctor: DoctorConfig,
    #[serde(default)]
    pub journal: JournalConfig,
}

/// How long runs that are over are remembered. What an attachment rests on is never forgotten.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// So many of the newest, however old.
    pub keep_runs: u32,
    /// And all that ended in the last so many days.
    pub keep_days: u16,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { keep_runs: 10_000, keep_days: 30 }
    }
}

impl JournalConfig {
    pub fn keep(self) -> Keep {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Keep {
            newest: usize::try_from(self.keep_runs).unwrap_or(usize::MAX),
            at_least: DAY * u32::from(self.keep_days),
        }
    }
}

/// How often the whole picture is looked at for what does not fit, and how soon that is a finding. In seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoctorConfig {
    pub look_every_s: NonZeroU32,
    /// What holds for less long is in flight.
    pub grace_s: u32,
    /// A run that is silent for longer makes no progress.
    pub stalled_after_s: u32,
}

impl Default for DoctorConfig {
    fn default() -> Self {
        const FIVE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
        Self { look_every_s: FIVE, grace_s: 30, stalled_after_s: 1_200 }
    }
}

impl DoctorConfig {
    pub fn pace(self) -> Pace {
        let seconds = |number: u32| Duration::from_secs(number.into());
        let limits = Limits { grace: seconds(self.grace_s), stalled_after: seconds(self.stalled_after_s) };
        Pace { look_every: seconds(self.look_every_s.get()), limits }
    }
}

fn controller_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ControllerId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// systemd makes this folder for the service, `StateDirectory=` in systemd.exec(5).
fn default_state_dir() -> PathBuf {
    std::env::var_os("STATE_DIRECTORY").map_or_else(|| "/var/lib/sanfleet-controller".into(), PathBuf::from)
}

fn default_driver_dir() -> PathBuf {
    PathBuf::from("/usr/libexec/sanfleet/drivers")
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not as it should be")]
    Parse {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("{path} can be read by others; make it mode 0600")]
    OpenToOthers { path: PathBuf },
    #[error("{path} holds no key")]
    Key {
        path: PathBuf,
        #[source]
        source: SignError,
    },
    #[error("array_password_env names no array with {name:?}")]
    Array {
        name: String,
        #[source]
        source: IdError,
    },
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Config {
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// Where the passwords of arrays are.
    pub fn passwords(&self) -> Result<Passwords, ConfigError> {
        let variables = self.array_password_env.iter().map(|(name, variable)| {
            let array = name.parse().map_err(|source| ConfigError::Array { name: name.clone(), source })?;
            Ok((array, variable.clone()))
        });
        Ok(Passwords::of_arrays(&self.state_dir, variables.collect::<Result<_, _>>()?))
    }

    /// Where the secrets of webhooks are.
    pub fn webhook_secrets(&self) -> WebhookSecrets {
        WebhookSecrets::of_webhooks(&self.state_dir)
    }

    /// The operator's word for our key, where agents want it.
    pub fn read_delegation(&self) -> Result<Option<SignedDelegation>, ConfigError> {
        let Some(path) = &self.delegation else { return Ok(None) };
        let parsed = read(path)?.parse();
        parsed.map(Some).map_err(|source| ConfigError::Key { path: path.clone(), source })
    }

    pub fn read_command_key(&self) -> Result<CommandKey, ConfigError> {
        use std::os::unix::fs::PermissionsExt;
        let path = &self.command_key;
        let at = |source| ConfigError::Read { path: path.clone(), source };
        if std::fs::metadata(path).map_err(at)?.permissions().mode() & 0o077 != 0 {
            return Err(ConfigError::OpenToOthers { path: path.clone() });
        }
        CommandKey::from_hex(&read(path)?).map_err(|source| ConfigError::Key { path: path.clone(), source })
    }
}

/// Makes a new key in a file that must not exist yet.
pub fn write_new_key(path: &Path) -> Result<CommandKey, ConfigError> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let at = |source| ConfigError::Write { path: path.to_owned(), source };
    let mut secret = [0u8; 32];
    getrandom::fill(&mut secret).map_err(|error| at(std::io::Error::other(error)))?;
    let key = CommandKey::from_bytes(&secret);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at)?;
    writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all()).map_err(at)?;
    Ok(key)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_refused_and_named() {
        let text = "name = 'c1'\ncommand_key = '/k'\ndriverdir = '/d'\n[nats]\nurl = ['nats://h']\n";
        let error = toml::from_str::<Config>(text).unwrap_err();
        assert!(error.to_string().contains("driverdir"), "{error}");
    }
}
