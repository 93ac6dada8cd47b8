use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use sanfleet_protocol::VolumeId;

use super::*;
use crate::host::sim::{SimCall, SimDevice, SimHost};

const BOUND: Duration = Duration::from_secs(10);

fn id(last: u8) -> VolumeId {
    format!("naa.600140500000000000000000000000{last:02x}").parse().unwrap()
}

fn disk(number: u8) -> SimDevice {
    SimDevice::disk(&format!("sd{number}"), vec![id(number)]).formatted("ext4", "", "data")
}

fn limits(deadline_ms: u64) -> ProbeLimits {
    ProbeLimits {
        deadline: Duration::from_millis(deadline_ms),
        patience: Duration::from_millis(5),
        ..ProbeLimits::default()
    }
}

fn discoverer(host: &SimHost, limits: ProbeLimits) -> (Discoverer, mpsc::Receiver<()>) {
    let (late, answers) = mpsc::channel();
    let late_answer = Arc::new(move || late.send(()).unwrap_or_default());
    (Discoverer::new(Arc::new(host.clone()), limits, late_answer), answers)
}

fn content<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Content {
    &snapshot.devices.iter().find(|device| device.sys.name == name).unwrap().content
}

fn is_unreadable(snapshot: &Snapshot, name: &str) -> bool {
    matches!(content(snapshot, name), Content::Unreadable(_))
}

#[test]
fn every_device_is_asked_what_it_holds() {
    let host = SimHost::builder().devices((1..=100).map(disk)).build();
    host.add_device(SimDevice::disk("empty", vec![]));
    let (discoverer, _) = discoverer(&host, limits(5_000));
    let snapshot = discoverer.snapshot().unwrap();
    assert_eq!(snapshot.devices.len(), 101);
    assert_eq!(content(&snapshot, "empty"), &Content::Nothing);
    for number in 1..=100 {
        let Content::FileSystem(found, _) = content(&snapshot, &format!("sd{number}")) else { panic!() };
        assert_eq!((found.kind.as_str(), found.label.as_str()), ("ext4", "data"));
    }
}

#[test]
fn a_dead_device_costs_its_deadline_once_and_the_others_nothing() {
    let host = SimHost::builder().devices((1..=40).map(disk)).build();
    host.hang("sd7", SimCall::Open);
    host.hang("sd8", SimCall::Read);
    let (discoverer, _) = discoverer(&host, limits(300));

    let begun = Instant::now();
    let first = discoverer.snapshot().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let unreadable: Vec<&str> = first
        .devices
        .iter()
        .filter(|device| matches!(device.content, Content::Unreadable(_)))
        .map(|device| device.sys.name.as_str())
        .collect();
    assert_eq!(unreadable, ["sd7", "sd8"]);

    let begun = Instant::now();
    let second = discoverer.snapshot().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(second, first, "a device that stays dead changes nothing");
    assert_eq!(host.calls("sd7", SimCall::Open), 1, "it is not asked again while it hangs");
    host.release_all();
}

#[test]
fn more_dead_devices_than_workers_do_not_starve_the_living() {
    let host = SimHost::builder().devices((1..=60).map(disk)).build();
    (1..=50).for_each(|number| host.hang(&format!("sd{number}"), SimCall::Open));
    let (discoverer, _) = discoverer(&host, ProbeLimits { workers: 4, ..limits(1_000) });
    let begun = Instant::now();
    let snapshot = discoverer.snapshot().unwrap();
    // Fifty deadlines one after the other, four at a time, would be over 12 s.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!((1..=50).all(|number| is_unreadable(&snapshot, &format!("sd{number}"))));
    assert!((51..=60).all(|number| !is_unreadable(&snapshot, &format!("sd{number}"))));
    host.release_all();
}

#[test]
fn a_device_that_answers_late_says_so_and_is_asked_again() {
    let host = SimHost::builder().device(disk(1)).build();
    host.hang("sd1", SimCall::Read);
    let (discoverer, late) = discoverer(&host, limits(20));
    assert!(is_unreadable(&discoverer.snapshot().unwrap(), "sd1"));
    host.release_all();
    late.recv_timeout(BOUND).unwrap();
    assert!(!is_unreadable(&discoverer.snapshot().unwrap(), "sd1"));
}

#[test]
fn only_so_many_threads_are_left_behind_in_dead_devices() {
    let host = SimHost::builder().devices((1..=9).map(disk)).build();
    (1..=9).for_each(|number| host.hang(&format!("sd{number}"), SimCall::Open));
    let (discoverer, _) = discoverer(&host, ProbeLimits { workers: 2, left_behind: 3, ..limits(20) });
    for _ in 0..5 {
        let snapshot = discoverer.snapshot().unwrap();
        assert!(snapshot.devices.iter().all(|device| matches!(device.content, Content::Unreadable(_))));
    }
    let asked: u32 = (1..=9).map(|number| host.calls(&format!("sd{number}"), SimCall::Open)).sum();
    // Within one round those that are not given up yet do not count, so that the first round may go over.
    assert!(asked < 9 + 3, "{asked}");
    host.release_all();
}

#[test]
fn what_cannot_hold_a_file_system_of_its_own_is_not_asked() {
    let host = SimHost::builder()
        .device(SimDevice::disk("sda", vec![id(1)]))
        .device(SimDevice::multipath("dm-0", vec![id(1)], &["sda"]))
        .device(SimDevice::disk("sdb", vec![id(2)]))
        .device(SimDevice::partition("sdb1", "sdb", 1))
        .device(SimDevice::disk("sdc", vec![id(3)]).size(0))
        .build();
    let (discoverer, _) = discoverer(&host, limits(5_000));
    let snapshot = discoverer.snapshot().unwrap();
    for (name, asked) in [("sda", 0), ("dm-0", 1), ("sdb", 0), ("sdb1", 1), ("sdc", 0)] {
        assert_eq!(host.calls(name, SimCall::Open), asked, "{name}");
        assert_eq!(content(&snapshot, name) != &Content::NotAsked, asked == 1, "{name}");
    }
}

#[test]
fn a_device_that_is_late_is_in_the_next_picture() {
    let host = SimHost::builder().device(disk(1)).device(disk(2).late(1)).build();
    let (discoverer, _) = discoverer(&host, limits(5_000));
    let seen = || discoverer.snapshot().unwrap().devices.len();
    assert_eq!([seen(), seen()], [1, 2]);
}
