use std::{path::PathBuf, sync::Arc};

use proptest::prelude::*;
use sanfleet_protocol::VolumeId;

use super::*;
use crate::{
    discover::{Discoverer, ProbeLimits},
    host::{
        DeviceNumber,
        sim::{SimDevice, SimHost},
    },
};

fn id(number: u32) -> VolumeId {
    format!("naa.6001405000000000000000000{number:07x}").parse().unwrap()
}

fn snapshot(devices: impl IntoIterator<Item = SimDevice>) -> Snapshot {
    let host = SimHost::builder()
        .hostname("db1")
        .initiator("iqn.2026-01.example:db1".parse().unwrap())
        .fabric("loop")
        .devices(devices)
        .build();
    host.mount_by_hand("sd1", "/var/lib/mysql");
    Discoverer::new(Arc::new(host), ProbeLimits::default(), Arc::new(|| ())).snapshot().unwrap()
}

fn disk(number: u32) -> SimDevice {
    SimDevice::disk(&format!("sd{number}"), vec![id(number)]).formatted("ext4", "", "data")
}

fn report(snapshot: &Snapshot) -> Report {
    let labels = Labels::parse([("role", "db")]).unwrap();
    host_report(&"db1".parse().unwrap(), &labels, Generation(7), 1_800_000_000_000, snapshot)
}

fn report_within(bytes: usize, devices: usize, snapshot: &Snapshot) -> Report {
    let labels = Labels::default();
    within(Room { bytes, devices }, &"db1".parse().unwrap(), &labels, Generation(7), 1, snapshot)
}

fn mount_of(major: u32, at: String, root: &str) -> MountEntry {
    MountEntry {
        mount_point: PathBuf::from(at),
        device: DeviceNumber { major, minor: 1 },
        file_system: "ext4".to_owned(),
        read_only: false,
        root: PathBuf::from(root),
    }
}

#[test]
fn a_report_says_what_the_picture_shows() {
    let message = report(&snapshot([disk(1), SimDevice::partition("sd2p1", "sd2", 1)])).message;
    assert_eq!((message.version, message.generation, message.host.as_str()), (VERSION, 7, "db1"));
    assert_eq!(message.facts.unwrap().hostname, "db1");
    assert_eq!(message.initiators, ["iqn.2026-01.example:db1"]);
    assert_eq!(message.fabrics, ["loop"]);
    assert_eq!(message.labels.into_iter().collect::<Vec<_>>(), [("role".to_owned(), "db".to_owned())]);
    let device = &message.devices[0];
    assert_eq!((device.name.as_str(), device.kind()), ("sd1", v1::DeviceKind::Disk));
    assert_eq!(device.volume_ids, [id(1).to_string()]);
    assert_eq!(device.file_system.as_ref().unwrap().r#type, "ext4");
    assert_eq!(message.devices[1].parent, "sd2");
    let mount = &message.mounts[0];
    assert_eq!(mount.mount_point, "/var/lib/mysql");
    assert_eq!((mount.major, mount.minor), (device.major, device.minor));
}

#[test]
fn mounts_without_a_block_device_are_not_reported() {
    let mut snapshot = snapshot([disk(1)]);
    snapshot.mounts.push(mount_of(0, "/proc".to_owned(), "/"));
    assert_eq!(report(&snapshot).message.mounts.len(), 1);
}

#[test]
fn when_there_is_no_room_devices_without_ids_go_first_and_are_counted() {
    let plain = (1..=50).map(|number| SimDevice::disk(&format!("plain{number}"), vec![]));
    let snapshot = snapshot((1..=50).map(disk).chain(plain));
    let report = report_within(usize::MAX, 50, &snapshot);
    assert_eq!((report.message.devices.len(), report.devices_left_out), (50, 50));
    assert!(report.message.devices.iter().all(|device| !device.volume_ids.is_empty()));
}

#[test]
fn a_host_with_too_many_bind_mounts_still_reports_its_devices_and_whole_mounts() {
    let mut snapshot = snapshot((1..=50).map(disk));
    let binds = (0..100_000).map(|number| mount_of(8, format!("/pods/{number:06}"), "/part"));
    snapshot.mounts.splice(0..0, binds);
    let report = report(&snapshot);
    assert_eq!(report.message.devices.len(), 50);
    assert!(report.message.mounts.iter().any(|mount| mount.mount_point == "/var/lib/mysql"));
    assert_eq!(report.message.mounts.len() + report.mounts_left_out, 100_001);
    assert!(report.message.encoded_len() <= limits::REPORT_BYTES);
}

#[test]
fn reports_differ_by_content_and_not_by_time_or_number() {
    let (one, more) = (snapshot([disk(1)]), snapshot([disk(1), disk(2)]));
    let labels = Labels::parse([("role", "db")]).unwrap();
    let mut later = host_report(&"db1".parse().unwrap(), &labels, Generation(8), 1_900_000_000_000, &one);
    let used = later.message.devices[0].file_system.as_mut().unwrap();
    assert!(used.size_bytes > used.free_bytes && used.free_bytes > 0, "{used:?}");
    used.free_bytes -= 1;
    assert!(report(&one).says_the_same(&later));
    later.message.devices[0].file_system.as_mut().unwrap().size_bytes += 1;
    assert!(!report(&one).says_the_same(&later));
    assert!(!report(&one).says_the_same(&report(&more)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_report_never_exceeds_its_room_and_loses_nothing_in_silence(
        devices in 0u32..60, mounts in 0u32..200, bytes in 300usize..20_000,
    ) {
        let mut snapshot = snapshot((1..=devices).map(disk));
        snapshot.mounts.extend((0..mounts).map(|number| mount_of(8, format!("/m/{number}"), "/")));
        let all_mounts = snapshot.mounts.len();
        let report = report_within(bytes, usize::MAX, &snapshot);
        prop_assert!(report.message.encoded_len() <= bytes);
        prop_assert_eq!(report.message.devices.len() + report.devices_left_out, snapshot.devices.len());
        prop_assert_eq!(report.message.mounts.len() + report.mounts_left_out, all_mounts);
    }

    #[test]
    fn the_order_in_which_things_were_found_does_not_show(order in Just((1u32..20).collect::<Vec<_>>()).prop_shuffle()) {
        let sorted = snapshot((1..20).map(disk));
        let mut shuffled = sorted.clone();
        shuffled.devices = order.iter().map(|place| sorted.devices[*place as usize - 1].clone()).collect();
        prop_assert_eq!(report(&sorted), report(&shuffled));
    }
}
