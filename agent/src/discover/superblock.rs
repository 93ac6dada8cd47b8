//! What a block device holds, told from its first 68 KiB: file system or container, UUID and label.
//!
//! It refuses to guess: when two signatures are found, one of them is left over from another life of the device, and
//! naming either could get the wrong one mounted. It looks at the beginning only, so Linux RAID metadata of the
//! versions that live at a device's end (0.90 and 1.0) is not seen.

use std::io;

use crate::host::FileSystem;

mod container;
mod field;
mod file_system;

use field::Head;

/// One format that is recognised: gives what it found, or nothing.
type Format = fn(&Head) -> Option<FileSystem>;

/// A container may carry what looks like the superblock of its content, so that containers are asked first.
const CONTAINERS: [Format; 3] = [container::luks, container::linux_raid, container::lvm2];
const FILE_SYSTEMS: [Format; 5] =
    [file_system::xfs, file_system::ext, file_system::btrfs, file_system::swap, file_system::vfat];

/// Reads the beginning of a device and says what is on it; `None` when there is nothing that we know.
///
/// `read_at` fills the buffer from an offset in bytes; an [`io::ErrorKind::UnexpectedEof`] ends a short device.
/// Errors are those of `read_at`, and [`io::ErrorKind::InvalidData`] when two signatures contradict each other.
pub fn parse(read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>) -> io::Result<Option<FileSystem>> {
    identify(&Head::read(read_at)?)
}

