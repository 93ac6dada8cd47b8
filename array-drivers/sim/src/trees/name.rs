//! The name of a file within a file system, as a client gives it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use sanfleet_driver::ErrorNumber;

use crate::error::{Result, SimError};

const LONGEST: usize = 4095;
const LONGEST_PART: usize = 255;

/// A path from the root of a file system down to a file: parts without `..`, at least one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InnerPath {
    folders: Vec<String>,
    file: String,
}

impl InnerPath {
    /// Reads a name; a leading slash is the file system's root. What cannot be a file beneath it is refused.
    pub fn parse(name: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let shown: String = name.chars().take(80).collect();
            SimError::refused(
                ErrorNumber::InvalidArgument,
                format!("{shown:?} is no file of a file system: {why}"),
            )
        };
        if name.len() > LONGEST || name.contains('\0') {
            return Err(refuse("too long, or not text"));
        }
        if name.ends_with('/') {
            return Err(refuse("it ends with a slash"));
        }
        let mut parts: Vec<String> =
            name.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
        if parts.iter().any(|part| part == ".." || part.len() > LONGEST_PART) {
            return Err(refuse("it has a part that no file below may have"));
        }
        let file = parts.pop().ok_or_else(|| refuse("it is empty"))?;
        Ok(Self { folders: parts, file })
    }

    pub fn folders(&self) -> &[String] {
        &self.folders
    }

    pub fn file_name(&self) -> &str {
        &self.file
    }

    pub fn as_path(&self) -> PathBuf {
        self.folders.iter().map(Path::new).chain([Path::new(&self.file)]).collect()
    }
}

impl fmt::Display for InnerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.folders.iter().try_for_each(|folder| write!(f, "{folder}/"))?;
        f.write_str(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_file_has_one_name_however_it_is_spelled() {
        for spelling in ["a/b", "/a/b", "a//b", "./a/./b"] {
            assert_eq!(InnerPath::parse(spelling).unwrap().to_string(), "a/b");
        }
    }

    #[test]
    fn what_is_no_file_beneath_the_root_is_refused() {
        for bad in ["", "/", ".", "..", "a/../b", "../etc/passwd", "a/", "a/..", "a\0b"] {
            assert!(InnerPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_climbs_or_starts_elsewhere(name in prop_oneof!["[./a\\\\ ]{0,12}", "\\PC{0,30}"]) {
            if let Ok(inner) = InnerPath::parse(&name) {
                let path = inner.as_path();
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(InnerPath::parse(&inner.to_string()).unwrap(), inner);
            }
        }
    }
}
