//! Changes whose answer does not arrive: they are told as what they became.

use sanfleet_driver::{
    AccessGroup, AnonymousId, ArrayDriver, ElementType, ErrorNumber, InitiatorType, LsmError, ReplicateType,
    Volume,
};
use sanfleet_driver_targetd::TargetdDriver;

use super::{
    emulator::{Config, Emulator, Fault},
    session::{MIB, create, file_system, group, iqn, pool, session, volume},
};

/// A change, by the method of the daemon's that makes it.
type Change = (&'static str, fn(&mut TargetdDriver) -> Result<(), LsmError>);

/// Each is made in a world that has a volume `data`, one `seen` that the group `hosts` of two initiators sees, one `mapped` that a single
/// initiator sees, an `idle` group, and a file system with a snapshot.
const CHANGES: [Change; 18] = [
    ("vol_create", |driver| create(driver, "new").map(drop)),
    ("vol_destroy", |driver| {
        let volume = named(driver, "data");
        driver.volume_delete(&volume).map(drop)
    }),
    ("vol_resize", |driver| {
        let volume = named(driver, "data");
        driver.volume_resize(&volume, 64 * MIB).map(drop)
    }),
    ("vol_copy", |driver| {
        let source = named(driver, "data");
        driver.volume_replicate(None, ReplicateType::CLONE, &source, "copy").map(drop)
    }),
    ("access_group_create", |driver| {
        let system = driver.systems()?.remove(0);
        driver.access_group_create("other", &iqn("other"), InitiatorType::ISCSI, &system).map(drop)
    }),
    ("access_group_init_add", |driver| {
        let hosts = hosts(driver);
        driver.access_group_initiator_add(&hosts, &iqn("third"), InitiatorType::ISCSI).map(drop)
    }),
    ("access_group_init_del", |driver| {
        let hosts = hosts(driver);
        driver.access_group_initiator_delete(&hosts, &iqn("second"), InitiatorType::ISCSI).map(drop)
    }),
    ("access_group_map_create", |driver| {
        let (hosts, volume) = (hosts(driver), named(driver, "data"));
        driver.volume_mask(&hosts, &volume)
    }),
    ("access_group_map_destroy", |driver| {
        let (hosts, volume) = (hosts(driver), named(driver, "seen"));
        driver.volume_unmask(&hosts, &volume)
    }),
    ("export_create", |driver| {
        let volume = named(driver, "data");
        driver.volume_map(&volume, &iqn("alone"), InitiatorType::ISCSI, None).map(drop)
    }),
    ("fs_create", |driver| {
        let pool = pool(driver, ElementType::FILE_SYSTEM);
        driver.fs_create(&pool, "new", MIB).map(drop)
    }),
    ("fs_destroy", |driver| {
        let fs = driver.fs(None)?.remove(0);
        driver.fs_delete(&fs).map(drop)
    }),
    ("fs_clone", |driver| {
        let fs = driver.fs(None)?.remove(0);
        driver.fs_clone(&fs, "clone", None).map(drop)
    }),
    ("fs_snapshot", |driver| {
        let fs = driver.fs(None)?.remove(0);
        driver.fs_snapshot_create(&fs, "new").map(drop)
    }),
    ("fs_snapshot_delete", |driver| {
        let fs = driver.fs(None)?.remove(0);
        let snapshot = driver.fs_snapshots(&fs)?.remove(0);
        driver.fs_snapshot_delete(&fs, &snapshot).map(drop)
    }),
    ("access_group_destroy", |driver| {
        let group = driver.access_groups(None)?.into_iter().find(|group| group.name == "idle").unwrap();
        driver.access_group_delete(&group)
    }),
    ("export_destroy", |driver| {
        let volume = named(driver, "mapped");
        driver.volume_unmap(&volume, &iqn("single"), InitiatorType::ISCSI)
    }),
    ("nfs_export_add", |driver| {
        let fs = driver.fs(None)?.remove(0);
        let (rw, none) = (["a".to_owned()], AnonymousId::NOT_AVAILABLE);
        driver.export_fs(&fs.id, None, &[], &rw, &[], none, none, None, None).map(drop)
    }),
];

fn named(driver: &mut TargetdDriver, name: &str) -> Volume {
    driver.volumes(None).unwrap().into_iter().find(|volume| volume.name == name).unwrap()
}

fn hosts(driver: &mut TargetdDriver) -> AccessGroup {
    driver.access_groups(None).unwrap().into_iter().find(|group| group.name == "hosts").unwrap()
}

fn world() -> (Emulator, TargetdDriver) {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    volume(&mut driver, "data");
    let seen = volume(&mut driver, "seen");
    let hosts = group(&mut driver, "hosts");
    driver.access_group_initiator_add(&hosts, &iqn("second"), InitiatorType::ISCSI).unwrap();
    driver.volume_mask(&hosts, &seen).unwrap();
    group(&mut driver, "idle");
    let mapped = volume(&mut driver, "mapped");
    driver.volume_map(&mapped, &iqn("single"), InitiatorType::ISCSI, None).unwrap();
    let fs = file_system(&mut driver, "files");
    driver.fs_snapshot_create(&fs, "snap").unwrap();
    (emulator, driver)
}

#[test]
fn a_change_that_was_made_is_told_as_made_and_asked_for_once() {
    for (method, change) in CHANGES {
        for fault in [Fault::LoseAnswer, Fault::CutAnswer] {
            let (emulator, mut driver) = world();
            let before = emulator.calls_of(method);
            emulator.befall(method, fault);
            change(&mut driver).unwrap_or_else(|error| panic!("{method}, {fault:?}: {error}"));
            assert_eq!(emulator.calls_of(method), before + 1, "{method}, {fault:?}");
        }
    }
}

#[test]
fn a_change_that_was_not_made_is_an_error_that_may_be_tried_again_and_then_succeeds() {
    for (method, change) in CHANGES {
        let (emulator, mut driver) = world();
        emulator.befall(method, Fault::LoseRequest);
        let error = change(&mut driver).unwrap_err();
        assert_eq!(error.number, ErrorNumber::NetworkError, "{method}: {error}");
        change(&mut driver).unwrap_or_else(|error| panic!("{method}: {error}"));
    }
}

#[test]
fn a_change_that_the_daemon_only_says_it_made_is_an_error() {
    for (method, change) in CHANGES {
        let (emulator, mut driver) = world();
        emulator.befall(method, Fault::Lie);
        let error = change(&mut driver).unwrap_err();
        assert!(!error.is_retryable(), "{method}: {error}");
    }
}

#[test]
fn a_command_that_failed_on_the_daemons_host_is_told_with_its_text() {
    for (method, change) in CHANGES {
        let (emulator, mut driver) = world();
        emulator.befall(method, Fault::FailedCommand);
        let error = change(&mut driver).unwrap_err();
        assert!(error.message.contains("Unexpected exit code"), "{method}: {error}");
    }
}

#[test]
fn a_volume_of_another_id_under_the_same_name_is_not_deleted_for_the_one_that_was_meant() {
    let (emulator, mut driver) = world();
    let old = named(&mut driver, "data");
    driver.volume_delete(&old).unwrap();
    let new = volume(&mut driver, "data");
    assert_ne!((&old.id, &old.vpd83), (&new.id, &new.vpd83));
    assert_eq!(driver.volume_delete(&old).unwrap_err().number, ErrorNumber::NotFoundVolume);
    assert_eq!(named(&mut driver, "data"), new);
    assert_eq!(emulator.calls_of("vol_destroy"), 1);
}
