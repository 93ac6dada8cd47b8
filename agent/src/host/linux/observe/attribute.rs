//! Small files of the kernel and the system, read with a bound.
//!
//! An attribute that cannot be read is absent: a driver may refuse one with EACCES, EINVAL or ENODATA, and any may vanish
//! with its device between two reads.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    str::FromStr,
};

use rustix::fs::OFlags;
use sanfleet_protocol::limits;

/// An attribute in sysfs is at most a page; the binary VPD pages are at most 64 KiB and their header.
const MAX_BYTES: usize = 64 * 1024 + 4;
const PAGE_BYTES: usize = 4096;

/// Without O_NONBLOCK, opening a FIFO that somebody put there would hang.
fn open(path: &Path) -> Option<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path).ok()
}

/// The whole file, if it is a regular one (as all of sysfs is) and not larger than `at_most` bytes.
pub fn bounded(path: &Path, at_most: u64) -> Option<Vec<u8>> {
    let file = open(path)?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(at_most.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= at_most).then_some(bytes)
}

/// The same for what is no larger than an attribute may be. sysfs gives a page at a time, or all that there is: what ends within
/// a page is at its end.
pub fn bytes(path: &Path) -> Option<Vec<u8>> {
    let mut file = open(path)?;
    let mut all = Vec::new();
    loop {
        let mut page = [0; PAGE_BYTES];
        let read = file.read(&mut page).ok()?;
        all.extend_from_slice(page.get(..read)?);
        if all.len() > MAX_BYTES {
            return None;
        }
        if read < PAGE_BYTES {
            return Some(all);
        }
    }
}

/// The text without blanks around it, made fit to be shown; absent when nothing is left.
pub fn text(path: &Path) -> Option<String> {
    legible(&bytes(path)?)
}

pub fn number<T: FromStr>(path: &Path) -> Option<T> {
    text(path)?.parse().ok()
}

/// Text that a device made up: trimmed of blanks and NULs, without what could drive a terminal.
pub fn legible(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| limits::legible(text).replace('\n', "\u{fffd}"))
}

/// The names in a directory, sorted; none when it is not there.
pub fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_the_bound_is_absent_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(bounded(&file, 5).as_deref(), Some(b"12345".as_slice()));
        assert_eq!(bounded(&file, 4), None);
    }

    #[test]
    fn a_fifo_in_the_place_of_a_file_does_not_hang_us() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert_eq!((bounded(&fifo, 5), text(&fifo)), (None, None));
    }

    #[test]
    fn what_a_device_says_of_itself_is_trimmed_and_made_harmless() {
        assert_eq!(legible(b"LIO-ORG \n").as_deref(), Some("LIO-ORG"));
        assert_eq!(legible(b"\0 3LZv\x1bmO\0").as_deref(), Some("3LZv\u{fffd}mO"));
        assert_eq!(legible(b" \0\n"), None);
    }
}
