//! The `loop` fabric: what an initiator sees of the array, as folders.
//!
//! `<fabric>/<initiator>/lun-<n>/` holds `disk`, a hard link to the volume's file, and `vpd_pg83`, the raw page 0x83. A
//! publication appears and goes whole: it is built as `.lun-<n>.new` and renamed, and renamed to `.lun-<n>.gone` before it is
//! taken apart. Nobody but the holder of the state file's write lock may change anything here.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use sanfleet_protocol::volume_id::{VolumeId, page};

use crate::error::{Result, SimError};

#[derive(Debug)]
pub(crate) struct Fabric {
    folder: PathBuf,
}

/// A volume under a number of an initiator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    /// Canonical text; never holds a slash.
    pub initiator: String,
    pub lun: i64,
    /// The volume's file, on the same file system as the fabric.
    pub file: PathBuf,
    pub id: VolumeId,
}

impl Fabric {
    /// Opens the folder, made if it is not there.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(SimError::file("make the folder", folder))?;
        let folder = folder.canonicalize().map_err(SimError::file("resolve the folder", folder))?;
        Ok(Self { folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the volume visible under its number, whatever was there before.
    pub fn publish(&self, publication: &Publication) -> Result<()> {
        let place = self.initiator(&publication.initiator).join(lun_name(publication.lun));
        if is_published(&place, publication) {
            return Ok(());
        }
        self.withdraw(&publication.initiator, publication.lun)?;
        build_and_rename(&place, publication).map_err(SimError::file("publish", place))
    }

    /// Takes away what is visible under a number, if anything is.
    pub fn withdraw(&self, initiator: &str, lun: i64) -> Result<()> {
        let place = self.initiator(initiator).join(lun_name(lun));
        rename_and_remove(&place).map_err(SimError::file("withdraw", &place))?;
        // Fails while other numbers are there.
        let _ = fs::remove_dir(self.initiator(initiator));
        Ok(())
    }

    /// Makes all that is visible exactly `wanted`: withdraws first, so that no number ever shows two volumes.
    pub fn align(&self, wanted: &[Publication]) -> Result<()> {
        let wanted_places: BTreeSet<PathBuf> =
            wanted.iter().map(|one| self.initiator(&one.initiator).join(lun_name(one.lun))).collect();
        for initiator in folders(&self.folder)? {
            for place in folders(&initiator)?.into_iter().filter(|place| !wanted_places.contains(place)) {
                rename_and_remove(&place).map_err(SimError::file("withdraw", &place))?;
            }
            let _ = fs::remove_dir(&initiator);
        }
        wanted.iter().try_for_each(|publication| self.publish(publication))
    }

    /// The places where what is visible is not exactly `wanted`: too much, too little, something else.
    pub fn differences(&self, wanted: &[Publication]) -> Result<Vec<PathBuf>> {
        let mut places: BTreeSet<PathBuf> = BTreeSet::new();
        for initiator in folders(&self.folder)? {
            places.extend(folders(&initiator)?);
        }
        for publication in wanted {
            let place = self.initiator(&publication.initiator).join(lun_name(publication.lun));
            match is_published(&place, publication) {
                true => places.remove(&place),
                false => places.insert(place),
            };
        }
        Ok(places.into_iter().collect())
    }

    fn initiator(&self, initiator: &str) -> PathBuf {
        self.folder.join(initiator)
    }
}

fn lun_name(lun: i64) -> String {
    format!("lun-{lun}")
}

/// The folders in a folder, half-built ones too; of a folder that is gone, none.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        let folders = entries.iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        Ok(folders.map(fs::DirEntry::path).collect())
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(SimError::file("list", folder)),
    }
}