fn identify(head: &Head) -> io::Result<Option<FileSystem>> {
    if let Some(container) = CONTAINERS.iter().find_map(|format| format(head)) {
        return Ok(Some(container));
    }
    let mut found = FILE_SYSTEMS.iter().filter_map(|format| format(head));
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("has the signatures of both {} and {}", one.kind, other.kind),
        )),
        (one, _) => Ok(one),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::FileExt, path::Path, process::Command};

    use proptest::prelude::*;

    use super::*;

    fn parse_file(path: &Path) -> io::Result<Option<FileSystem>> {
        let file = std::fs::File::open(path)?;
        parse(|offset, buffer| file.read_exact_at(buffer, offset))
    }

    fn parse_bytes(bytes: &[u8]) -> io::Result<Option<FileSystem>> {
        identify(&Head::of(bytes))
    }

    /// A device of zeros with the given bytes at the given places.
    fn device(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; 80 * 1024];
        for (at, part) in parts {
            bytes[*at..at + part.len()].copy_from_slice(part);
        }
        bytes
    }

    fn found(parts: &[(usize, &[u8])]) -> (String, String, String) {
        let it = parse_bytes(&device(parts)).unwrap().expect("a signature");
        (it.kind, it.uuid, it.label)
    }

    fn expect(kind: &str, uuid: &str, label: &str) -> (String, String, String) {
        (kind.to_owned(), uuid.to_owned(), label.to_owned())
    }

    const UUID: [u8; 16] =
        [0x0f, 0xce, 0x5a, 0x3d, 0x11, 0x22, 0x43, 0x44, 0x85, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc];
    const UUID_TEXT: &str = "0fce5a3d-1122-4344-8566-778899aabbcc";

    #[test]
    fn ext2_ext3_and_ext4_are_told_apart_by_their_features() {
        let ext = |compat: u32, incompat: u32, ro_compat: u32| {
            let (compat, incompat, ro_compat) =
                (compat.to_le_bytes(), incompat.to_le_bytes(), ro_compat.to_le_bytes());
            found(&[
                (0x438, &[0x53, 0xef]),
                (0x45c, &compat),
                (0x460, &incompat),
                (0x464, &ro_compat),
                (0x468, &UUID),
                (0x478, b"data"),
            ])
            .0
        };
        assert_eq!(ext(0x38, 0x2, 0x3), "ext2");
        assert_eq!(ext(0x3c, 0x2, 0x3), "ext3");
        assert_eq!(ext(0x3c, 0x6, 0x3), "ext3", "a journal that has to be replayed");
        assert_eq!(ext(0x3c, 0x2c2, 0x46b), "ext4");
        assert_eq!(ext(0x38, 0x2c2, 0x46b), "ext4", "without a journal");
        assert_eq!(ext(0x0, 0x8, 0x0), "jbd", "a journal of its own is not mounted");
    }

    #[test]
    fn an_xfs_superblock_gives_uuid_and_label() {
        let sector = 512u16.to_be_bytes();
        let parts: [(usize, &[u8]); 5] =
            [(0, b"XFSB"), (4, &4096u32.to_be_bytes()), (32, &UUID), (102, &sector), (108, b"golden image")];
        assert_eq!(found(&parts), expect("xfs", UUID_TEXT, "golden image"));
    }

    #[test]
    fn a_btrfs_superblock_gives_uuid_and_label() {
        let parts: [(usize, &[u8]); 3] =
            [(0x10020, &UUID), (0x10040, b"_BHRfS_M"), (0x1012b, "Überlauf".as_bytes())];
        assert_eq!(found(&parts), expect("btrfs", UUID_TEXT, "Überlauf"));
    }

    #[test]
    fn swap_is_found_for_every_page_size() {
        for page in [4096, 8192, 16384, 32768, 65536] {
            let version = 1u32.to_le_bytes();
            let parts: [(usize, &[u8]); 4] =
                [(page - 10, b"SWAPSPACE2"), (1024, &version), (1036, &UUID), (1052, b"s1")];
            assert_eq!(found(&parts), expect("swap", UUID_TEXT, "s1"));
        }
    }

    #[test]
    fn a_fat_boot_sector_gives_serial_and_label_and_a_partition_table_is_none() {
        let parts: [(usize, &[u8]); 5] = [
            (0, &[0xeb, 0x58, 0x90]),
            (11, &[0, 2, 4, 32, 0, 2]),
            (0x43, &[0x78, 0x56, 0xcd, 0xab]),
            (0x47, b"NO NAME    FAT32   "),
            (0x1fe, &[0x55, 0xaa]),
        ];
        assert_eq!(found(&parts), expect("vfat", "ABCD-5678", ""));
        assert_eq!(parse_bytes(&device(&[(0x1fe, &[0x55, 0xaa])])).unwrap(), None);
    }

    #[test]
    fn luks_of_both_versions_gives_its_uuid_and_only_the_second_has_a_label() {
        let luks = |version: [u8; 2]| {
            found(&[(0, b"LUKS\xba\xbe"), (6, &version), (24, b"vault"), (168, UUID_TEXT.as_bytes())])
        };
        assert_eq!(luks([0, 1]), expect("crypto_LUKS", UUID_TEXT, ""));
        assert_eq!(luks([0, 2]), expect("crypto_LUKS", UUID_TEXT, "vault"));
    }

    #[test]
    fn a_physical_volume_of_lvm_is_found_in_any_of_the_first_four_sectors() {
        for sector in 0u64..4 {
            let at = usize::try_from(sector).unwrap() * 512;
            let parts: [(usize, &[u8]); 5] = [
                (at, b"LABELONE"),
                (at + 8, &sector.to_le_bytes()),
                (at + 20, &32u32.to_le_bytes()),
                (at + 24, b"LVM2 001"),
                (at + 32, b"2B8XyZ0123456789abcdefghijklmnop"),
            ];
            assert_eq!(found(&parts), expect("LVM2_member", "2B8XyZ-0123-4567-89ab-cdef-ghij-klmnop", ""));
        }
    }

    #[test]
    fn a_member_of_a_linux_raid_hides_the_file_system_in_its_front() {
        for start in [0, 4096] {
            let parts: [(usize, &[u8]); 5] = [
                (start, &0xa92b_4efcu32.to_le_bytes()),
                (start + 4, &1u32.to_le_bytes()),
                (start + 16, &UUID),
                (start + 32, b"host:0"),
                (0x10040, b"_BHRfS_M"),
            ];
            assert_eq!(found(&parts), expect("linux_raid_member", UUID_TEXT, "host:0"));
        }
    }

    #[test]
    fn two_file_systems_on_one_device_are_an_error_that_names_both() {
        let sector = 512u16.to_be_bytes();
        let both = device(&[
            (0, b"XFSB"),
            (4, &4096u32.to_be_bytes()),
            (102, &sector),
            (0x10020, &UUID),
            (0x10040, b"_BHRfS_M"),
        ]);
        let error = parse_bytes(&both).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("xfs and btrfs"), "{error}");
    }

    #[test]
    fn an_empty_and_a_very_short_device_hold_nothing() {
        assert_eq!(parse_bytes(&[0; 80 * 1024]).unwrap(), None);
        assert_eq!(parse_bytes(b"XFS").unwrap(), None);
        assert_eq!(parse_bytes(&[]).unwrap(), None);
    }

    #[test]
    fn a_read_error_is_passed_on_and_is_not_an_empty_device() {
        let error = parse(|_, _| Err(io::Error::from_raw_os_error(5))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
    }

    #[test]
    fn a_label_cannot_drive_a_terminal() {
        let parts: [(usize, &[u8]); 2] = [(0x10040, b"_BHRfS_M"), (0x1012b, b"a\x1b[2Jb\nc")];
        assert_eq!(found(&parts).2, "a\u{fffd}[2Jb\u{fffd}c");
    }

    /// Makes an image with a tool of the system; `None` where the tool is not installed.
    fn made_by(tool: &str, arguments: &[&str], size: u64) -> Option<tempfile::NamedTempFile> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(size).unwrap();
        let made = Command::new(tool).args(arguments).arg(image.path()).output();
        match made {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            made => {
                let made = made.unwrap();
                assert!(made.status.success(), "{tool}: {}", String::from_utf8_lossy(&made.stderr));
                Some(image)
            }
        }
    }

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn what_mkfs_ext4_makes_is_read_back() {
        let image = made_by("mkfs.ext4", &["-q", "-F", "-L", "golden", "-U", UUID_TEXT], 8 * MIB)
            .expect("mkfs.ext4 is part of every Debian");
        let it = parse_file(image.path()).unwrap().unwrap();
        assert_eq!((it.kind, it.uuid, it.label), expect("ext4", UUID_TEXT, "golden"));
    }

    #[test]
    fn what_the_other_tools_make_is_read_back_where_they_are_installed() {
        let xfs_uuid = format!("uuid={UUID_TEXT}");
        let cases: [(&str, &[&str], u64, &str); 5] = [
            ("mkfs.ext2", &["-q", "-F", "-L", "data", "-U", UUID_TEXT], 8 * MIB, "ext2"),
            ("mkfs.ext3", &["-q", "-F", "-L", "data", "-U", UUID_TEXT], 8 * MIB, "ext3"),
            ("mkfs.xfs", &["-q", "-L", "data", "-m", &xfs_uuid], 320 * MIB, "xfs"),
            ("mkfs.btrfs", &["-q", "-L", "data", "-U", UUID_TEXT], 128 * MIB, "btrfs"),
            ("mkswap", &["-q", "-L", "data", "-U", UUID_TEXT], 8 * MIB, "swap"),
        ];
        for (tool, arguments, size, kind) in cases {
            let Some(image) = made_by(tool, arguments, size) else { continue };
            let it = parse_file(image.path()).unwrap().unwrap();
            assert_eq!((it.kind, it.uuid, it.label), expect(kind, UUID_TEXT, "data"), "{tool}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..6000)) {
            let _ = parse_bytes(&bytes);
        }

        #[test]
        fn damaged_superblocks_never_panic(
            at in 0usize..0x11000,
            noise in proptest::collection::vec(any::<u8>(), 0..700),
            magic in prop_oneof![
                Just((0usize, b"XFSB".to_vec())),
                Just((0x438, vec![0x53, 0xef])),
                Just((0x10040, b"_BHRfS_M".to_vec())),
                Just((0, b"LUKS\xba\xbe\0\x02".to_vec())),
                Just((512, b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xffLVM2 001".to_vec())),
                Just((4086, b"SWAPSPACE2".to_vec())),
                Just((0x1fe, vec![0x55, 0xaa])),
            ],
        ) {
            let mut bytes = device(&[(magic.0, &magic.1)]);
            for (place, byte) in bytes.iter_mut().skip(at).zip(noise) {
                *place = byte;
            }
            let _ = parse_bytes(&bytes);
        }
    }
}
