//! Against the kernel of this machine. These tests need root, as the agent's helper does.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use sanfleet_protocol::{VolumeId, v1::DeviceKind, volume_id};

use super::*;
use crate::{
    host::sim::{SimDevice, SimHost},
    verify::verify,
};

const BOUND: Duration = Duration::from_secs(10);
const OURS: &str = "iqn.2026-01.example:observed";

fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

fn must(program: &str, arguments: &[&str]) -> String {
    run(program, arguments).unwrap_or_else(|error| panic!("{program} {arguments:?} (is this root?): {error}"))
}

/// A file published on a loop fabric of our own, with ext4 or another file system on it.
struct Lun {
    folder: tempfile::TempDir,
    disk: PathBuf,
}

impl Lun {
    fn published() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lun = folder.path().join(OURS).join("lun-3");
        std::fs::create_dir_all(&lun).unwrap();
        let disk = lun.join("disk");
        std::fs::File::create(&disk).unwrap().set_len(128 << 20).unwrap();
        std::fs::write(lun.join("vpd_pg83"), volume_id::page(&[volume()])).unwrap();
        Self { folder, disk }
    }

    fn host(&self) -> LinuxHost {
        LinuxHost::new(LinuxHostOptions {
            loop_fabric: Some(self.folder.path().to_owned()),
            initiators: vec![OURS.parse().unwrap()],
            ..LinuxHostOptions::default()
        })
        .unwrap()
    }

    fn attach(&self) -> Loop {
        Loop(must("losetup", &["--find", "--show", self.disk.to_str().unwrap()]))
    }
}

/// A loop device of ours, by its node; freed when it goes.
struct Loop(String);

impl Loop {
    fn name(&self) -> &str {
        self.0.strip_prefix("/dev/").unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = run("losetup", &["--detach", &self.0]);
    }
}

/// A mount of ours, taken away when it goes.
struct Mounted(PathBuf);

impl Mounted {
    fn of(device: &Loop, at: &Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        must("mount", &["-o", "ro,nodev,nosuid", &device.0, at.to_str().unwrap()]);
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run("umount", &[self.0.to_str().unwrap()]);
    }
}

fn volume() -> VolumeId {
    "naa.6001405f1e2d3c411112222333344447".parse().unwrap()
}

fn find(host: &LinuxHost, name: &str) -> Option<SysDevice> {
    host.devices().unwrap().into_iter().find(|device| device.name == name)
}

/// Looks again each time the host says that something changed, until it is as wanted.
fn wait_until(host: &LinuxHost, what: &str, wanted: impl Fn() -> bool) {
    let end = Instant::now() + BOUND;
    while !wanted() {
        let left = end.saturating_duration_since(Instant::now());
        assert!(host.wait_for_change(left).unwrap().is_some(), "nobody said that {what}");
    }
}

#[test]
fn a_loop_device_that_is_attached_is_noticed_and_known_by_its_volume_id() {
    let lun = Lun::published();
    let host = lun.host();
    let device = lun.attach();
    wait_until(&host, "the device appeared", || find(&host, device.name()).is_some());
    let found = find(&host, device.name()).unwrap();
    assert_eq!((found.kind, found.size_bytes), (DeviceKind::Loop, 128 << 20));
    assert_eq!(found.cached_ids, [volume()]);
    assert_eq!(found.fabric.as_deref(), Some("loop"));
    let name = device.name().to_owned();
    drop(device);
    wait_until(&host, "the device is gone", || find(&host, &name).is_none_or(|it| it.cached_ids.is_empty()));
}

#[test]
fn a_change_wakes_who_waits_for_it() {
    let lun = Lun::published();
    let host = lun.host();
    let device = lun.attach();
    assert_eq!(host.wait_for_change(BOUND).unwrap(), Some(Changed));
    drop(device);
}

#[test]
fn a_mount_is_noticed_and_bound_to_the_device_by_number() {
    for (tool, kind) in [("mkfs.ext4", "ext4"), ("mkfs.btrfs", "btrfs")] {
        let lun = Lun::published();
        match run(tool, &["-q", lun.disk.to_str().unwrap()]) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && kind != "ext4" => continue,
            made => drop(made.unwrap()),
        }
        let host = lun.host();
        let device = lun.attach();
        let at = lun.folder.path().join("mount point");
        let mounted = Mounted::of(&device, &at);
        let there = || host.mounts().unwrap().into_iter().find(|mount| mount.mount_point == at);
        wait_until(&host, "it was mounted", || there().is_some());
        let mount = there().unwrap();
        assert_eq!(mount.device, find(&host, device.name()).unwrap().number, "{kind}");
        assert_eq!((mount.file_system.as_str(), mount.read_only), (kind, true));
        drop(mounted);
        wait_until(&host, "it was unmounted", || there().is_none());
    }
}

#[test]
fn without_a_change_waiting_ends_in_time_and_a_dropped_host_stops_listening() {
    let lun = Lun::published();
    let host = lun.host();
    let begun = Instant::now();
    // Others may mount and attach on this machine while we wait.
    while host.wait_for_change(Duration::from_millis(20)).unwrap().is_some() {
        assert!(begun.elapsed() < BOUND);
    }
    drop(host);
    assert!(begun.elapsed() < BOUND, "the watching thread did not end");
}

#[test]
fn this_very_machine_has_devices_and_each_has_a_number_and_a_name_once() {
    let host = LinuxHost::new(LinuxHostOptions::default()).unwrap();
    let devices = host.devices().unwrap();
    assert!(!devices.is_empty());
    assert!(devices.is_sorted_by(|a, b| a.number < b.number));
    assert!(devices.iter().all(|device| !device.name.is_empty()));
    assert!(!host.boot_id().is_empty());
}

#[test]
fn a_mount_of_what_came_over_iscsi_is_not_promised_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let id = volume();
    let simulated = SimHost::builder().device(SimDevice::disk("sda", vec![id.clone()])).build();
    let device = verify(&simulated, &id).unwrap();
    let disk = folder.path().join("devices/host1/session1/target1:0:0/1:0:0:7/block/sda");
    let numbers = folder.path().join("dev/block");
    std::fs::create_dir_all(&disk).unwrap();
    std::fs::create_dir_all(&numbers).unwrap();
    std::os::unix::fs::symlink(&disk, numbers.join(device.number().to_string())).unwrap();
    let units = folder.path().join("units");
    let options = LinuxHostOptions {
        sysfs_root: folder.path().to_owned(),
        unit_dir: units.clone(),
        iscsi: Some(Iscsi::default()),
        ..LinuxHostOptions::default()
    };
    let mount = PersistentMount {
        volume: id.clone(),
        kind: FileSystemKind::Ext4,
        id: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        read_write: true,
    };
    let host = LinuxHost::new(options).unwrap();
    let at = "/srv/data".parse().unwrap();
    let error = host.persist_mount(&device, &at, &mount, Deadline::after(BOUND)).unwrap_err();
    assert!(matches!(error, HostError::Invalid { .. }), "{error}");
    assert!(!units.exists());
}
