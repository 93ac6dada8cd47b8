//! The test's end of the failpoints: hold a place in a process, see that it was reached, let it go.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::wait;

/// A held place. It is let go when this is dropped.
#[derive(Debug)]
pub struct Hold {
    folder: PathBuf,
    place: &'static str,
}

impl Hold {
    /// `folder` is the process's `SANFLEET_FAILPOINTS`.
    pub fn new(folder: &Path, place: &'static str) -> anyhow::Result<Self> {
        let hold = Self { folder: folder.to_owned(), place };
        let _ = fs::remove_file(hold.file("reached"));
        fs::write(hold.file("hold"), b"")?;
        Ok(hold)
    }

    fn file(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.place))
    }

    /// Forgets that it was reached: by whoever is held there, and stays so.
    pub fn forget(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.file("reached"))?)
    }

    pub async fn reached(&self) -> anyhow::Result<()> {
        let file = self.file("reached");
        wait::until_true(self.place, Duration::from_secs(30), || file.exists()).await
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.file("hold"));
    }
}
