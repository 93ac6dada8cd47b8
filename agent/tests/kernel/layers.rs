//! Copies of volumes with a partition table and LVM on them, beside what they are copied from. It takes a kernel with device mapper
//! and partitions: `cargo xtask lab` has one in a guest.

use std::{fs, num::NonZeroU32};

use sanfleet_agent::{
    actions::{
        ActionError, Quiesced, check_source, detach::detach, mount, new_identity, open_layers, unmount,
    },
    fabric::Wanted,
    host::{Host, linux::LinuxHost},
};
use sanfleet_protocol::{
    FileSystemKind, Layers, LogicalVolume, MountPoint, QuiesceBy, VolumeId,
    v1::{command_done::Detail, command_error::Kind},
};

use crate::{
    lab::{Lab, VOLUME_BYTES, must, soon, try_run, until, volume},
    side::minted,
};

const GROUP: &str = "sanfleet-test";
const VOLUME: &str = "da-ta";
const WORDS: &str = "what was written before the copy was taken";
/// The source, and its copy.
const SOURCE: u8 = 1;
const COPY: u8 = 2;

/// A volume that is attached, and the file system on it, mounted.
struct Scene {
    lab: Lab,
    host: LinuxHost,
    layers: Layers,
    at: MountPoint,
}

impl Drop for Scene {
    /// Whatever LVM still has of ours. Mounts and loop devices are the lab's.
    fn drop(&mut self) {
        for at in self.lab.mounts() {
            let _ = std::process::Command::new("umount").arg(at).status();
        }
        let groups =
            std::process::Command::new("lvm").args(["vgs", "--noheadings", "-o", "vg_name"]).output();
        let groups =
            groups.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        for group in groups.split_whitespace().filter(|group| group.starts_with(GROUP)) {
            let _ = std::process::Command::new("lvm").args(["vgchange", "-an", group]).status();
        }
    }
}

fn layers(partition: u32, lvm: bool) -> Layers {
    let lvm = lvm.then(|| LogicalVolume { group: GROUP.parse().unwrap(), name: VOLUME.parse().unwrap() });
    Layers { partition: NonZeroU32::new(partition), lvm }
}

impl Scene {
    fn new(layers: Layers, kind: &str) -> Self {
        let lab = Lab::new();
        let file = lab.path().join("source");
        fs::File::create(&file).unwrap().set_len(VOLUME_BYTES).unwrap();
        if layers.partition.is_some() {
            let table = lab.path().join("table");
            fs::write(&table, "label: gpt\nsize=8MiB\nsize=440MiB\n").unwrap();
            must("sh", &["-c", &format!("sfdisk -q {} <{}", file.display(), table.display())]);
        }
        lab.publish(SOURCE.into(), &file, &volume(SOURCE));
        let host = lab.host();
        host.rescan("loop", Wanted::anywhere(&volume(SOURCE)), soon()).unwrap();
        let disk = lab.loops().pop().unwrap();
        let base = match layers.partition {
            Some(number) => format!("/dev/{disk}p{number}"),
            None => format!("/dev/{disk}"),
        };
        until("the partition", || fs::exists(&base).unwrap());
        let device = match &layers.lvm {
            None => base,
            Some(lvm) => {
                must("lvm", &["vgcreate", "--yes", GROUP, &base]);
                must("lvm", &["lvcreate", "--yes", "--size", "400M", "--name", VOLUME, GROUP]);
                format!("/dev/mapper/{}", lvm.map_name())
            }
        };
        must(&format!("mkfs.{kind}"), &["-q", &device]);
        let at = lab.at("source-mount");
        fs::create_dir(at.as_path()).unwrap();
        must("mount", &[&device, at.as_str()]);
        fs::write(at.as_path().join("words"), WORDS).unwrap();
        Self { lab, host, layers, at }
    }

    /// What the agent says of the source, when these layers are expected.
    fn check(&self, layers: &Layers) -> Result<Vec<String>, ActionError> {
        let quiesced = Quiesced::default();
        let request =
            check_source::Request { at: self.at.clone(), by: QuiesceBy::Fsfreeze, layers: layers.clone() };
        let own = check_source::Own { state_dir: &self.lab.state_dir(), quiesced: &quiesced };
        let done = check_source::check_source(&self.host, &request, own, soon())?;
        let Some(Detail::Source(source)) = done.detail else { panic!("no source") };
        Ok(source.volume_ids)
    }

