use std::{thread, time::Duration};

use sanfleet_protocol::LogicalVolume;

use super::*;
use crate::verify::{VerifyError, verify, within};

const BOUND: Duration = Duration::from_secs(10);

fn soon() -> Deadline {
    Deadline::after(BOUND)
}

fn id(last: u8) -> VolumeId {
    format!("naa.600140500000000000000000000000{last:02x}").parse().unwrap()
}

fn at(path: &str) -> MountPoint {
    path.parse().unwrap()
}

fn ext4(read_write: bool) -> MountOptions {
    MountOptions { file_system: "ext4".to_owned(), read_write }
}

fn volume(name: &str, last: u8) -> SimDevice {
    SimDevice::loopback(name, vec![id(last)]).formatted("ext4", "", "")
}

#[test]
fn an_offered_volume_is_rescanned_mounted_unmounted_and_detached_each_twice() {
    let host = SimHost::builder().fabric("loop").build();
    host.offer("loop", volume("loop0", 1));
    assert!(matches!(verify(&host, &id(1)), Err(VerifyError::NotFound { .. })));
    assert!(host.rescan("loop", Wanted::anywhere(&id(1)), soon()).unwrap());
    assert!(!host.rescan("loop", Wanted::anywhere(&id(1)), soon()).unwrap());

    let device = verify(&host, &id(1)).unwrap();
    for _ in 0..2 {
        host.mount(&device, &at("/srv/a"), &ext4(false)).unwrap();
    }
    let mounts = host.mounts().unwrap();
    assert_eq!(mounts.len(), 1);
    assert_eq!((mounts[0].device, mounts[0].read_only), (device.number(), true));
    assert!(matches!(host.detach(verify(&host, &id(1)).unwrap(), soon()), Err(HostError::Busy { .. })));

    for _ in 0..2 {
        host.unmount(&at("/srv/a")).unwrap();
    }
    host.detach(device, soon()).unwrap();
    assert_eq!((host.devices().unwrap(), host.mounts().unwrap()), (vec![], vec![]));
    assert!(host.rescan("loop", Wanted::anywhere(&id(1)), soon()).unwrap(), "the volume itself stayed");
}

#[test]
fn a_rescan_for_a_volume_that_nobody_offers_changes_nothing() {
    let host = SimHost::builder().fabric("loop").build();
    host.offer("loop", volume("loop0", 1));
    host.withdraw(&id(1));
    assert!(!host.rescan("loop", Wanted::anywhere(&id(1)), soon()).unwrap());
    assert!(matches!(host.rescan("fc", Wanted::anywhere(&id(1)), soon()), Err(HostError::Invalid { .. })));
}

