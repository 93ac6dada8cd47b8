//! Walking a tree: copying it, measuring it. No symbolic link is followed, and what vanishes meanwhile is passed over.

use std::{
    fs::{self, DirEntry, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, symlink},
    path::Path,
};

use rustix::fs::OFlags;

use crate::files::share_or_copy;

/// Copies what is in the folder `from` into the folder `to`.
pub(super) fn tree(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        for entry in entries(&from)? {
            let target = to.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                fs::create_dir(&target)?;
                fs::set_permissions(&target, fs::symlink_metadata(entry.path())?.permissions())?;
                folders.push((entry.path(), target));
            } else if kind.is_symlink() {
                unless_gone(fs::read_link(entry.path()))?
                    .map_or(Ok(()), |leads_to| symlink(leads_to, target))?;
            } else if kind.is_file()
                && let Some(source) = unless_gone(open(&entry.path()))?
            {
                file(&source, &target)?;
            }
        }
    }
    Ok(())
}

/// Copies one file to a place where none is.
pub(super) fn file(source: &File, target: &Path) -> io::Result<()> {
    let copy = OpenOptions::new().read(true).write(true).create_new(true).open(target)?;
    share_or_copy(source, &copy)?;
    copy.set_permissions(source.metadata()?.permissions())
}

/// Bytes that the files below a folder take.
pub(super) fn used(folder: &Path) -> io::Result<u64> {
    let (mut bytes, mut folders) = (0_u64, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let Some(found) = unless_gone(fs::symlink_metadata(entry.path()))? else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.is_file() {
                bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
            }
        }
    }
    Ok(bytes)
}

fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    unless_gone(fs::read_dir(folder))?.map_or(Ok(Vec::new()), Iterator::collect)
}

/// A pipe that took the file's place must not hold us up, nor a link lead us away.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
