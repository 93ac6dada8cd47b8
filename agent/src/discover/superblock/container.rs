//! What holds other devices inside: encryption, RAID members, physical volumes.

use super::field::Head;
use crate::host::FileSystem;

/// LUKS1 and LUKS2 on-disk format specifications: UUID at the same place, a label only in the second.
pub fn luks(head: &Head) -> Option<FileSystem> {
    if !head.has(0, b"LUKS\xba\xbe") {
        return None;
    }
    let label = match head.be16(6)? {
        1 => String::new(),
        2 => head.text(24, 48),
        _ => return None,
    };
    Some(FileSystem { kind: "crypto_LUKS".to_owned(), uuid: head.text(168, 40), label })
}

/// Linux `include/uapi/linux/raid/md_p.h`, struct mdp_superblock_1: version 1.1 at byte 0, 1.2 at 4 KiB.
pub fn linux_raid(head: &Head) -> Option<FileSystem> {
    const MAGIC: u32 = 0xa92b_4efc;
    let start =
        [0, 4096].into_iter().find(|at| head.le32(*at) == Some(MAGIC) && head.le32(at + 4) == Some(1))?;
    Some(FileSystem {
        kind: "linux_raid_member".to_owned(),
        uuid: head.uuid(start + 16),
        label: head.text(start + 32, 32),
    })
}

/// LVM2 `lib/format_text/layout.h` and `lib/label/label.h`: a label in one of the first four sectors, which says its own
/// sector and where the header with the UUID begins.
pub fn lvm2(head: &Head) -> Option<FileSystem> {
    const SECTOR: usize = 512;
    (0..4u8).find_map(|sector| {
        let start = usize::from(sector) * SECTOR;
        let labelled = head.has(start, b"LABELONE")
            && head.le64(start + 8) == Some(u64::from(sector))
            && head.has(start + 24, b"LVM2 001");
        let header = labelled.then(|| head.le32(start + 20)).flatten()?;
        let header = start.checked_add(usize::try_from(header).ok()?)?;
        let uuid = lvm_uuid(head.bytes(header, 32)?);
        Some(FileSystem { kind: "LVM2_member".to_owned(), uuid, label: String::new() })
    })
}

/// 32 letters and digits, shown in groups of 6-4-4-4-4-4-6; empty when they are anything else.
fn lvm_uuid(bytes: &[u8]) -> String {
    if !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return String::new();
    }
    let mut text = String::with_capacity(38);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 6 | 10 | 14 | 18 | 22 | 26) {
            text.push('-');
        }
        text.push(char::from(*byte));
    }
    text
}