#[test]
fn a_lun_number_used_again_is_refused_with_both_ids() {
    let host = SimHost::builder().device(volume("loop0", 1)).build();
    host.set_true_ids("loop0", vec![id(2)]);
    match verify(&host, &id(1)) {
        Err(VerifyError::WrongVolume { wanted, found, .. }) => {
            assert_eq!((wanted, found), (id(1), vec![id(2)]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_doubled_device_is_ambiguous_and_the_paths_of_a_map_are_not() {
    let host = SimHost::builder().device(SimDevice::disk("sda", vec![id(1)])).build();
    host.double("sda", "sdb");
    assert!(matches!(verify(&host, &id(1)), Err(VerifyError::Ambiguous { .. })));
    host.add_device(SimDevice::multipath("dm-0", vec![id(1)], &["sda", "sdb"]));
    let map = verify(&host, &id(1)).unwrap();
    assert_eq!((map.device().name(), map.paths().len()), ("dm-0".to_owned(), 2));
    host.detach(map, soon()).unwrap();
    assert_eq!(host.devices().unwrap(), vec![]);
}

#[test]
fn a_path_of_a_map_may_be_down_as_long_as_another_one_answers() {
    let host = SimHost::builder().device(SimDevice::disk("sda", vec![id(1)])).build();
    host.double("sda", "sdb");
    host.add_device(SimDevice::multipath("dm-0", vec![id(1)], &["sda", "sdb"]));
    host.break_device("sda", SimCall::Identify);
    let map = verify(&host, &id(1)).unwrap();
    assert_eq!((map.paths().len(), map.silent()), (1, &["sda".to_owned()][..]));
    host.set_true_ids("sdb", vec![id(2)]);
    assert!(matches!(verify(&host, &id(1)), Err(VerifyError::WrongVolume { .. })));
    host.break_device("sdb", SimCall::Identify);
    assert!(matches!(verify(&host, &id(1)), Err(VerifyError::Host(_))));
}

#[test]
fn a_late_device_is_missing_in_as_many_listings() {
    let host = SimHost::builder().device(volume("loop0", 1).late(2)).build();
    let listed: Vec<usize> = (0..4).map(|_| host.devices().unwrap().len()).collect();
    assert_eq!(listed, [0, 0, 1, 1]);
}

#[test]
fn a_device_hangs_until_it_is_released_and_is_gone_when_it_is_removed() {
    let host = SimHost::builder().device(volume("loop0", 1)).build();
    host.hang("loop0", SimCall::Identify);
    let device = host.devices().unwrap().remove(0);
    let open = host.open(&device).unwrap();
    thread::scope(|scope| {
        let asked = scope.spawn(|| open.identify());
        while host.calls("loop0", SimCall::Identify) == 0 {
            thread::yield_now();
        }
        assert!(!asked.is_finished());
        host.release_all();
        assert_eq!(asked.join().unwrap().unwrap(), [id(1)]);
    });
    host.remove_device("loop0");
    assert!(matches!(open.identify(), Err(HostError::Os { .. })));
    assert!(host.open(&device).is_err());
}

#[test]
fn what_is_mounted_over_or_busy_or_of_another_type_is_refused() {
    let host = SimHost::builder().device(volume("loop0", 1)).device(volume("loop1", 2)).build();
    host.occupy("/full");
    let (one, other) = (verify(&host, &id(1)).unwrap(), verify(&host, &id(2)).unwrap());
    assert!(host.mount(&one, &at("/full"), &ext4(true)).is_err());
    let xfs = MountOptions { file_system: "xfs".to_owned(), read_write: true };
    assert!(host.mount(&one, &at("/a"), &xfs).is_err());
    host.mount(&one, &at("/a"), &ext4(true)).unwrap();
    assert!(matches!(host.mount(&other, &at("/a"), &ext4(true)), Err(HostError::Busy { .. })));
    assert!(host.check_mount_point(&at("/a")).is_err());
    host.make_busy("/a", "mariadbd (4711)");
    assert!(host.unmount(&at("/a")).unwrap_err().to_string().contains("4711"));
    host.make_idle("/a");
    host.unmount(&at("/a")).unwrap();
}

#[test]
fn a_change_is_told_once_and_wakes_who_waits() {
    let host = SimHost::builder().build();
    let _ = host.wait_for_change(Duration::ZERO);
    assert_eq!(host.wait_for_change(Duration::ZERO).unwrap(), None);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| host.wait_for_change(BOUND).unwrap());
        host.false_alarm();
        assert_eq!(waiting.join().unwrap(), Some(Changed));
    });
    host.set_true_ids("loop0", vec![]);
    assert_eq!(host.wait_for_change(Duration::ZERO).unwrap(), None, "LUN reuse sends no uevent");
}

#[test]
fn a_copy_with_lvm_on_a_partition_is_opened_used_and_closed_each_twice() {
    let lvm = LogicalVolume { group: "vg".parse().unwrap(), name: "data".parse().unwrap() };
    let of_source = Layers { partition: std::num::NonZeroU32::new(2), lvm: Some(lvm) };
    let own = of_source.on_copy(&id(1));
    let host = SimHost::builder().fabric("loop").build();
    host.offer("loop", SimDevice::loopback("loop0", vec![id(1)]).holding(&of_source, "ext4", ""));
    host.rescan("loop", Wanted::anywhere(&id(1)), soon()).unwrap();
    let copy = || verify(&host, &id(1)).unwrap();
    assert!(matches!(within(&host, copy(), &own), Err(VerifyError::NotWithin { .. })));
    assert!(host.open_layers(&copy(), &Layers::default(), soon()).is_err(), "it holds others");

    assert!(host.open_layers(&copy(), &of_source, soon()).unwrap());
    assert!(!host.open_layers(&copy(), &of_source, soon()).unwrap());
    assert_eq!(host.physical_volumes(&own.lvm.as_ref().unwrap().group, soon()).unwrap(), 1);
    let inner = within(&host, copy(), &own).unwrap();
    assert_eq!(inner.paths().len(), 1, "the disk, which proves what it is on");
    host.mount(&inner, &at("/srv/a"), &ext4(false)).unwrap();
    assert!(matches!(host.close_layers(&copy(), soon()), Err(HostError::Busy { .. })));
    host.unmount(&at("/srv/a")).unwrap();

    assert!(host.close_layers(&copy(), soon()).unwrap());
    assert!(!host.close_layers(&copy(), soon()).unwrap());
    host.detach(copy(), soon()).unwrap();
    assert!(host.devices().unwrap().is_empty());
}
