//! The volumes' contents: one sparse file a volume in one folder, named by the volume's id.
//!
//! A file is locked by the process that fills it, from before its volume is recorded until the volume is ready: a volume that
//! is not ready and whose file nobody holds was left by a process that died.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, SeekFrom, copy_file_range, fallocate, ioctl_ficlone, seek},
    io::Errno,
};

use crate::{
    error::{Result, SimError},
    identity,
};

#[derive(Debug)]
pub(crate) struct VolumeFiles {
    folder: PathBuf,
}

/// A piece of one file and its place in another, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub from: u64,
    pub to: u64,
    pub length: u64,
}

impl VolumeFiles {
    /// Opens the folder, made if it is not there.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(SimError::file("make the folder", folder))?;
        let folder = folder.canonicalize().map_err(SimError::file("resolve the folder", folder))?;
        Ok(Self { folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn path(&self, row: i64) -> PathBuf {
        self.folder.join(identity::volume(row).as_str())
    }

    /// A new empty file, locked by us. One that is there already belongs to no volume and gives way.
    pub fn create(&self, row: i64) -> Result<File> {
        let path = self.path(row);
        self.remove(row)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(SimError::file("create", &path))?;
        file.lock().map_err(SimError::file("lock", &path))?;
        Ok(file)
    }

    pub fn read(&self, row: i64) -> Result<File> {
        let path = self.path(row);
        File::open(&path).map_err(SimError::file("open", path))
    }

    pub fn write(&self, row: i64) -> Result<File> {
        let path = self.path(row);
        OpenOptions::new().read(true).write(true).open(&path).map_err(SimError::file("open", path))
    }

    /// Bytes; none without a file.
    pub fn size(&self, row: i64) -> Result<Option<u64>> {
        let path = self.path(row);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SimError::file("look at", path)(error)),
        }
    }

    /// Makes the file as long as its volume.
    pub fn set_size(&self, row: i64, file: &File, bytes: u64) -> Result<()> {
        file.set_len(bytes).map_err(SimError::file("resize", self.path(row)))
    }

    /// Lets `target` share all of `source`'s blocks. False when the file system cannot.
    pub fn reflink(&self, row: i64, source: &File, target: &File) -> Result<bool> {
        match ioctl_ficlone(target, source) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS) => Ok(false),
            Err(error) => Err(SimError::file("clone to", self.path(row))(error.into())),
        }
    }

    /// Copies what `source` holds, leaving its holes holes. The file system may share blocks beneath; the contents are apart.
    pub fn copy(&self, row: i64, source: &File, target: &File) -> Result<()> {
        sparse_copy(source, target).map_err(SimError::file("copy to", self.path(row)))
    }

    /// Makes `target`, which is as long, hold what `source` holds. Whoever has it open sees it change piece by piece.
    pub fn update(&self, row: i64, source: &File, target: &File) -> Result<()> {
        if self.reflink(row, source, target)? {
            return Ok(());
        }
        overwrite(source, target).map_err(SimError::file("copy to", self.path(row)))
    }

    /// Copies a piece to a place in another file, or elsewhere in the same one, where nothing of it may be. The file system shares
    /// the blocks where it can; the contents are apart.
    pub fn copy_piece(&self, row: i64, source: &File, target: &File, piece: &Piece) -> Result<()> {
        copy_range(source, piece.from, target, piece.to, piece.length)
            .map_err(SimError::file("copy to", self.path(row)))
    }

    /// Removes a file if it is there.
    pub fn remove(&self, row: i64) -> Result<()> {
        let path = self.path(row);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SimError::file("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// True when a living process is filling this file.
    pub fn is_being_filled(&self, row: i64) -> Result<bool> {
        let path = self.path(row);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(SimError::file("open", path)(error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(SimError::file("lock", path)(error)),
        }
    }

    /// The volumes that have a file here. Files that are none of ours are passed over.
    pub fn rows(&self) -> Result<Vec<i64>> {
        let list = || -> io::Result<Vec<i64>> {
            let names = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name()));
            let names = names.collect::<io::Result<Vec<_>>>()?;
            Ok(names.iter().filter_map(|name| identity::volume_row(name.to_str()?)).collect())
        };
        list().map_err(SimError::file("list", &self.folder))
    }
}

