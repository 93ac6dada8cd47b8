//! Folders of sysfs. Whatever cannot be read says nothing; only writing tells why it cannot be done.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// More than any page of a disk holds.
const MAX_FILE: usize = 128 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// Where sysfs is, unless a test says otherwise.
    pub fn root() -> Self {
        Self::new("/sys")
    }

    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn inner(&self, name: &str) -> Self {
        Self(self.0.join(name))
    }

    /// Where it is in the tree of devices: most folders that one begins with are links into it.
    pub fn in_tree(&self) -> Self {
        Self(fs::canonicalize(&self.0).unwrap_or_default())
    }

    /// The folders in it whose names begin like this, by name.
    pub fn folders(&self, beginning: &str) -> Vec<Self> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(beginning));
        let mut folders: Vec<_> =
            named.map(|entry| entry.path()).filter(|path| path.is_dir()).map(Self).collect();
        folders.sort_by(|one, other| one.0.cmp(&other.0));
        folders
    }

    pub fn has(&self, file: &str) -> bool {
        self.0.join(file).exists()
    }

    /// What is in a file but for the blanks around it; none of an empty one.
    pub fn text(&self, file: &str) -> Option<String> {
        let bytes = self.read(file)?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub fn read(&self, file: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.0.join(file)).ok()?;
        (bytes.len() <= MAX_FILE).then_some(bytes)
    }

    /// Writes into a file that is there.
    pub fn write(&self, file: &str, text: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.0.join(file))?.write_all(text.as_bytes())
    }
}

/// A root of its own, filled file by file.
#[cfg(test)]
pub mod fake {
    use super::*;

    pub struct Sysfs(tempfile::TempDir);

    impl Sysfs {
        pub fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("block")).unwrap();
            Self(folder)
        }

        pub fn root(&self) -> Folder {
            Folder::new(self.0.path())
        }

        pub fn with(self, file: &str, bytes: &[u8]) -> Self {
            let path = self.0.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            self
        }

        /// A link to a folder, which need not be there yet.
        pub fn linked(self, link: &str, target: &str) -> Self {
            let path = self.0.path().join(link);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(self.0.path().join(target), path).unwrap();
            self
        }

        pub fn text(&self, file: &str) -> String {
            fs::read_to_string(self.0.path().join(file)).unwrap()
        }
    }
}
