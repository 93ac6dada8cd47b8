//! Many processes on one array, and file systems that can share blocks.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use sanfleet_driver::{Provisioning, ReplicateType, Volume};

use crate::bench::{Bench, HOST_A, clone, done, group, pool, volume};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn two_processes_at_once_share_ids_names_numbers_and_space() {
    let bench = Bench::new();
    // Both find no array there: one of them makes it.
    let (mut a, mut b) = tokio::join!(bench.open(), bench.open());
    let group = group(&mut a, "a", HOST_A).await;
    let pool = pool(&mut a).await;
    for round in 0..20 {
        let (name_a, name_b) = (format!("a{round}"), format!("b{round}"));
        let (made_a, made_b) = tokio::join!(
            a.volume_create(&pool, &name_a, 4096, Provisioning::DEFAULT),
            b.volume_create(&pool, &name_b, 4096, Provisioning::DEFAULT),
        );
        let (made_a, made_b) = (done(made_a.unwrap()), done(made_b.unwrap()));
        let (masked_a, masked_b) =
            tokio::join!(a.volume_mask(&group, &made_a), b.volume_mask(&group, &made_b));
        masked_a.unwrap();
        masked_b.unwrap();
    }
    let volumes = b.volumes(None).await.unwrap();
    let ids: BTreeSet<_> = volumes.iter().map(|volume| volume.id.clone()).collect();
    assert_eq!((ids.len(), bench.files().len(), bench.shown().len()), (40, 40, 40));
    let inodes: BTreeSet<u64> = bench.shown().into_values().collect();
    assert_eq!(inodes, volumes.iter().map(|volume| bench.inode(volume)).collect());
}

/// A file system in a file, mounted; unmounted and its loop device freed when dropped.
struct Mounted {
    at: PathBuf,
    _folder: tempfile::TempDir,
}

impl Mounted {
    /// None without the right to mount.
    fn xfs() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (image, at) = (folder.path().join("image"), folder.path().join("mounted"));
        File::create(&image).unwrap().set_len(512 * MIB).unwrap();
        fs::create_dir(&at).unwrap();
        run("mkfs.xfs", &[Path::new("-q"), &image]);
        run("mount", &[Path::new("-o"), Path::new("loop"), &image, &at]);
        Some(Self { at, _folder: folder })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &[&self.at]);
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let status = Command::new(program).args(arguments).env("PATH", path).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

fn fill(bench: &Bench, volume: &Volume, bytes: u64) {
    let mut file = File::options().write(true).open(bench.file_of(volume)).unwrap();
    let block: Vec<u8> = (0..MIB).map(|at| (at % 251) as u8).collect();
    for _ in 0..bytes / MIB {
        file.write_all(&block).unwrap();
    }
    // As a quiesced database leaves it.
    file.sync_all().unwrap();
}

fn free_bytes(path: &Path) -> u64 {
    let found = rustix::fs::statvfs(path).unwrap();
    found.f_bavail * found.f_frsize
}

#[tokio::test]
async fn a_clone_on_a_file_system_that_can_share_blocks_takes_no_space() {
    let Some(xfs) = Mounted::xfs() else {
        eprintln!("not root: nothing mounted, nothing tested");
        return;
    };
    let bench = Bench::at(&xfs.at);
    let mut session = bench.open().await;
    let source = volume(&mut session, "source", 256 * MIB).await;
    fill(&bench, &source, 64 * MIB);
    let before = free_bytes(&xfs.at);
    for round in 0..5 {
        let start = Instant::now();
        let name = format!("clone {round}");
        let clone = session.volume_replicate(None, ReplicateType::CLONE, &source, &name).await.unwrap();
        eprintln!("reflink of 64 MiB on XFS: {:?}", start.elapsed());
        let clone = done(clone);
        assert_eq!(fs::read(bench.file_of(&clone)).unwrap(), fs::read(bench.file_of(&source)).unwrap());
    }
    let taken = before.saturating_sub(free_bytes(&xfs.at));
    assert!(taken < 16 * MIB, "five clones took {taken} bytes");
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_clone_on_any_file_system_is_whole() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let source = volume(&mut session, "source", 256 * MIB).await;
    fill(&bench, &source, 64 * MIB);
    let start = Instant::now();
    let copy = clone(&mut session, &source, "clone").await;
    eprintln!("clone of 64 MiB in {}: {:?}", std::env::temp_dir().display(), start.elapsed());
    assert_eq!(fs::read(bench.file_of(&copy)).unwrap(), fs::read(bench.file_of(&source)).unwrap());
}
