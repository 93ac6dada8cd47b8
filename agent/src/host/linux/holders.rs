//! Who keeps a device or a file system busy: found by looking into every process, for a person to read.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

/// So many are named; more would not help anybody.
const NAMED: usize = 4;
/// A process may have millions of open files.
const MAX_FILES: usize = 65_536;

/// Who has a file of the file system at `path` open, as its directory, or mapped.
pub fn of_file_system(path: &Path) -> String {
    let Ok(wanted) = fs::symlink_metadata(path).map(|data| data.dev()) else { return unknown() };
    shown(&processes(|link| device_of(link).is_some_and(|found| found.file_system == wanted)))
}

/// Who has the block device at `path` open, or mounted.
pub fn of_device(path: &Path) -> String {
    let Ok(wanted) = fs::metadata(path).map(|data| data.rdev()) else { return unknown() };
    let mut found = mounts_of(wanted);
    found.extend(processes(|link| device_of(link).is_some_and(|found| found.node == wanted)));
    shown(&found)
}

/// The numbers of a file: of the file system it is on, and of the device it is a node of.
struct Numbers {
    file_system: u64,
    node: u64,
}

/// Asks nobody to go and look: the answer of a dead network file system would never come.
fn device_of(link: &Path) -> Option<Numbers> {
    let data = statx(CWD, link, AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE).ok()?;
    Some(Numbers {
        file_system: makedev(data.stx_dev_major, data.stx_dev_minor),
        node: makedev(data.stx_rdev_major, data.stx_rdev_minor),
    })
}

fn processes(mut uses: impl FnMut(&Path) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()))
        .map(|entry| entry.path())
        .filter(|process| links(process).any(|link| uses(&link)))
        .map(|process| named(&process))
        .take(NAMED + 1)
        .collect()
}

fn links(process: &Path) -> impl Iterator<Item = PathBuf> {
    let fixed = ["cwd", "root", "exe"].map(|name| process.join(name));
    let listed = ["fd", "map_files"].map(|name| process.join(name));
    let open = listed
        .into_iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flat_map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).take(MAX_FILES));
    fixed.into_iter().chain(open)
}

fn named(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    let pid = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{} (process {pid})", sanfleet_protocol::limits::legible(name.trim()))
}

/// Mount points of the device, in the mount namespaces of all processes, as "who (process n) at …" where it is not ours.
fn mounts_of(device: u64) -> Vec<String> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(text) = fs::read_to_string("/proc/self/mountinfo") else { return Vec::new() };
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(2);
            let (found, _, at) = (fields.next()?, fields.next()?, fields.next()?);
            (found == number).then(|| format!("the mount {at}"))
        })
        .take(NAMED)
        .collect()
}

fn shown(found: &[String]) -> String {
    match found {
        [] => unknown(),
        some if some.len() > NAMED => {
            format!("{} and others", some.get(..NAMED).unwrap_or_default().join(", "))
        }
        some => some.join(", "),
    }
}

fn unknown() -> String {
    "somebody whom we cannot see (another mount namespace, a map, swap)".to_owned()
}
