//! Hooks: what an administrator has a program do to an application before its volume is copied, and after.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use sanfleet_protocol::{HookId, MountPoint};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::ConfigError;
use crate::by_text;

/// An application waits for it.
const LONGEST_S: u32 = 30;

/// One `[[hook]]`. Its name is all that ever comes over the bus. The ledger has it as it was when it was begun, so that what was begun
/// is ended by the same words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    #[serde(with = "by_text")]
    pub name: HookId,
    /// It is for the volume that is mounted here and for no other.
    #[serde(with = "by_text")]
    pub mount_point: MountPoint,
    /// Makes what is on disk consistent, and holds it so.
    pub before: Argv,
    /// Lets the application go on. Run at least once after each `before`, however that ended, so it has to be fine to run twice.
    pub after: Argv,
    /// How long each of the two may take.
    #[serde(default = "ten", deserialize_with = "timeout")]
    pub timeout_s: u32,
    /// Who runs them; the agent's own user unless given.
    pub user: Option<String>,
}

impl Hook {
    /// No hook may take longer.
    pub const LONGEST: Duration = Duration::from_secs(LONGEST_S as u64);

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s.into())
    }
}

/// A program by its absolute path, with its arguments. There is no shell that could read anything into them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Argv {
    program: PathBuf,
    arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    #[error("a hook needs a program: the first word is its absolute path")]
    NoProgram,
    #[error("a word of a hook holds a NUL character")]
    Nul,
}

impl Argv {
    pub fn new(words: Vec<String>) -> Result<Self, ArgvError> {
        if words.iter().any(|word| word.contains('\0')) {
            return Err(ArgvError::Nul);
        }
        let mut words = words.into_iter();
        match words.next().map(PathBuf::from) {
            Some(program) if program.is_absolute() => Ok(Self { program, arguments: words.collect() }),
            _ => Err(ArgvError::NoProgram),
        }
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl TryFrom<Vec<String>> for Argv {
    type Error = ArgvError;

    fn try_from(words: Vec<String>) -> Result<Self, ArgvError> {
        Self::new(words)
    }
}

impl From<Argv> for Vec<String> {
    fn from(argv: Argv) -> Self {
        let program = argv.program.to_string_lossy().into_owned();
        [vec![program], argv.arguments].concat()
    }
}

/// A name that two have names neither.
pub fn refuse_twins(hooks: &[Hook], path: &Path) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    match hooks.iter().find(|hook| !seen.insert(&hook.name)) {
        Some(twin) => Err(ConfigError::Hook {
            path: path.to_owned(),
            name: twin.name.clone(),
            why: "there is another one of this name",
        }),
        None => Ok(()),
    }
}

fn ten() -> u32 {
    10
}

fn timeout<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(from)?;
    match (1..=LONGEST_S).contains(&seconds) {
        true => Ok(seconds),
        false => Err(D::Error::custom(format!("a hook's timeout_s is between 1 and {LONGEST_S}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Hook, toml::de::Error> {
        let least = r#"
            name = "app"
            mount_point = "/srv/app"
            before = ["/usr/local/bin/app", "hold still; now"]
        "#;
        toml::from_str(&format!("{least}\n{more}"))
    }

    const AFTER: &str = "after = [\"/usr/local/bin/app\", \"go\"]";

    #[test]
    fn a_hook_has_two_programs_with_their_words_and_ten_seconds_for_each() {
        let hook = read(AFTER).unwrap();
        assert_eq!(hook.before.program(), Path::new("/usr/local/bin/app"));
        assert_eq!(hook.before.arguments(), ["hold still; now"]);
        assert_eq!((hook.timeout(), hook.user), (Duration::from_secs(10), None));
        let slow = read(&format!("{AFTER}\ntimeout_s = 30\nuser = \"app\"")).unwrap();
        assert_eq!((slow.timeout(), slow.user.as_deref()), (Hook::LONGEST, Some("app")));
    }

    #[test]
    fn a_hook_that_could_not_be_run_or_would_never_end_is_refused() {
        for bad in [
            "",
            "after = []",
            "after = [\"app\", \"go\"]",
            "after = [\"/bin/app\", \"a\\u0000b\"]",
            &format!("{AFTER}\ntimeout_s = 0"),
            &format!("{AFTER}\ntimeout_s = 31"),
            &format!("{AFTER}\nshell = true"),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn two_hooks_of_one_name_are_refused() {
        let hook = read(AFTER).unwrap();
        assert!(refuse_twins(std::slice::from_ref(&hook), Path::new("agent.toml")).is_ok());
        let error = refuse_twins(&[hook.clone(), hook], Path::new("agent.toml")).unwrap_err().to_string();
        assert!(error.contains("app"), "{error}");
    }
}
