//! How ZFS calls its things: `pool/group/volume`, `pool/volume@snapshot`.

use std::fmt;

use serde::Deserialize;

/// Where a volume, a file system or a group of volumes is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DatasetPath(String);

/// A snapshot, and what it is one of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SnapshotPath(String);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path of ZFS")]
pub(crate) struct PathError(String);

impl DatasetPath {
    /// The top of a pool, or a part of a larger path.
    pub fn new(text: impl Into<String>) -> Result<Self, PathError> {
        let text = text.into();
        let whole = text.split('/').all(|part| !part.is_empty()) && !text.contains('@');
        if whole && !text.chars().any(char::is_control) { Ok(Self(text)) } else { Err(PathError(text)) }
    }

    /// `name` is one that [`crate::array`] lets through.
    pub fn child(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    pub fn snapshot(&self, name: &str) -> SnapshotPath {
        SnapshotPath(format!("{}@{name}", self.0))
    }

    pub fn pool(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The pool, as a path.
    pub fn top(&self) -> Self {
        Self(self.pool().to_owned())
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// True for the top of a pool.
    pub fn is_pool(&self) -> bool {
        !self.0.contains('/')
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SnapshotPath {
    pub fn parent(&self) -> DatasetPath {
        DatasetPath(self.0.split('@').next().unwrap_or_default().to_owned())
    }

    pub fn name(&self) -> &str {
        self.0.split('@').nth(1).unwrap_or_default()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DatasetPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl TryFrom<String> for SnapshotPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        match text.split_once('@') {
            Some((parent, name)) if DatasetPath::new(parent).is_ok() && DatasetPath::new(name).is_ok() => {
                Ok(Self(text))
            }
            _ => Err(PathError(text)),
        }
    }
}

impl fmt::Display for DatasetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SnapshotPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart() {
        let path = DatasetPath::new("tank/sanfleet/db1").unwrap();
        assert_eq!((path.pool(), path.name(), path.is_pool()), ("tank", "db1", false));
        assert_eq!((path.top().as_str(), path.top().is_pool()), ("tank", true));
        let snapshot = SnapshotPath::try_from("tank/sanfleet/db1@noon".to_owned()).unwrap();
        assert_eq!((snapshot.parent(), snapshot.name()), (path.clone(), "noon"));
        assert_eq!(path.snapshot("noon"), snapshot);
        assert!(DatasetPath::new("tank").unwrap().is_pool());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["", "/tank", "tank/", "a//b", "a@b", "a\u{1b}[2J"] {
            assert!(DatasetPath::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["tank", "tank@", "@s", "a@b@c"] {
            assert!(SnapshotPath::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
