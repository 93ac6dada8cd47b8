//! The contents of file systems and snapshots: a folder each, below `fs` in the data folder, named by the id.
//!
//! A tree is locked by the process that fills it, as a volume's file is. Names from clients are resolved by the kernel beneath the
//! tree's own folder and through no symbolic link, so none leads out of it. Times, owners and extended attributes are not kept in
//! a copy, and neither are devices, sockets and pipes; a copy of a tree that is written to meanwhile is no single moment of it.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, RenameFlags, ResolveFlags, mkdirat, openat2, renameat, renameat_with},
    io::Errno,
};
use sanfleet_driver::ErrorNumber;

mod copy;
mod name;

pub(crate) use name::InnerPath;

use crate::error::{Result, SimError};

/// Where a file is built before it is moved into a tree. Only the holder of the write lock does that.
const INCOMING: &str = "incoming";

#[derive(Debug)]
pub(crate) struct Trees {
    folder: PathBuf,
}

impl Trees {
    /// The folder itself is made with the first tree.
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("fs") }
    }

    fn path(&self, tree: &str) -> PathBuf {
        self.folder.join(tree)
    }

    /// A new empty tree, locked by us. One that is there already belongs to nobody and gives way.
    pub fn create(&self, tree: &str) -> Result<File> {
        let path = self.path(tree);
        self.remove(tree)?;
        let make = || -> io::Result<File> {
            fs::create_dir_all(&self.folder)?;
            DirBuilder::new().mode(0o755).create(&path)?;
            let held = File::open(&path)?;
            held.lock()?;
            Ok(held)
        };
        make().map_err(SimError::file("make the tree", &path))
    }

    /// True when a living process is filling this tree.
    pub fn is_being_filled(&self, tree: &str) -> Result<bool> {
        let path = self.path(tree);
        let held = match File::open(&path) {
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(SimError::file("open", path)(error)),
        };
        match held.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(SimError::file("lock", path)(error)),
        }
    }

    /// Fills an empty tree with the contents of another.
    pub fn fill(&self, tree: &str, from: &str) -> Result<()> {
        copy::tree(&self.path(from), &self.path(tree)).map_err(SimError::file("copy to", self.path(tree)))
    }

    /// Bytes that the files of a tree take.
    pub fn used(&self, tree: &str) -> Result<u64> {
        copy::used(&self.path(tree)).map_err(SimError::file("measure", self.path(tree)))
    }

    /// Puts each tree in the other's place, in one step.
    pub fn exchange(&self, one: &str, other: &str) -> Result<()> {
        renameat_with(CWD, self.path(one), CWD, self.path(other), RenameFlags::EXCHANGE)
            .map_err(|error| SimError::file("exchange", self.path(one))(error.into()))
    }

    /// Removes a tree if it is there.
    pub fn remove(&self, tree: &str) -> Result<()> {
        let path = self.path(tree);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SimError::file("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Everything that is here, trees or not.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(SimError::file("list", &self.folder))?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<io::Result<_>>().map_err(SimError::file("list", &self.folder))
    }

    /// The bytes that a file takes.
    pub fn file_bytes(&self, tree: &str, file: &InnerPath) -> Result<u64> {
        let opened = self.open_file(tree, file)?;
        let found = opened.metadata().map_err(SimError::file("measure", self.path(tree)))?;
        Ok(found.blocks().saturating_mul(512))
    }

    /// Puts a copy of a file in the place of another, whatever was there; folders on the way are made. The holder of the write lock
    /// alone may call this.
    pub fn copy_file(&self, from: (&str, &InnerPath), to: (&str, &InnerPath)) -> Result<()> {
        let source = self.open_file(from.0, from.1)?;
        self.remove(INCOMING)?;
        let incoming = self.path(INCOMING);
        copy::file(&source, &incoming).map_err(SimError::file("copy to", &incoming))?;
        let folder = self.open_folder_for(to.0, to.1)?;
        match renameat(CWD, &incoming, &folder, to.1.file_name()) {
            Ok(()) => Ok(()),
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => Err(refused(to.1, "is a folder")),
            Err(error) => Err(SimError::file("replace a file in", self.path(to.0))(error.into())),
        }
    }

    fn open_file(&self, tree: &str, file: &InnerPath) -> Result<File> {
        let root = self.open_root(tree)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat2(&root, file.as_path(), flags, Mode::empty(), beneath());
        let opened: File = opened.map_err(|error| self.lost(tree, file, error))?.into();
        match opened.metadata() {
            Ok(found) if found.is_file() => Ok(opened),
            Ok(_) => Err(refused(file, "is no file")),
            Err(error) => Err(SimError::file("look into", self.path(tree))(error)),
        }
    }

    /// The folder that the file is in or is to be in, made if it is not there.
    fn open_folder_for(&self, tree: &str, file: &InnerPath) -> Result<File> {
        let mut folder = self.open_root(tree)?;
        for name in file.folders() {
            match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(self.lost(tree, file, error)),
            }
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
            let inner = openat2(&folder, name, flags, Mode::empty(), beneath());
            folder = inner.map_err(|error| self.lost(tree, file, error))?.into();
        }
        Ok(folder)
    }

    fn open_root(&self, tree: &str) -> Result<File> {
        let path = self.path(tree);
        File::open(&path).map_err(SimError::file("open", path))
    }

    fn lost(&self, tree: &str, file: &InnerPath, error: Errno) -> SimError {
        match error {
            Errno::NOENT | Errno::NOTDIR => {
                SimError::refused(ErrorNumber::NotFoundGeneric, format!("there is no file {file}"))
            }
            Errno::LOOP | Errno::XDEV | Errno::NXIO => refused(file, "leads through what is no folder"),
            other => SimError::file("look into", self.path(tree))(other.into()),
        }
    }
}

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS
}

fn refused(file: &InnerPath, why: &str) -> SimError {
    SimError::refused(ErrorNumber::InvalidArgument, format!("{file} {why}"))
}

#[cfg(test)]
mod tests;
