//! How an application is held still, as people say it and as messages carry it.

use std::{fmt, str::FromStr};

use crate::{
    id::{HookId, IdError},
    v1::QuiesceMethod,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QuiesceBy {
    /// Nothing is held still: the copy is as after a power cut.
    None,
    /// The file system is frozen, and nobody is asked.
    Fsfreeze,
    Mysql,
    Postgresql,
    /// By a hook that the agent's own configuration lists.
    Hook(HookId),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuiesceError {
    #[error("{text:?} is no way to quiesce; use mysql, postgresql, fsfreeze, hook:NAME or none")]
    Unknown { text: String },
    #[error(transparent)]
    Hook(#[from] IdError),
}

impl QuiesceBy {
    /// `None` where nothing was named.
    pub fn from_wire(method: QuiesceMethod, hook: &str) -> Result<Option<Self>, IdError> {
        Ok(Some(match method {
            QuiesceMethod::Unspecified => return Ok(None),
            QuiesceMethod::None => Self::None,
            QuiesceMethod::Fsfreeze => Self::Fsfreeze,
            QuiesceMethod::Mysql => Self::Mysql,
            QuiesceMethod::Postgresql => Self::Postgresql,
            QuiesceMethod::Hook => Self::Hook(hook.parse()?),
        }))
    }

    pub fn method(&self) -> QuiesceMethod {
        match self {
            Self::None => QuiesceMethod::None,
            Self::Fsfreeze => QuiesceMethod::Fsfreeze,
            Self::Mysql => QuiesceMethod::Mysql,
            Self::Postgresql => QuiesceMethod::Postgresql,
            Self::Hook(_) => QuiesceMethod::Hook,
        }
    }

    pub fn hook(&self) -> Option<&HookId> {
        match self {
            Self::Hook(hook) => Some(hook),
            _ => None,
        }
    }

    /// The hook's name as messages carry it, empty where there is none.
    pub fn hook_name(&self) -> String {
        self.hook().map(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for QuiesceBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Fsfreeze => f.pad("fsfreeze"),
            Self::Mysql => f.pad("mysql"),
            Self::Postgresql => f.pad("postgresql"),
            Self::Hook(hook) => write!(f, "hook:{hook}"),
        }
    }
}

impl FromStr for QuiesceBy {
    type Err = QuiesceError;

    fn from_str(text: &str) -> Result<Self, QuiesceError> {
        Ok(match text {
            "none" => Self::None,
            "fsfreeze" => Self::Fsfreeze,
            "mysql" => Self::Mysql,
            "postgresql" => Self::Postgresql,
            other => match other.strip_prefix("hook:") {
                Some(name) => Self::Hook(name.parse()?),
                None => return Err(QuiesceError::Unknown { text: other.chars().take(64).collect() }),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_read_as_it_is_written_and_carried_as_it_was() {
        for text in ["none", "fsfreeze", "mysql", "postgresql", "hook:app-1"] {
            let by: QuiesceBy = text.parse().unwrap();
            assert_eq!(by.to_string(), text);
            assert_eq!(QuiesceBy::from_wire(by.method(), &by.hook_name()), Ok(Some(by)));
        }
        assert_eq!(QuiesceBy::from_wire(QuiesceMethod::Unspecified, ""), Ok(None));
    }

    #[test]
    fn what_is_no_way_or_no_name_is_refused() {
        for bad in ["", "oracle", "hook", "hook:", "hook:a b", "hook:../x", "MYSQL"] {
            assert!(bad.parse::<QuiesceBy>().is_err(), "{bad}");
        }
        assert!(QuiesceBy::from_wire(QuiesceMethod::Hook, "").is_err());
    }
}
