//! Changes whose answer does not arrive: they are told as what they became.

use std::thread;

use sanfleet_driver::{
    AccessGroup, AnonymousId, ArrayDriver, ErrorNumber, InitiatorType, LsmError, ReplicateType,
};
use sanfleet_driver_nexentastor::NexentaStorDriver;

use super::{
    emulator::{Config, Emulator, Fault, Release},
    session::{MIB, create, file_system, group, iqn, named, pool, session},
};

type Change = fn(&mut NexentaStorDriver) -> Result<(), LsmError>;

const CREATE: Change = |driver| create(driver, "new").map(drop);
const DELETE: Change = |driver| {
    let volume = named(driver, "data");
    driver.volume_delete(&volume).map(drop)
};
const RESIZE: Change = |driver| {
    let volume = named(driver, "data");
    driver.volume_resize(&volume, 64 * MIB).map(drop)
};
const CLONE: Change = |driver| {
    let source = named(driver, "data");
    driver.volume_replicate(None, ReplicateType::CLONE, &source, "copy").map(drop)
};
const PROMOTE: Change = |driver| {
    let source = named(driver, "parent");
    driver.volume_child_dependency_rm(&source).map(drop)
};
const GROUP: Change = |driver| {
    let system = driver.systems()?.remove(0);
    driver.access_group_create("other", &iqn("other"), InitiatorType::ISCSI, &system).map(drop)
};
const UNGROUP: Change = |driver| {
    let idle = group_named(driver, "idle");
    driver.access_group_delete(&idle)
};
const ADD: Change = |driver| {
    let hosts = group_named(driver, "hosts");
    driver.access_group_initiator_add(&hosts, &iqn("third"), InitiatorType::ISCSI).map(drop)
};
const REMOVE: Change = |driver| {
    let hosts = group_named(driver, "hosts");
    driver.access_group_initiator_delete(&hosts, &iqn("second"), InitiatorType::ISCSI).map(drop)
};
const MASK: Change = |driver| {
    let (hosts, volume) = (group_named(driver, "hosts"), named(driver, "data"));
    driver.volume_mask(&hosts, &volume)
};
const UNMASK: Change = |driver| {
    let (hosts, volume) = (group_named(driver, "hosts"), named(driver, "seen"));
    driver.volume_unmask(&hosts, &volume)
};
const FS_CREATE: Change = |driver| {
    let pool = pool(driver);
    driver.fs_create(&pool, "new", MIB).map(drop)
};
const FS_DELETE: Change = |driver| {
    let fs = driver.fs(None)?.remove(0);
    driver.fs_delete(&fs).map(drop)
};
const SNAPSHOT: Change = |driver| {
    let fs = driver.fs(None)?.remove(0);
    driver.fs_snapshot_create(&fs, "new").map(drop)
};
const UNSNAPSHOT: Change = |driver| {
    let fs = driver.fs(None)?.remove(0);
    let snapshot = driver.fs_snapshots(&fs)?.remove(0);
    driver.fs_snapshot_delete(&fs, &snapshot).map(drop)
};
const EXPORT: Change = |driver| {
    let fs = driver.fs(None)?.remove(0);
    let (rw, none) = (["192.0.2.7".to_owned()], AnonymousId::NOT_AVAILABLE);
    driver.export_fs(&fs.id, None, &[], &rw, &[], none, none, None, None).map(drop)
};

/// The changes of release 5, by what is asked of the appliance for them.
const REST: [(&str, Change); 17] = [
    ("POST volumes", CREATE),
    ("DELETE volumes", DELETE),
    ("DELETE lunMappings", DELETE),
    ("PUT volumes", RESIZE),
    ("POST snapshots", CLONE),
    ("POST snapshots/clone", CLONE),
    ("POST volumes/promote", PROMOTE),
    ("POST hostgroups", GROUP),
    ("DELETE hostgroups", UNGROUP),
    ("PUT hostgroups", ADD),
    ("PUT hostgroups", REMOVE),
    ("POST lunMappings", MASK),
    ("DELETE lunMappings", UNMASK),
    ("POST filesystems", FS_CREATE),
    ("DELETE filesystems", FS_DELETE),
    ("POST snapshots", SNAPSHOT),
    ("DELETE snapshots", UNSNAPSHOT),
];

/// The same of releases 3 and 4, which have no file systems for us.
const NMS: [(&str, Change); 12] = [
    ("POST zvol.create", CREATE),
    ("POST scsidisk.create_lu", CREATE),
    ("POST zvol.destroy", DELETE),
    ("POST zvol.set_child_prop", RESIZE),
    ("POST zvol.create_snapshot", CLONE),
    ("POST zvol.clone", CLONE),
    ("POST zvol.promote", PROMOTE),
    ("POST stmf.destroy_hostgroup", UNGROUP),
    ("POST stmf.add_hostgroup_member", ADD),
    ("POST stmf.remove_hostgroup_member", REMOVE),
    ("POST scsidisk.add_lun_mapping_entry", MASK),
    ("POST scsidisk.remove_lun_mapping_entry", UNMASK),
];

fn all() -> impl Iterator<Item = (Release, &'static str, Change)> {
    let rest = REST.into_iter().map(|(operation, change)| (Release::Rest, operation, change));
    rest.chain(NMS.into_iter().map(|(operation, change)| (Release::Nms, operation, change)))
}