/// Fills an empty file.
fn sparse_copy(source: &File, target: &File) -> io::Result<()> {
    let size = source.metadata()?.len();
    target.set_len(size)?;
    let mut at = 0;
    while let Some((start, end)) = next_data(source, at, size)? {
        copy_range(source, start, target, start, end - start)?;
        at = end;
    }
    Ok(())
}

/// Makes a file of the same size hold what the source holds, and nothing else.
fn overwrite(source: &File, target: &File) -> io::Result<()> {
    let size = source.metadata()?.len();
    let mut at = 0;
    while at < size {
        let (start, end) = next_data(source, at, size)?.unwrap_or((size, size));
        if at < start {
            fallocate(target, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, start - at)?;
        }
        copy_range(source, start, target, start, end - start)?;
        at = end;
    }
    Ok(())
}

/// Where the next data from `at` on begins and ends; none when a hole reaches to the end.
fn next_data(source: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= size {
        return Ok(None);
    }
    match seek(source, SeekFrom::Data(at)) {
        // A file that others write may have grown since its size was asked for.
        Ok(start) if start >= size => Ok(None),
        Ok(start) => Ok(Some((start, seek(source, SeekFrom::Hole(start))?.min(size)))),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn copy_range(source: &File, start: u64, target: &File, target_start: u64, length: u64) -> io::Result<()> {
    let (mut from, mut to) = (start, target_start);
    while from < start + length {
        let left = usize::try_from(start + length - from).unwrap_or(usize::MAX);
        if copy_file_range(source, Some(&mut from), target, Some(&mut to), left)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    fn files() -> (tempfile::TempDir, VolumeFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = VolumeFiles::open(&folder.path().join("data")).unwrap();
        (folder, files)
    }

    #[test]
    fn a_copy_has_the_data_and_the_holes_of_its_source() {
        let (_folder, files) = files();
        let (source, target) = (files.create(1).unwrap(), files.create(2).unwrap());
        files.set_size(1, &source, 64 << 20).unwrap();
        source.write_all_at(b"begin", 0).unwrap();
        source.write_all_at(b"middle", 40 << 20).unwrap();
        files.copy(2, &source, &target).unwrap();

        let mut read = [0; 6];
        target.read_exact_at(&mut read, 40 << 20).unwrap();
        assert_eq!(&read, b"middle");
        let (source, target) = (source.metadata().unwrap(), target.metadata().unwrap());
        assert_eq!(target.len(), source.len());
        assert!(target.blocks() * 512 < 1 << 20, "{} blocks for two written pages", target.blocks());
    }

    #[test]
    fn an_update_takes_away_what_the_source_does_not_hold() {
        let (_folder, files) = files();
        let (source, target) = (files.create(1).unwrap(), files.create(2).unwrap());
        files.set_size(1, &source, 8 << 20).unwrap();
        files.set_size(2, &target, 8 << 20).unwrap();
        source.write_all_at(b"kept", 4 << 20).unwrap();
        target.write_all_at(b"gone", 0).unwrap();
        target.write_all_at(b"gone", (8 << 20) - 4).unwrap();
        files.update(2, &source, &target).unwrap();
        assert_eq!(fs::read(files.path(2)).unwrap(), fs::read(files.path(1)).unwrap());
    }

    #[test]
    fn a_file_is_being_filled_as_long_as_its_maker_holds_it() {
        let (_folder, files) = files();
        let file = files.create(1).unwrap();
        assert!(files.is_being_filled(1).unwrap());
        drop(file);
        assert!(!files.is_being_filled(1).unwrap());
        assert!(!files.is_being_filled(2).unwrap());
    }

    #[test]
    fn a_file_that_nobody_knows_gives_way_and_files_of_others_are_passed_over() {
        let (_folder, files) = files();
        fs::write(files.path(1), "stray").unwrap();
        fs::write(files.folder().join("notes.txt"), "mine").unwrap();
        assert_eq!(files.create(1).unwrap().metadata().unwrap().len(), 0);
        assert_eq!(files.rows().unwrap(), [1]);
    }
}