    /// Copies the volume while it is frozen, and has this very host see the copy too.
    fn copy(&self) {
        let (source, copy) = (self.lab.path().join("source"), self.lab.path().join("copy"));
        must("fsfreeze", &["--freeze", self.at.as_str()]);
        // Holes stay holes: the guest has little memory.
        let copied = try_run("cp", &["--sparse=always", source.to_str().unwrap(), copy.to_str().unwrap()]);
        must("fsfreeze", &["--unfreeze", self.at.as_str()]);
        copied.unwrap();
        self.lab.publish(COPY.into(), &copy, &volume(COPY));
        self.host.rescan("loop", Wanted::anywhere(&volume(COPY)), soon()).unwrap();
    }

    fn open(&self) -> Result<bool, ActionError> {
        open_layers::open_layers(&self.host, &self.lab.ledger, &volume(COPY), &self.layers, soon())
            .map(|done| done.changed)
    }

    fn rename(&self, kind: FileSystemKind) {
        let found = self.file_system_of(&self.at);
        let request = new_identity::Request {
            volume: volume(COPY),
            kind,
            wanted: minted(COPY),
            replaced: found.parse().unwrap(),
            layers: self.layers.clone(),
        };
        new_identity::new_identity(&self.host, &self.lab.ledger, &request, soon()).unwrap();
    }

    fn mount(&self, kind: &str) -> MountPoint {
        let at = self.lab.at("copy-mount");
        let request = mount::Request {
            volume: volume(COPY),
            at: at.clone(),
            read_write: true,
            file_system: kind.into(),
            layers: self.layers.clone(),
        };
        mount::mount(&self.host, &self.lab.ledger, &request, soon()).unwrap();
        at
    }

    fn unmount(&self, at: &MountPoint) {
        unmount::unmount(&self.host, &self.lab.ledger, &volume(COPY), at, soon()).unwrap();
    }

    fn detach(&self, id: &VolumeId) -> Result<bool, ActionError> {
        detach(&self.host, &self.lab.ledger, id, soon()).map(|done| done.changed)
    }

    fn file_system_of(&self, at: &MountPoint) -> String {
        must("findmnt", &["--noheadings", "--output", "UUID", "--mountpoint", at.as_str()])
    }

    /// What LVM says of all groups of ours: name, id and the id of its physical volume.
    fn groups(&self) -> Vec<String> {
        let said = must("lvm", &["pvs", "--noheadings", "-o", "vg_name,vg_uuid,pv_uuid"]);
        let mut lines: Vec<String> =
            said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        lines.retain(|line| line.starts_with(GROUP));
        lines.sort();
        lines
    }

    /// Ids of the table of this file and of its second partition.
    fn table(&self, file: &str) -> [String; 2] {
        let file = self.lab.path().join(file).display().to_string();
        [must("sfdisk", &["--disk-id", &file]), must("sfdisk", &["--part-uuid", &file, "2"])]
    }
}

fn read(at: &MountPoint) -> String {
    fs::read_to_string(at.as_path().join("words")).unwrap()
}

#[test]
#[ignore = "needs device mapper and partitions: cargo xtask lab"]
fn a_copy_is_used_beside_its_source_and_taken_away_whatever_lies_between() {
    for (layers, kind) in [(layers(2, false), "ext4"), (layers(0, true), "xfs"), (layers(2, true), "ext4")] {
        let scene = Scene::new(layers.clone(), kind);
        assert_eq!(scene.check(&layers).unwrap(), [volume(SOURCE).to_string()], "{layers}");
        scene.copy();
        assert!(scene.open().unwrap(), "{layers}");
        assert!(!scene.open().unwrap(), "twice is once: {layers}");
        scene.rename(kind.parse().unwrap());
        let at = scene.mount(kind);
        assert_eq!(read(&at), WORDS, "{layers}");
        fs::write(at.as_path().join("words"), "other words").unwrap();

        let used = scene.detach(&volume(COPY)).unwrap_err();
        assert!(used.kind() == Kind::Busy && used.to_string().contains(at.as_str()), "{used}");
        scene.unmount(&at);
        assert!(scene.detach(&volume(COPY)).unwrap(), "{layers}");
        assert!(!scene.detach(&volume(COPY)).unwrap(), "{layers}");
        assert_eq!(scene.lab.loops().len(), 1, "the source's alone: {layers}");
        assert_eq!(read(&scene.at), WORDS, "{layers}");
        fs::write(scene.at.as_path().join("more"), WORDS).unwrap();
    }
}