/// Each in a world of its own, and all at once: most of the time is waiting for lists that might lag.
fn each(
    changes: impl Iterator<Item = (Release, &'static str, Change)>,
    test: impl Fn(Release, &str, Change) + Sync,
) {
    thread::scope(|scope| {
        for (release, operation, change) in changes {
            let test = &test;
            scope.spawn(move || test(release, operation, change));
        }
    });
}

fn group_named(driver: &mut NexentaStorDriver, name: &str) -> AccessGroup {
    driver.access_groups(None).unwrap().into_iter().find(|group| group.name == name).unwrap()
}

/// A volume `data`, one `seen` that the group `hosts` of two initiators sees, one `parent` that has a clone, an `idle` group, and with
/// release 5 a file system with a snapshot.
fn world(release: Release) -> (Emulator, NexentaStorDriver) {
    let emulator = Emulator::start(Config { release, ..Config::default() });
    let mut driver = session(&emulator);
    create(&mut driver, "data").unwrap();
    let (seen, parent) = (create(&mut driver, "seen").unwrap(), create(&mut driver, "parent").unwrap());
    driver.volume_replicate(None, ReplicateType::CLONE, &parent, "child").unwrap();
    let hosts = group(&mut driver, "hosts");
    driver.access_group_initiator_add(&hosts, &iqn("second"), InitiatorType::ISCSI).unwrap();
    driver.volume_mask(&hosts, &seen).unwrap();
    group(&mut driver, "idle");
    if release == Release::Rest {
        let fs = file_system(&mut driver, "files");
        driver.fs_snapshot_create(&fs, "snap").unwrap();
    }
    (emulator, driver)
}

#[test]
fn a_change_that_was_made_is_told_as_made() {
    each(all(), |release, operation, change| {
        for fault in [Fault::LoseAnswer, Fault::CutAnswer] {
            let (emulator, mut driver) = world(release);
            emulator.befall(operation, fault);
            change(&mut driver).unwrap_or_else(|error| panic!("{operation}, {fault:?}: {error}"));
        }
    });
}

#[test]
fn what_may_be_made_twice_is_asked_for_once() {
    for (operation, change) in REST.into_iter().filter(|(operation, _)| *operation != "DELETE lunMappings") {
        let (emulator, mut driver) = world(Release::Rest);
        let before = emulator.calls_of(operation);
        emulator.befall(operation, Fault::LoseAnswer);
        change(&mut driver).unwrap();
        let asked = emulator.calls_of(operation) - before;
        assert_eq!(asked, 1, "{operation}");
    }
}

#[test]
fn a_change_that_was_not_made_can_be_made_when_it_is_tried_again() {
    each(all(), |release, operation, change| {
        let (emulator, mut driver) = world(release);
        emulator.befall(operation, Fault::LoseRequest);
        // What may be asked for twice is done at once.
        if let Err(error) = change(&mut driver) {
            assert!(error.is_retryable(), "{operation}: {error}");
            change(&mut driver).unwrap_or_else(|error| panic!("{operation}: {error}"));
        }
    });
}

#[test]
fn something_that_fails_inside_the_appliance_is_told_with_its_text() {
    each(all(), |release, operation, change| {
        let (emulator, mut driver) = world(release);
        emulator.befall(operation, Fault::Broken);
        if let Err(error) = change(&mut driver) {
            let told = ["EFAULT", "Died at line 7"].iter().any(|text| error.message.contains(text));
            assert!(told && error.number == ErrorNumber::PluginBug, "{operation}: {error}");
        }
    });
}

#[test]
fn a_change_that_the_appliance_only_says_it_made_is_an_error() {
    let changes = [
        (Release::Rest, "POST volumes", CREATE),
        (Release::Rest, "DELETE volumes", DELETE),
        (Release::Rest, "POST lunMappings", MASK),
        (Release::Rest, "POST nfs", EXPORT),
        (Release::Nms, "POST scsidisk.create_lu", CREATE),
        (Release::Nms, "POST scsidisk.add_lun_mapping_entry", MASK),
    ];
    each(changes.into_iter(), |release, operation, change| {
        let (emulator, mut driver) = world(release);
        emulator.befall(operation, Fault::Lie);
        let error = change(&mut driver).unwrap_err();
        assert!(!error.is_retryable(), "{operation}: {error}");
    });
}

#[test]
fn a_volume_that_gets_no_identity_is_not_left_behind() {
    for (release, operation) in
        [(Release::Rest, "POST lunMappings"), (Release::Nms, "POST scsidisk.create_lu")]
    {
        let (emulator, mut driver) = world(release);
        emulator.befall(operation, Fault::Lie);
        create(&mut driver, "new").unwrap_err();
        create(&mut driver, "new").unwrap_or_else(|error| panic!("{operation}: {error}"));
    }
}

#[test]
fn a_volume_of_another_id_under_the_same_name_is_not_deleted_for_the_one_that_was_meant() {
    for release in [Release::Rest, Release::Nms] {
        let (_emulator, mut driver) = world(release);
        let old = named(&mut driver, "data");
        driver.volume_delete(&old).unwrap();
        let new = create(&mut driver, "data").unwrap();
        assert_ne!((&old.id, &old.vpd83), (&new.id, &new.vpd83));
        assert_eq!(driver.volume_delete(&old).unwrap_err().number, ErrorNumber::NotFoundVolume);
        assert_eq!(named(&mut driver, "data"), new);
    }
}
