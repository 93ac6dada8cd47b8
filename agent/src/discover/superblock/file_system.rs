//! File systems and swap: each function knows one format.

use super::field::Head;
use crate::host::FileSystem;

/// Linux `fs/ext4/ext4.h`, struct ext4_super_block: it begins at byte 1024.
pub fn ext(head: &Head) -> Option<FileSystem> {
    const START: usize = 1024;
    const MAGIC: u16 = 0xef53;
    if head.le16(START + 0x38)? != MAGIC {
        return None;
    }
    let features = ExtFeatures {
        compatible: head.le32(START + 0x5c)?,
        incompatible: head.le32(START + 0x60)?,
        read_only: head.le32(START + 0x64)?,
    };
    Some(FileSystem {
        kind: features.kind().to_owned(),
        uuid: head.uuid(START + 0x68),
        label: head.text(START + 0x78, 16),
    })
}

struct ExtFeatures {
    compatible: u32,
    incompatible: u32,
    read_only: u32,
}

impl ExtFeatures {
    const HAS_JOURNAL: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;
    const RECOVER: u32 = 0x4;
    /// Filetype and meta_bg: all that ext2 knows.
    const EXT2_INCOMPATIBLE: u32 = 0x2 | 0x10;
    const EXT3_INCOMPATIBLE: u32 = Self::EXT2_INCOMPATIBLE | Self::RECOVER;
    /// Sparse_super, large_file, btree_dir: all that ext2 and ext3 know.
    const OLD_READ_ONLY: u32 = 0x1 | 0x2 | 0x4;

    /// The oldest of the three that knows every feature in use, as blkid and the kernel's own drivers decide.
    fn kind(&self) -> &'static str {
        let journal = self.compatible & Self::HAS_JOURNAL != 0;
        let old = self.read_only & !Self::OLD_READ_ONLY == 0;
        if self.incompatible & Self::JOURNAL_DEVICE != 0 {
            "jbd"
        } else if old && journal && self.incompatible & !Self::EXT3_INCOMPATIBLE == 0 {
            "ext3"
        } else if old && !journal && self.incompatible & !Self::EXT2_INCOMPATIBLE == 0 {
            "ext2"
        } else {
            "ext4"
        }
    }
}

/// Linux `fs/xfs/libxfs/xfs_format.h`, struct xfs_dsb: big-endian, at byte 0.
pub fn xfs(head: &Head) -> Option<FileSystem> {
    let block = head.be32(4)?;
    let sector = head.be16(102)?;
    // While it is being made nothing of it can be mounted; if that never ended, nothing ever can.
    let [in_progress] = head.array::<1>(126)?;
    let plausible = head.has(0, b"XFSB")
        && in_progress == 0
        && block.is_power_of_two()
        && (512..=65_536).contains(&block)
        && sector.is_power_of_two()
        && sector >= 512;
    plausible.then(|| FileSystem { kind: "xfs".to_owned(), uuid: head.uuid(32), label: head.text(108, 12) })
}

/// Linux `include/uapi/linux/btrfs_tree.h`, struct btrfs_super_block: the first copy is at 64 KiB.
pub fn btrfs(head: &Head) -> Option<FileSystem> {
    const START: usize = 64 * 1024;
    head.has(START + 0x40, b"_BHRfS_M").then(|| FileSystem {
        kind: "btrfs".to_owned(),
        uuid: head.uuid(START + 0x20),
        label: head.text(START + 0x12b, 256),
    })
}

/// Linux `include/linux/swap.h`, union swap_header: the magic ends the first page, whatever its size was.
pub fn swap(head: &Head) -> Option<FileSystem> {
    const PAGES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
    const INFO: usize = 1024;
    let magic = PAGES.iter().find_map(|page| head.array::<10>(page - 10).filter(is_swap_magic))?;
    // The first version of swap space has a bitmap where the second has its header.
    let has_header = &magic == b"SWAPSPACE2" && head.le32(INFO) == Some(1);
    let swap = FileSystem { kind: "swap".to_owned(), ..FileSystem::default() };
    Some(match has_header {
        true => FileSystem { uuid: head.uuid(INFO + 12), label: head.text(INFO + 28, 16), ..swap },
        false => swap,
    })
}

fn is_swap_magic(bytes: &[u8; 10]) -> bool {
    matches!(bytes, b"SWAPSPACE2" | b"SWAP-SPACE")
}

/// Microsoft's FAT specification 1.03: the boot sector. A partition table ends in the same two bytes, so the geometry
/// and the name of the type have to be there too.
pub fn vfat(head: &Head) -> Option<FileSystem> {
    let [low, high, per_cluster, ..] = head.array::<6>(11)?;
    let sector = u16::from_le_bytes([low, high]);
    let reserved = head.le16(14)?;
    let tables = *head.bytes(16, 1)?.first()?;
    let plausible = head.has(0x1fe, &[0x55, 0xaa])
        && sector.is_power_of_two()
        && (512..=4096).contains(&sector)
        && per_cluster.is_power_of_two()
        && reserved > 0
        && matches!(tables, 1 | 2);
    if !plausible {
        return None;
    }
    let serial_at = if head.has(0x52, b"FAT32   ") {
        0x43
    } else if head.has(0x36, b"FAT16   ") || head.has(0x36, b"FAT12   ") || head.has(0x36, b"FAT     ") {
        0x27
    } else {
        return None;
    };
    let serial = head.le32(serial_at)?;
    let label = head.text(serial_at + 4, 11);
    Some(FileSystem {
        kind: "vfat".to_owned(),
        uuid: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff),
        label: if label == "NO NAME" { String::new() } else { label },
    })
}