fn is_published(place: &Path, publication: &Publication) -> bool {
    let same_file = || -> io::Result<bool> {
        let (shown, volume) = (fs::metadata(place.join("disk"))?, fs::metadata(&publication.file)?);
        Ok((shown.dev(), shown.ino()) == (volume.dev(), volume.ino()))
    };
    let same_page = || {
        fs::read(place.join("vpd_pg83"))
            .is_ok_and(|bytes| bytes == page(std::slice::from_ref(&publication.id)))
    };
    same_file().unwrap_or(false) && same_page()
}

fn build_and_rename(place: &Path, publication: &Publication) -> io::Result<()> {
    let new = beside(place, "new");
    remove_if_there(&new)?;
    fs::create_dir_all(&new)?;
    fs::hard_link(&publication.file, new.join("disk"))?;
    fs::write(new.join("vpd_pg83"), page(std::slice::from_ref(&publication.id)))?;
    fs::rename(&new, place)
}

fn rename_and_remove(place: &Path) -> io::Result<()> {
    let gone = beside(place, "gone");
    remove_if_there(&gone)?;
    match fs::rename(place, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::remove_dir_all(&gone),
    }
}

/// `lun-3` becomes `.lun-3.<end>`; a leftover `.lun-3.new` becomes `..lun-3.new.<end>` and is removed all the same.
fn beside(place: &Path, end: &str) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{end}"))
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "iqn.2026-01.example:db1";

    struct Bench {
        folder: tempfile::TempDir,
        fabric: Fabric,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let fabric = Fabric::open(&folder.path().join("fabric")).unwrap();
            Self { folder, fabric }
        }

        fn publication(&self, lun: i64, volume: &str) -> Publication {
            let file = self.folder.path().join(volume);
            fs::write(&file, volume).unwrap();
            let id = format!("naa.6{:0>31}", volume.len()).parse().unwrap();
            Publication { initiator: HOST.into(), lun, file, id }
        }

        fn shown(&self, lun: i64) -> Option<String> {
            fs::read_to_string(self.fabric.initiator(HOST).join(lun_name(lun)).join("disk")).ok()
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.fabric.initiator(HOST)).into_iter().flatten();
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
        }
    }

    #[test]
    fn a_published_volume_is_the_file_itself_with_its_page() {
        let bench = Bench::new();
        let publication = bench.publication(0, "a");
        bench.fabric.publish(&publication).unwrap();
        fs::write(&publication.file, "written later").unwrap();
        assert_eq!(bench.shown(0).as_deref(), Some("written later"));
        let page = fs::read(bench.fabric.initiator(HOST).join("lun-0/vpd_pg83")).unwrap();
        assert_eq!(sanfleet_protocol::volume_id::designators(&page).unwrap(), [publication.id]);
    }

    #[test]
    fn another_volume_under_a_used_number_replaces_what_is_shown() {
        let bench = Bench::new();
        bench.fabric.publish(&bench.publication(0, "a")).unwrap();
        bench.fabric.publish(&bench.publication(0, "bb")).unwrap();
        assert_eq!(bench.shown(0).as_deref(), Some("bb"));
    }

    #[test]
    fn withdrawing_twice_leaves_nothing() {
        let bench = Bench::new();
        bench.fabric.publish(&bench.publication(3, "a")).unwrap();
        bench.fabric.withdraw(HOST, 3).unwrap();
        bench.fabric.withdraw(HOST, 3).unwrap();
        assert!(!bench.fabric.initiator(HOST).exists());
    }

    #[test]
    fn aligning_removes_the_unwanted_and_the_half_built_and_adds_the_missing() {
        let bench = Bench::new();
        bench.fabric.publish(&bench.publication(1, "unwanted")).unwrap();
        for half in [".lun-4.new", ".lun-5.gone"] {
            fs::create_dir(bench.fabric.initiator(HOST).join(half)).unwrap();
        }
        bench.fabric.align(&[bench.publication(2, "wanted")]).unwrap();
        assert_eq!(bench.names(), ["lun-2"]);
        assert_eq!(bench.shown(2).as_deref(), Some("wanted"));
    }
}
