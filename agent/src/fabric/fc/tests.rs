//! Against a simulated machine with Fibre Channel ports. A scan of a target that there is not fails the test.

use std::{fs, ops::Deref, os::unix::fs::symlink, time::Duration};

use super::*;
use crate::{
    fabric::{
        Fabric,
        scsi::sim::{SimMachine, Simulated},
    },
    host::sim::{SimDevice, SimHost},
    verify::verify,
};

const BOUND: Duration = Duration::from_secs(20);
const FIRST: &str = "50:0a:09:81:8d:12:34:56";
const SECOND: &str = "50:0a:09:82:8d:12:34:56";

fn soon() -> Deadline {
    Deadline::after(BOUND)
}

fn volume(last: u8) -> VolumeId {
    format!("naa.600a0980000000000000000000000{last:03x}").parse().unwrap()
}

fn path(port: &str, lun: u64) -> TargetPath {
    format!("{port},{lun}").parse().unwrap()
}

fn both(lun: u64) -> [TargetPath; 2] {
    [path(FIRST, lun), path(SECOND, lun)]
}

/// A machine that sees ports of an array.
#[derive(Default)]
struct World {
    machine: SimMachine,
    settings: Fc,
}

impl World {
    /// Host 3 sees the array's first port as target 0, and host 4 the second one as target 1.
    fn new() -> Self {
        let world = Self::default();
        world.add_port(3, 0, FIRST);
        world.add_port(4, 1, SECOND);
        world
    }

    fn with_multipath() -> Self {
        Self { settings: Fc { multipath: true }, ..Self::new() }
    }

    /// With volume 1 here over both ports.
    fn with_map() -> Self {
        let world = Self::with_multipath();
        world.show(7, volume(1));
        assert!(world.rescan(&volume(1), &both(7)).unwrap());
        world.calls();
        world
    }

    fn add_port(&self, host: u32, target: u32, name: &str) {
        let rport = format!("rport-{host}:0-{}", target + 2);
        let directory = self.at(&format!("sys/devices/pci0000:00/host{host}/{rport}"));
        let class = format!("sys/class/fc_remote_ports/{rport}");
        self.add_target(Target::below(directory.clone(), 0, target).unwrap());
        self.file(&format!("{class}/port_name"), &format!("0x{}\n", name.replace(':', "")));
        self.file(&format!("{class}/scsi_target_id"), &format!("{target}\n"));
        symlink(directory, self.at(&class).join("device")).unwrap();
        self.set_port(&rport, "Online");
        self.set_host(host, "Online");
    }

    fn set_port(&self, rport: &str, state: &str) {
        self.file(&format!("sys/class/fc_remote_ports/{rport}/port_state"), &format!("{state}\n"));
    }

    fn set_host(&self, host: u32, state: &str) {
        self.file(&format!("sys/class/fc_host/host{host}/port_state"), &format!("{state}\n"));
    }

    fn fabric(&self) -> FcFabric<&Self> {
        let places = Places { sysfs_root: self.at("sys"), locks: self.at("locks") };
        FcFabric::new(places, self.settings, self)
    }

    fn rescan(&self, wanted: &VolumeId, paths: &[TargetPath]) -> Result<bool, HostError> {
        self.fabric().rescan(Wanted { volume: wanted, paths }, soon())
    }

    fn detach(&self, wanted: &VolumeId) -> Result<(), HostError> {
        self.machine.detach(&self.fabric(), wanted, soon())
    }

    fn detach_map(&self, wanted: &VolumeId, disks: &[&str]) -> Result<(), HostError> {
        self.machine.detach_map(&self.fabric(), wanted, disks, soon())
    }
}

impl Deref for World {
    type Target = SimMachine;

    fn deref(&self) -> &SimMachine {
        &self.machine
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl Simulated for World {
    fn machine(&self) -> &SimMachine {
        &self.machine
    }
}

#[test]
fn one_unit_is_scanned_and_nothing_else_and_goes_flushed() {
    let world = World::new();
    (1..4).for_each(|n| world.show(n.into(), volume(n)));
    assert!(world.rescan(&volume(2), &[path(SECOND, 2)]).unwrap());
    assert_eq!(world.calls(), ["scan 0 1 2"]);
    assert_eq!(world.units().len(), 1, "nobody asked for the others");
    assert!(!world.rescan(&volume(2), &[path(SECOND, 2)]).unwrap());
    assert_eq!(world.calls(), [""; 0]);
    world.detach(&volume(2)).unwrap();
    assert_eq!(world.calls(), ["flush sd0", "delete 4:0:1:2"]);
    assert!(world.units().is_empty());
}

#[test]
fn without_multipathd_a_volume_comes_in_over_the_first_port_that_shows_it() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.calls(), ["scan 0 0 7"]);
}

