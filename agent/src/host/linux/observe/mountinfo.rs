//! Reads `/proc/self/mountinfo` (Linux `Documentation/filesystems/proc.rst`, section 3.5; proc(5)).
//!
//! Fields stand between single blanks, and blanks, tabs, line ends and backslashes inside them are written in octal. A field
//! may be empty, so runs of blanks mean something. A line that is not of this form is passed over.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use crate::host::{DeviceNumber, MountEntry};

/// A line of the table: the mount, and what it was mounted from in the file system's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub entry: MountEntry,
    pub source: PathBuf,
}

pub fn parse(table: &[u8]) -> Vec<Line> {
    table.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Line> {
    let mut fields = line.split(|byte| *byte == b' ');
    let _mount_id = fields.next()?;
    let _parent_id = fields.next()?;
    let device = number(fields.next()?)?;
    let root = path(fields.next()?);
    let mount_point = path(fields.next()?);
    let options = fields.next()?;
    // Any number of optional fields, ended by a single hyphen.
    fields.by_ref().find(|field| *field == b"-")?;
    let file_system = String::from_utf8_lossy(&unescaped(fields.next()?)).into_owned();
    let source = path(fields.next()?);
    let super_options = fields.next()?;
    let read_only = has_ro(options) || has_ro(super_options);
    Some(Line { entry: MountEntry { mount_point, device, file_system, read_only, root }, source })
}

fn number(field: &[u8]) -> Option<DeviceNumber> {
    let (major, minor) = std::str::from_utf8(field).ok()?.split_once(':')?;
    Some(DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

fn has_ro(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == b"ro")
}

fn path(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescaped(field)))
}

/// Turns `\040` and its like back into the byte; a backslash that begins no escape stays.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn only(table: &str) -> Line {
        let lines = parse(table.as_bytes());
        assert_eq!(lines.len(), 1, "{table}");
        lines.into_iter().next().unwrap()
    }

    #[test]
    fn a_line_gives_device_mount_point_type_and_mode() {
        let it =
            only("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n");
        assert_eq!(it.entry.device, DeviceNumber { major: 98, minor: 0 });
        assert_eq!(it.entry.root, Path::new("/mnt1"));
        assert_eq!(it.entry.mount_point, Path::new("/mnt2"));
        assert_eq!(it.entry.file_system, "ext3");
        assert_eq!(it.source, Path::new("/dev/root"));
        assert!(!it.entry.read_only);
    }

    #[test]
    fn a_mount_is_read_only_by_its_own_or_by_its_file_systems_option() {
        assert!(only("1 1 8:0 / /a ro,nodev - ext4 /dev/sda rw").entry.read_only);
        assert!(only("1 1 8:0 / /a rw - ext4 /dev/sda ro,seclabel").entry.read_only);
        assert!(!only("1 1 8:0 / /a rw,norelatime - ext4 /dev/sda rw,errors=remount-ro").entry.read_only);
    }

    #[test]
    fn blanks_and_backslashes_in_a_path_are_read_back() {
        let it = only(r"1 1 8:0 / /srv/my\040data\134x\011\012 rw - ext4 /dev/sda rw");
        assert_eq!(it.entry.mount_point, Path::new("/srv/my data\\x\t\n"));
        let odd = only(r"1 1 8:0 / /a\9\04 rw - ext4 /dev/sda rw");
        assert_eq!(odd.entry.mount_point, Path::new(r"/a\9\04"));
    }

    #[test]
    fn an_empty_source_is_a_field_too() {
        let it = only("1 1 0:30 / /a rw - tmpfs  rw,size=1k");
        assert_eq!(it.source, Path::new(""));
        assert_eq!(it.entry.file_system, "tmpfs");
    }

    #[test]
    fn a_line_that_is_cut_short_is_passed_over_and_the_others_are_read() {
        let table = "1 1 8:0 / /a rw - ext4\n\n1 1 8:x / /b rw - ext4 /dev/sda rw\n1 1 8:0 / /c rw - ext4 /dev/sda rw\n";
        assert_eq!(only(table).entry.mount_point, Path::new("/c"));
    }

    #[test]
    fn the_table_of_this_very_process_is_read_whole() {
        let table = std::fs::read("/proc/self/mountinfo").unwrap();
        let lines = table.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(parse(&table).len(), lines);
    }

    /// As the kernel writes a path (fs/proc_namespace.c, mangle_path).
    fn escaped(path: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in path {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' | b'#' => out.extend(format!("\\{byte:03o}").bytes()),
                other => out.push(*other),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_passed_over(table in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&table);
        }

        #[test]
        fn lines_of_shuffled_fields_never_panic(table in "([0-9:]{1,5}|/[a-z\\\\0-7]{0,6}|-|rw|ro| |\n){0,40}") {
            let _ = parse(table.as_bytes());
        }

        #[test]
        fn any_path_that_the_kernel_writes_reads_back(path in proptest::collection::vec(1u8.., 1..60)) {
            let mut table = b"1 1 8:0 / ".to_vec();
            table.extend(escaped(&path));
            table.extend(b" rw - ext4 /dev/sda rw\n");
            let lines = parse(&table);
            prop_assert_eq!(lines.len(), 1);
            prop_assert_eq!(lines[0].entry.mount_point.as_os_str().as_encoded_bytes(), &path[..]);
        }
    }
}
