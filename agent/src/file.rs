//! Files that are there in one piece: whoever reads one, or looks after a crash, finds the old text or the new one.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::Path,
};

use crate::passwd::User;

/// To whom a file is open.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// Whatever the umask is.
    pub mode: u32,
    /// Us, unless given.
    pub owner: Option<User>,
}

impl Access {
    /// Its owner alone reads and writes it.
    pub const PRIVATE: Self = Self { mode: 0o600, owner: None };
    /// Everybody reads it.
    pub const PUBLIC: Self = Self { mode: 0o644, owner: None };
}

/// Puts a file with this text where another is, or none. It has its access before it has its text, and its text before it has its name.
pub fn replace(path: &Path, text: &str, access: Access) -> io::Result<()> {
    let new = path.with_added_extension("new");
    // Left by one that was killed, with an access of its own; or a link that leads elsewhere.
    remove(&new)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    if let Some(owner) = access.owner {
        fchown(&file, Some(owner.id), Some(owner.group))?;
    }
    file.set_permissions(Permissions::from_mode(access.mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder_of(path)
}

/// A file that is not there is as good as one that was removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// So that the names in it outlive a crash.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_access_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        fs::write(folder.path().join("a.key.new"), "left by one that was killed, and longer").unwrap();
        for (text, access) in [("one", Access::PUBLIC), ("two", Access::PRIVATE)] {
            replace(&path, text, access).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, access.mode);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_of_what_lies_in_the_way_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("a.key"), folder.path().join("a.key.new"));
        let other = folder.path().join("other");
        fs::write(&other, "somebody's").unwrap();
        std::os::unix::fs::symlink(&other, &new).unwrap();
        replace(&path, "ours", Access::PRIVATE).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "somebody's");
        // Whoever has it open already would read along.
        fs::write(&new, "left, and open to all").unwrap();
        let mut open = File::open(&new).unwrap();
        replace(&path, "secret", Access::PRIVATE).unwrap();
        assert_eq!(io::read_to_string(&mut open).unwrap(), "left, and open to all");
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret");
    }
}