#[test]
#[ignore = "needs device mapper and partitions: cargo xtask lab"]
fn nothing_of_a_copy_is_called_as_in_its_source_and_the_source_stays_as_it_was() {
    let scene = Scene::new(layers(2, true), "ext4");
    let (group, table) = (scene.groups(), scene.table("source"));
    scene.copy();
    scene.open().unwrap();
    must("lvm", &["pvscan", "--cache"]);
    let groups = scene.groups();
    assert_eq!((groups.len(), &groups[..1]), (2, &group[..]), "{groups:?}");
    let ids = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(ids(&groups[0]).iter().all(|id| !ids(&groups[1]).contains(id)), "{groups:?}");
    assert_eq!(scene.table("source"), table);
    assert!(scene.table("copy").iter().all(|id| !table.contains(id)));
    // Its identity is its own once, and not another one every time.
    let copied = scene.table("copy");
    scene.open().unwrap();
    assert_eq!(scene.table("copy"), copied);
}

#[test]
#[ignore = "needs device mapper and partitions: cargo xtask lab"]
fn a_copy_that_the_host_has_activated_by_itself_is_taken_back_first() {
    let scene = Scene::new(layers(0, true), "ext4");
    scene.copy();
    // As after a restart of a host that has the copy and not its source.
    must("umount", &[scene.at.as_str()]);
    must("lvm", &["vgchange", "-an", GROUP]);
    assert!(scene.detach(&volume(SOURCE)).unwrap());
    must("lvm", &["vgchange", "-ay", GROUP]);
    assert!(scene.open().unwrap());
    let at = scene.mount("ext4");
    assert_eq!(read(&at), WORDS);
    scene.unmount(&at);
    assert!(scene.detach(&volume(COPY)).unwrap());
    assert!(scene.lab.loops().is_empty());
}

#[test]
#[ignore = "needs device mapper and partitions: cargo xtask lab"]
fn what_is_not_as_expected_is_refused_before_anything_is_touched() {
    let scene = Scene::new(layers(2, true), "ext4");
    for other in [Layers::default(), layers(2, false), layers(0, true), layers(1, true)] {
        let refused = scene.check(&other).unwrap_err();
        assert!([Kind::Invalid, Kind::NotFound].contains(&refused.kind()), "{other}: {refused}");
    }
    scene.copy();
    let table = scene.table("copy");
    let other = Layers {
        lvm: Some(LogicalVolume { group: "others".parse().unwrap(), name: VOLUME.parse().unwrap() }),
        partition: NonZeroU32::new(2),
    };
    let opened = open_layers::open_layers(&scene.host, &scene.lab.ledger, &volume(COPY), &other, soon());
    assert!(opened.unwrap_err().to_string().contains("neither others nor"));
    assert_eq!(scene.groups().len(), 1, "no group has another name: {:?}", scene.groups());
    assert_eq!(scene.table("copy"), table);
    // A group that is on a second device as well cannot be copied by copying one.
    let spare = scene.lab.path().join("spare");
    fs::File::create(&spare).unwrap().set_len(64 << 20).unwrap();
    let disk = must("losetup", &["--find", "--show", spare.to_str().unwrap()]);
    scene.detach(&volume(COPY)).unwrap();
    must("lvm", &["vgextend", "--yes", GROUP, &disk]);
    let refused = scene.check(&scene.layers).unwrap_err().to_string();
    assert!(refused.contains("2 devices"), "{refused}");
    must("lvm", &["vgreduce", "--yes", GROUP, &disk]);
}
