//! Files that are there in one piece: whoever reads one, or looks after a crash, finds the old text or the new one.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::Path,
};

use rustix::fs::OFlags;

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

/// Puts a file with this text where another is, or none. It has its access before it has its name.
pub fn replace(path: &Path, text: &str, access: Access) -> io::Result<()> {
    let new = path.with_added_extension("new");
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(access.mode))?;
    if let Some(owner) = access.owner {
        fchown(&file, Some(owner.id), Some(owner.group))?;
    }
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder_of(path)
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
    fn a_symbolic_link_in_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.key"), folder.path().join("other"));
        fs::write(&other, "somebody's").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("a.key.new")).unwrap();
        assert!(replace(&path, "ours", Access::PRIVATE).is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "somebody's");
    }
}
