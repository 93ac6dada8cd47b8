//! The folder of an array that goes with its session.
//!
//! A process that is killed leaves its folder behind. Whoever makes the next one takes such folders away: a folder is held by a
//! lock as long as its process lives, so one that can be locked is nobody's. Folders of other users are left alone.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};
use tempfile::TempDir;

/// Begins the name of every such folder, and of nothing else.
const PREFIX: &str = "sanfleet-sim-private-";
/// How often a folder is made anew that a sweeper took for a dead one.
const ATTEMPTS: usize = 16;

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    /// Goes first: nobody sweeps what its owner is removing.
    folder: TempDir,
    _held: File,
}

impl PrivateFolder {
    /// A new folder in `parent`, from which those that dead processes left are gone.
    pub fn make(parent: &Path) -> io::Result<Self> {
        sweep(parent)?;
        for _ in 0..ATTEMPTS {
            if let Some(made) = Self::try_make(parent)? {
                return Ok(made);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// None when a sweeper came between the making and the lock.
    fn try_make(parent: &Path) -> io::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let held = match open(folder.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        held.lock()?;
        // What was removed meanwhile has no name any more.
        Ok((held.metadata()?.nlink() > 0).then_some(Self { folder, _held: held }))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A folder that cannot be looked at, locked or removed stays: it is in nobody's way.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            let _ = remove_if_dead(&entry.path());
        }
    }
    Ok(())
}

fn remove_if_dead(path: &Path) -> io::Result<()> {
    let folder = open(path)?;
    let ours = folder.metadata()?.uid() == geteuid().as_raw();
    match ours && folder.try_lock().is_ok() {
        true => fs::remove_dir_all(path),
        false => Ok(()),
    }
}

/// Opens a folder, and nothing that a symbolic link leads to.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let living = PrivateFolder::make(parent.path()).unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir_all(dead.join("data")).unwrap();
        let others = parent.path().join("others");
        fs::create_dir(&others).unwrap();
        std::os::unix::fs::symlink(&others, parent.path().join(format!("{PREFIX}link"))).unwrap();
        fs::write(parent.path().join(format!("{PREFIX}file")), "mine").unwrap();

        let next = PrivateFolder::make(parent.path()).unwrap();
        assert!(!dead.exists() && living.path().is_dir() && others.is_dir());
        drop((living, next));
        assert_eq!(
            names(parent.path()),
            ["others".to_owned(), format!("{PREFIX}file"), format!("{PREFIX}link")]
        );
    }

    #[test]
    fn many_that_make_and_sweep_at_once_take_nothing_from_each_other() {
        let parent = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let made = PrivateFolder::make(parent.path()).unwrap();
                        fs::write(made.path().join("state"), "mine").unwrap();
                        sweep(parent.path()).unwrap();
                        assert_eq!(fs::read(made.path().join("state")).unwrap(), b"mine");
                    }
                });
            }
        });
        assert!(names(parent.path()).is_empty());
    }
}
