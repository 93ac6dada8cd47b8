//! The array with a password, as the test that administers it sees it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::process::write_private;

#[derive(Debug, Clone)]
pub struct Lockbox {
    folder: PathBuf,
}

impl Lockbox {
    pub fn new(folder: &Path, password: &str) -> anyhow::Result<Self> {
        let lockbox = Self { folder: folder.to_owned() };
        fs::create_dir_all(folder.join("volumes"))?;
        lockbox.lock_with(password)?;
        Ok(lockbox)
    }

    pub fn uri(&self) -> String {
        format!("lockbox://admin@box.example/?folder={}", self.folder.display())
    }

    pub fn lock_with(&self, password: &str) -> anyhow::Result<()> {
        write_private(&self.folder.join("password"), password)
    }

    /// Where the array itself has its password.
    pub fn lock(&self) -> PathBuf {
        self.folder.join("password")
    }

    /// Makes a volume, of which the array tells whoever waits.
    pub fn add_volume(&self, name: &str) -> anyhow::Result<()> {
        fs::write(self.folder.join("volumes").join(name), b"")?;
        Ok(fs::write(self.folder.join("generation"), name)?)
    }

    /// Makes the array `down`, `hung` or `ill`, until it is well again.
    pub fn be(&self, what: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join(what), b"")?)
    }

    pub fn be_no_longer(&self, what: &str) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.folder.join(what))?)
    }

    /// How often it was listed.
    pub fn lists(&self) -> usize {
        fs::read_to_string(self.folder.join("lists")).unwrap_or_default().lines().count()
    }
}
