//! A sysfs, procfs and `/etc` of our own in a folder, as a machine with a SAN would show them.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::host::{
    Host, SysDevice,
    linux::{LinuxHost, LinuxHostOptions},
};

/// Pages recorded from Linux' own SCSI target and its simulated disk.
pub mod page {
    pub const SCSI_DEBUG: &str = "\
        008300700201001c4c696e7578202020736373695f6465627567202020202020323030300103000833333330000007d0\
        61940004000000016193000832222220000007ce619500040000010061a3000832222220000007cd63a800186e61612e\
        3332323232323230303030303037434400000000";
    pub const LIO: &str = "\
        008300d10103001060014053fef180bf10000000000000000201003d4c494f2d4f52472076672d746172676574643a76\
        313a334c5a766d4f2d4c6d74662d786845752d663177732d3873307a2d7a7362662d31766b6c544c0051940004000000\
        01519500040000000001060004000000005398003469716e2e323030332d30312e6f72672e6c696e75782d6973637369\
        2e756d6c3a746172676574642c742c3078303030310000000053a8002869716e2e323030332d30312e6f72672e6c696e\
        75782d69736373692e756d6c3a7461726765746400";
    pub const UUID_ONLY: &str = "\
        0083007a0201001c4c696e7578202020736373695f646562756720202020202032303030010a00121000fcc7601cd374\
        47ef9b737b13a309d93661940004000000016193000832222220000007ce619500040000010061a30008322222200000\
        07cd63a800186e61612e3332323232323230303030303037434400000000";

    pub fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }
}

pub struct Tree {
    folder: TempDir,
    pub options: LinuxHostOptions,
}

impl Tree {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = |name: &str| folder.path().join(name);
        let options = LinuxHostOptions {
            sysfs_root: root("sys"),
            proc_root: root("proc"),
            dev_root: root("dev"),
            etc_root: root("etc"),
            loop_fabric: None,
            initiators: Vec::new(),
            ..LinuxHostOptions::default()
        };
        let tree = Self { folder, options };
        fs::create_dir_all(tree.path("sys/class/block")).unwrap();
        tree.file("proc/self/mountinfo", b"");
        tree
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn file(&self, below: &str, content: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A block device at a place below `/sys/devices`, of 1 MiB unless its attributes say otherwise.
    pub fn device(&self, place: &str, number: &str, attributes: &[(&str, &[u8])]) {
        let directory = format!("sys/devices/{place}");
        for (name, value) in [("dev", number), ("size", "2048"), ("ro", "0"), ("removable", "0")] {
            self.file(&format!("{directory}/{name}"), format!("{value}\n").as_bytes());
        }
        for (name, value) in attributes {
            self.file(&format!("{directory}/{name}"), value);
        }
        let name = place.rsplit('/').next().unwrap();
        let link = self.path("sys/class/block").join(name);
        std::os::unix::fs::symlink(self.path(&directory), link).unwrap();
    }

    pub fn scsi_disk(&self, place: &str, number: &str, page: &str) {
        let attributes: [(&str, &[u8]); 5] = [
            ("device/vpd_pg83", &page::bytes(page)),
            ("device/vpd_pg80", b"\0\x80\0\x063LZvm\0"),
            ("device/vendor", b"LIO-ORG \n"),
            ("device/model", b"FILEIO          \n"),
            ("diskseq", b"9\n"),
        ];
        self.device(place, number, &attributes);
    }

    /// Stacks one device on another, as the kernel shows it at both ends.
    pub fn stack(&self, upper_place: &str, lower_place: &str) {
        let name = |place: &str| place.rsplit('/').next().unwrap().to_owned();
        self.file(&format!("sys/devices/{upper_place}/slaves/{}", name(lower_place)), b"");
        self.file(&format!("sys/devices/{lower_place}/holders/{}", name(upper_place)), b"");
    }

    pub fn host(&self) -> LinuxHost {
        LinuxHost::new(self.options.clone()).unwrap()
    }

    pub fn devices(&self) -> Vec<SysDevice> {
        self.host().devices().unwrap()
    }

    /// The only device of the tree.
    pub fn only_device(&self) -> SysDevice {
        let mut devices = self.devices();
        assert_eq!(devices.len(), 1, "{devices:?}");
        devices.remove(0)
    }
}

pub fn ids(device: &SysDevice) -> Vec<String> {
    device.cached_ids.iter().map(ToString::to_string).collect()
}