#[test]
fn a_volume_that_is_not_shown_yet_is_no_error_and_leaves_nothing() {
    let world = World::new();
    assert!(!world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.calls(), ["scan 0 0 7", "scan 0 1 7"]);
    assert!(world.units().is_empty());
}

#[test]
fn a_unit_that_is_another_volume_is_refused_and_goes_again() {
    let world = World::new();
    world.show(7, volume(2));
    let error = world.rescan(&volume(1), &both(7)).unwrap_err();
    assert!(matches!(&error, HostError::OtherVolume { .. }), "{error}");
    for told in [volume(2).to_string(), format!("{FIRST},7 on host3")] {
        assert!(error.to_string().contains(&told), "{error}");
    }
    assert_eq!(world.calls(), ["scan 0 0 7", "offline 3:0:0:7", "delete 3:0:0:7"]);
    assert!(world.units().is_empty());
}

#[test]
fn a_unit_that_became_another_volume_is_scanned_anew_and_nothing_of_the_old_one_is_written() {
    let world = World::new();
    world.show(7, volume(2));
    assert!(world.rescan(&volume(2), &[path(FIRST, 7)]).unwrap());
    world.show(7, volume(1));
    world.calls();
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert_eq!(world.calls(), ["offline 3:0:0:7", "delete 3:0:0:7", "scan 0 0 7"]);
}

#[test]
fn a_unit_that_somebody_uses_is_not_taken_away() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    world.alter(|state| state.used.insert("sd0".to_owned()));
    let error = world.detach(&volume(1)).unwrap_err();
    assert!(matches!(error, HostError::Busy { .. }), "{error}");
    assert_eq!(world.units().len(), 1);
}

#[test]
fn a_port_that_is_not_online_is_not_scanned_and_when_none_is_that_is_told() {
    for state in ["Blocked", "Not Present", "Marginal", ""] {
        let world = World::new();
        world.show(7, volume(1));
        world.set_port("rport-3:0-2", state);
        assert!(world.rescan(&volume(1), &both(7)).unwrap());
        assert_eq!(world.calls(), ["scan 0 1 7"], "{state}");
    }
    let world = World::new();
    world.set_port("rport-3:0-2", "Blocked");
    world.set_host(4, "Linkdown");
    let error = world.rescan(&volume(1), &both(7)).unwrap_err();
    assert!(error.to_string().contains(FIRST) && error.is_retryable(), "{error}");
    assert_eq!(world.calls(), [""; 0]);
}

#[test]
fn ports_that_this_host_does_not_see_are_passed_over() {
    let world = World::new();
    world.show(7, volume(1));
    let elsewhere = path("50:0a:09:83:8d:12:34:56", 7);
    assert!(world.rescan(&volume(1), &[elsewhere.clone(), path(SECOND, 7)]).unwrap());
    assert_eq!(world.calls(), ["scan 0 1 7"]);
    let error = world.rescan(&volume(2), &[elsewhere]).unwrap_err();
    assert!(matches!(error, HostError::NoPort { .. }), "{error}");
}

#[test]
fn a_port_that_is_no_target_or_does_not_make_sense_is_none() {
    let world = World::new();
    for (host, id, name) in
        [(5, "-1", "0x500a09818d123456"), (6, "4294967296", "0x500a09818d123456"), (7, "0", "\u{1}nonsense")]
    {
        world.add_port(host, 0, FIRST);
        world.file(&format!("sys/class/fc_remote_ports/rport-{host}:0-2/scsi_target_id"), id);
        world.file(&format!("sys/class/fc_remote_ports/rport-{host}:0-2/port_name"), name);
    }
    for rport in ["rport-3", "rport-x:0-1", "rport-3:0", "\u{fffd}"] {
        fs::create_dir_all(world.at("sys/class/fc_remote_ports").join(rport)).unwrap();
    }
    let hosts: Vec<String> = RemotePort::all(&world.at("sys")).iter().map(|p| p.target.host()).collect();
    assert_eq!(hosts, ["host3", "host4"]);
}

#[test]
fn a_number_past_a_byte_is_written_flat_and_then_plain() {
    for (kernels, calls) in
        [(0x4000 | 300, &["scan 0 0 16684"][..]), (300, &["scan 0 0 16684", "scan 0 0 300"])]
    {
        let world = World::new();
        world.show(kernels, volume(1));
        assert!(world.rescan(&volume(1), &[path(FIRST, 300)]).unwrap());
        assert_eq!(world.calls(), calls);
    }
}

