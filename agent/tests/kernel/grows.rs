//! A volume that the array has made larger, and the file system on it.

use std::time::Duration;

use sanfleet_agent::{
    actions::{ActionError, grow_file_system::grow_file_system, grow_volume::grow_volume, mount},
    deadline::Deadline,
    host::sim::{SimCall, SimDevice, SimHost},
    verify::verify,
};
use sanfleet_protocol::{
    Layers, VolumeId,
    v1::{self, command_error::Kind},
};

use crate::{
    lab::{Lab, VOLUME_BYTES, soon, volume},
    side::{Content, Side, sides},
};

const LARGER: u64 = VOLUME_BYTES + (256 << 20);

/// Whether anything changed, and the sizes before and after.
fn sizes(done: Result<v1::CommandDone, ActionError>) -> (bool, u64, u64) {
    match done.unwrap() {
        v1::CommandDone { changed, detail: Some(v1::command_done::Detail::Grown(grown)) } => {
            (changed, grown.before_bytes, grown.after_bytes)
        }
        other => panic!("{other:?}"),
    }
}

/// A container may be root without this right.
fn may_grow_ext4() -> bool {
    let ours = rustix::thread::capabilities(None).unwrap().effective;
    ours.contains(rustix::thread::CapabilitySet::SYS_RESOURCE)
}

fn grow(side: &Side, volume: &VolumeId, bytes: u64) -> Result<v1::CommandDone, ActionError> {
    grow_volume(side.host(), &side.lab.ledger, volume, bytes, soon())
}

#[test]
fn a_volume_and_then_its_file_system_grow_while_it_is_mounted_and_each_only_once() {
    for side in sides() {
        for (n, kind) in (1..).zip(["xfs", "ext4", "btrfs"]) {
            let said = format!("{} {kind}", side.name);
            let volume = side.volume(n, Content::Made(kind));
            let at = side.lab.at(&format!("at{n}"));
            let request = mount::Request {
                volume: volume.clone(),
                at: at.clone(),
                read_write: true,
                file_system: kind.into(),
                layers: Layers::default(),
            };
            mount::mount(side.host(), &side.lab.ledger, &request, soon()).unwrap();
            side.resize(n, LARGER);
            assert_eq!(sizes(grow(&side, &volume, LARGER)), (true, VOLUME_BYTES, LARGER), "{said}");
            assert_eq!(sizes(grow(&side, &volume, LARGER)), (false, LARGER, LARGER), "{said}");
            assert_eq!(
                verify(side.host(), &volume).unwrap().device().size_bytes().unwrap(),
                LARGER,
                "{said}"
            );

            if side.name == "linux" && kind == "ext4" && !may_grow_ext4() {
                let error = grow_file_system(side.host(), &volume, &at, soon()).unwrap_err();
                assert!(error.to_string().contains("CAP_SYS_RESOURCE"), "{error}");
                continue;
            }
            let grow = || sizes(grow_file_system(side.host(), &volume, &at, soon()));
            let (changed, before, after) = grow();
            assert!(changed && before <= VOLUME_BYTES, "{said}: {before} {after}");
            // What the file system keeps for itself is a small part of it.
            assert!(after <= LARGER && after > LARGER / 4 * 3 && after > before, "{said}: {before} {after}");
            assert_eq!(grow(), (false, after, after), "{said}");
        }
    }
}

#[test]
fn a_volume_that_did_not_grow_on_the_array_is_an_error_and_one_that_is_larger_stays_so() {
    for side in sides() {
        let volume = side.volume(1, Content::Blank);
        let soon = Deadline::after(Duration::from_millis(300));
        let error = grow_volume(side.host(), &side.lab.ledger, &volume, LARGER, soon).unwrap_err();
        assert!(error.to_string().contains(&side.device(1)), "{} {error}", side.name);
        assert_eq!(sizes(grow(&side, &volume, VOLUME_BYTES / 2)), (false, VOLUME_BYTES, VOLUME_BYTES));
    }
}

#[test]
fn the_file_system_of_another_volume_is_not_grown() {
    for side in sides() {
        let (one, other) = (side.volume(1, Content::Made("ext4")), side.volume(2, Content::Made("ext4")));
        side.mount_by_hand(2, "other");
        let error = grow_file_system(side.host(), &one, &side.lab.at("other"), soon()).unwrap_err();
        assert_eq!(error.kind(), Kind::WrongVolume, "{} {error}", side.name);
        assert!(error.to_string().contains(&other.to_string()), "{error}");
        let error = grow_file_system(side.host(), &one, &side.lab.at("nowhere"), soon()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{} {error}", side.name);
    }
}

/// A map over two paths that the array has told of a larger volume, as far as they are named.
fn map(told: &[&str]) -> (Lab, SimHost) {
    let path = |name| SimDevice::disk(name, vec![volume(1)]).size(VOLUME_BYTES);
    let map = SimDevice::multipath("dm-0", vec![volume(1)], &["sda", "sdb"]).size(VOLUME_BYTES);
    let host = SimHost::builder().devices([path("sda"), path("sdb"), map]).build();
    told.iter().for_each(|name| host.resize(name, LARGER));
    (Lab::new(), host)
}

#[test]
fn a_map_grows_when_all_of_its_paths_have_grown() {
    let (lab, host) = map(&["sda", "sdb"]);
    let grow = || sizes(grow_volume(&host, &lab.ledger, &volume(1), LARGER, soon()));
    assert_eq!(grow(), (true, VOLUME_BYTES, LARGER));
    assert_eq!(grow(), (false, LARGER, LARGER));
}

#[test]
fn a_map_with_a_path_that_is_down_is_not_grown() {
    let (lab, host) = map(&["sda", "sdb"]);
    host.break_device("sdb", SimCall::Identify);
    let error = grow_volume(&host, &lab.ledger, &volume(1), LARGER, soon()).unwrap_err().to_string();
    assert!(error.contains("sdb") && error.contains("does not answer"), "{error}");
    assert_eq!(verify(&host, &volume(1)).unwrap().device().size_bytes().unwrap(), VOLUME_BYTES);
}

#[test]
fn a_path_that_does_not_show_the_new_size_is_named_and_the_map_stays_as_it_is() {
    let (lab, host) = map(&["sda"]);
    let soon = Deadline::after(Duration::from_millis(200));
    let error = grow_volume(&host, &lab.ledger, &volume(1), LARGER, soon).unwrap_err().to_string();
    assert!(error.contains("sdb") && error.contains(&VOLUME_BYTES.to_string()), "{error}");
    assert_eq!(verify(&host, &volume(1)).unwrap().device().size_bytes().unwrap(), VOLUME_BYTES);
    // The path has come back to its senses.
    host.resize("sdb", LARGER);
    assert!(sizes(grow_volume(&host, &lab.ledger, &volume(1), LARGER, self::soon())).0);
}