#[test]
fn a_number_that_a_host_does_not_count_to_in_one_form_is_tried_in_the_next_and_the_refusal_is_told() {
    let world = World::new();
    world.show(300, volume(1));
    world.alter(|state| state.max_lun = Some(512));
    assert!(world.rescan(&volume(1), &[path(FIRST, 300)]).unwrap());
    world.alter(|state| state.max_lun = Some(255));
    let error = world.rescan(&volume(2), &[path(SECOND, 300)]).unwrap_err();
    assert!(error.to_string().contains("16684"), "{error}");
}

#[test]
fn without_a_port_of_the_array_a_volume_is_not_looked_for() {
    let world = World::new();
    let iscsi = "192.0.2.1:3260,iqn.2026-01.example:array,7".parse().unwrap();
    for paths in [&[][..], &[iscsi]] {
        let error = world.rescan(&volume(1), paths).unwrap_err();
        assert!(matches!(error, HostError::Invalid { .. }), "{error}");
    }
    assert_eq!(world.calls(), [""; 0]);
}

#[test]
fn one_port_that_two_hosts_see_is_two_paths_of_one_map_and_each_of_them_goes() {
    let world = World::with_multipath();
    world.add_port(5, 0, FIRST);
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert_eq!(world.calls(), ["scan 0 0 7", "scan 0 0 7", "add path sd0", "add path sd1"]);
    assert_eq!(world.paths(), ["sd0", "sd1"]);
    assert!(!world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap(), "twice is once");
    world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap();
    assert_eq!(
        world.calls(),
        [
            "disablequeueing map 36001405",
            "flush dm-0",
            "remove map 36001405",
            "remove path sd0",
            "flush sd0",
            "delete 3:0:0:7",
            "remove path sd1",
            "flush sd1",
            "delete 5:0:0:7",
        ]
    );
    assert!(world.units().is_empty() && world.paths().is_empty());
}

#[test]
fn a_path_whose_port_is_not_online_is_asked_nothing_and_goes_with_its_map() {
    let world = World::with_map();
    world.set_port("rport-3:0-2", "Blocked");
    assert!(!world.rescan(&volume(1), &both(7)).unwrap(), "what is here does without it");
    world.calls();
    world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap();
    let calls = world.calls();
    assert!(
        !calls.contains(&"flush sd0".to_owned()) && calls.contains(&"delete 3:0:0:7".to_owned()),
        "{calls:?}"
    );
    assert!(world.units().is_empty());
}

#[test]
fn a_path_in_standby_takes_no_flush_and_goes_with_its_map() {
    let world = World::with_map();
    world.alter(|state| state.standby.insert("sd0".to_owned()));
    world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap();
    assert!(world.units().is_empty());
}

#[test]
fn a_volume_that_takes_no_flush_stays_with_its_map_and_without_one() {
    let world = World::with_map();
    world.alter(|state| state.standby.insert("dm-0".to_owned()));
    world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap_err();
    assert_eq!((world.paths().len(), world.units().len()), (2, 2));

    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    world.alter(|state| state.standby.insert("sd0".to_owned()));
    world.detach(&volume(1)).unwrap_err();
    assert_eq!(world.units().len(), 1);
}

#[test]
fn a_map_gets_the_paths_that_were_down_when_they_are_back() {
    let world = World::with_multipath();
    world.show(7, volume(1));
    world.set_host(3, "Linkdown");
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.paths(), ["sd0"]);
    world.set_host(3, "Online");
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.paths(), ["sd0", "sd1"]);
}

#[test]
fn a_map_that_somebody_uses_stays_whole_and_queues_as_before() {
    let world = World::with_map();
    world.alter(|state| state.used.insert("dm-0".to_owned()));
    let error = world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap_err();
    assert!(matches!(error, HostError::Busy { .. }), "{error}");
    assert_eq!(world.calls(), ["disablequeueing map 36001405", "restorequeueing map 36001405"]);
    assert_eq!((world.paths().len(), world.units().len()), (2, 2));
}

#[test]
fn a_disk_of_a_host_that_is_no_fibre_channel_host_is_not_ours() {
    let world = World::new();
    let host = SimHost::builder().device(SimDevice::disk("sda", vec![volume(1)])).build();
    let device = verify(&host, &volume(1)).unwrap();
    let numbers = world.at("sys/dev/block");
    fs::create_dir_all(&numbers).unwrap();
    for (host, is_ours) in [(3, true), (9, false)] {
        let disk = world.at(&format!("sys/devices/host{host}/port/target{host}:0:0/{host}:0:0:1/block/sda"));
        fs::create_dir_all(&disk).unwrap();
        let number = numbers.join(device.number().to_string());
        let _ = fs::remove_file(&number);
        symlink(disk, number).unwrap();
        assert_eq!(world.fabric().brought(&device), is_ours, "host{host}");
    }
}
