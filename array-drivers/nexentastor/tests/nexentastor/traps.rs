//! The odd ways of appliances, and of those who use them besides us.

use sanfleet_driver::{
    AccessGroup, AnonymousId, ArrayDriver, ErrorNumber, InitiatorType, ReplicateType, Volume,
};

use super::{
    emulator::{Config, Emulator, POOL, Release},
    session::{MIB, create, done, file_system, group, iqn, named, pool, session},
};

const BOTH: [Release; 2] = [Release::Rest, Release::Nms];

fn emulator(release: Release) -> Emulator {
    Emulator::start(Config { release, ..Config::default() })
}

fn everybody(groups: &[AccessGroup]) -> Option<&AccessGroup> {
    groups.iter().find(|group| group.name.eq_ignore_ascii_case("all"))
}

fn clone(driver: &mut impl ArrayDriver, source: &Volume, name: &str) -> Volume {
    done(driver.volume_replicate(None, ReplicateType::CLONE, source, name).unwrap())
}

#[test]
fn the_groups_of_nobody_are_told_to_nobody() {
    let emulator = emulator(Release::Rest);
    let mut driver = session(&emulator);
    let volume = create(&mut driver, "data").unwrap();
    assert_eq!(emulator.state.lock().unwrap().stmf.views.len(), 1);
    assert_eq!(driver.access_groups(None).unwrap(), []);
    assert_eq!(driver.volume_mappings(&volume).unwrap(), []);
    assert_eq!(driver.mappings_page(None, 10).unwrap().items, []);
    // No target shows it, and nobody is in its host group but a name that is never told.
    let state = emulator.state.lock().unwrap();
    assert_eq!(state.stmf.target_groups["sanfleet-nobody"], Vec::<String>::new());
    assert_eq!(state.stmf.host_groups["sanfleet-nobody"].len(), 1);
}

#[test]
fn an_identity_stays_through_masks_and_growth() {
    for release in BOTH {
        let emulator = emulator(release);
        let mut driver = session(&emulator);
        let made = create(&mut driver, "data").unwrap();
        assert!(made.vpd83.starts_with("600144f0"), "{made:?}");
        let hosts = group(&mut driver, "hosts");
        driver.volume_mask(&hosts, &made).unwrap();
        assert_eq!(named(&mut driver, "data"), made);
        driver.volume_unmask(&hosts, &made).unwrap();
        let grown = done(driver.volume_resize(&made, 64 * MIB).unwrap());
        assert_eq!((&grown.vpd83, &grown.id), (&made.vpd83, &made.id), "{release:?}");
        assert_eq!(driver.volume_ids(&grown).unwrap(), [format!("naa.{}", made.vpd83)]);
    }
}

#[test]
fn a_volume_of_somebody_elses_has_an_identity_when_it_is_masked() {
    let emulator = emulator(Release::Rest);
    let mut driver = session(&emulator);
    {
        let mut state = emulator.state.lock().unwrap();
        state.volume_groups.insert(format!("{POOL}/theirs"));
        state.zfs.create_volume(&format!("{POOL}/theirs/v"), MIB, 8192, true).unwrap();
    }
    let theirs = named(&mut driver, "v");
    assert_eq!((theirs.vpd83.as_str(), theirs.pool_id.as_str()), ("", POOL));
    let hosts = group(&mut driver, "hosts");
    driver.volume_mask(&hosts, &theirs).unwrap();
    assert!(named(&mut driver, "v").volume_id().is_some());
    driver.volume_unmask(&hosts, &theirs).unwrap();
    driver.volume_delete(&theirs).unwrap();
}

#[test]
fn a_zvol_without_a_unit_is_not_told_and_its_name_is_taken() {
    let emulator = emulator(Release::Nms);
    let mut driver = session(&emulator);
    emulator.state.lock().unwrap().zfs.create_volume(&format!("{POOL}/bare"), MIB, 8192, true).unwrap();
    assert_eq!(driver.volumes(None).unwrap(), []);
    assert_eq!(create(&mut driver, "bare").unwrap_err().number, ErrorNumber::NameConflict);
}

#[test]
fn who_is_everybody_is_told_and_can_be_taken_a_volume_away_from() {
    for release in BOTH {
        let emulator = emulator(release);
        let mut driver = session(&emulator);
        let volume = create(&mut driver, "data").unwrap();
        {
            let mut state = emulator.state.lock().unwrap();
            let path = state.zfs.datasets.keys().next().unwrap().clone();
            state.stmf.views.clear();
            state.stmf.add_view(&path, "all", "all", None).unwrap();
        }
        let groups = driver.access_groups(None).unwrap();
        let all = everybody(&groups).unwrap().clone();
        assert_eq!(driver.access_groups_granted_to_volume(&volume).unwrap(), std::slice::from_ref(&all));
        assert_eq!(driver.volumes_accessible_by_access_group(&all).unwrap(), std::slice::from_ref(&volume));
        assert_eq!(driver.volume_delete(&volume).unwrap_err().number, ErrorNumber::IsMasked, "{release:?}");
        driver.volume_unmask(&all, &volume).unwrap();
        assert!(everybody(&driver.access_groups(None).unwrap()).is_none(), "{release:?}");
    }
}

#[test]
fn what_a_clone_rests_on_goes_with_it() {
    for release in BOTH {
        let emulator = emulator(release);
        let mut driver = session(&emulator);
        let source = create(&mut driver, "source").unwrap();
        let copy = clone(&mut driver, &source, "copy");
        assert_eq!(emulator.state.lock().unwrap().zfs.snapshots.len(), 1);
        driver.volume_delete(&copy).unwrap();
        assert_eq!(emulator.state.lock().unwrap().zfs.snapshots.len(), 0, "{release:?}");
    }
}

#[test]
fn a_clone_that_cannot_be_made_leaves_nothing() {
    for (release, operation) in [(Release::Rest, "POST snapshots/clone"), (Release::Nms, "POST zvol.clone")] {
        let emulator = emulator(release);
        let mut driver = session(&emulator);
        let source = create(&mut driver, "source").unwrap();
        emulator.befall(operation, super::emulator::Fault::Broken);
        driver.volume_replicate(None, ReplicateType::CLONE, &source, "copy").unwrap_err();
        assert_eq!(emulator.state.lock().unwrap().zfs.snapshots.len(), 0, "{operation}");
        clone(&mut driver, &source, "copy");
    }
}

#[test]
fn a_promoted_clone_has_what_its_source_had_and_the_source_can_go() {
    for release in BOTH {
        let emulator = emulator(release);
        let mut driver = session(&emulator);
        let source = create(&mut driver, "source").unwrap();
        let (first, second) = (clone(&mut driver, &source, "first"), clone(&mut driver, &source, "second"));
        assert!(driver.volume_child_dependency(&source).unwrap());
        driver.volume_child_dependency_rm(&source).unwrap();
        assert!(!driver.volume_child_dependency(&source).unwrap(), "{release:?}");
        driver.volume_delete(&source).unwrap();
        let left = driver.volumes(None).unwrap();
        assert!(left.contains(&first) && left.contains(&second), "{left:?}");
    }
}

#[test]
fn volumes_are_shown_over_the_target_group_of_our_name_where_there_is_one() {
    let emulator = emulator(Release::Rest);
    let mut driver = session(&emulator);
    let (volume, hosts) = (create(&mut driver, "data").unwrap(), group(&mut driver, "hosts"));
    let shown_by = |emulator: &Emulator| {
        let state = emulator.state.lock().unwrap();
        let own = state.stmf.views.values().find(|view| view.host_group == "hosts");
        own.map(|view| view.target_group.clone())
    };
    driver.volume_mask(&hosts, &volume).unwrap();
    assert_eq!(shown_by(&emulator).as_deref(), Some("all"));
    driver.volume_unmask(&hosts, &volume).unwrap();
    emulator.state.lock().unwrap().stmf.target_groups.insert("sanfleet".into(), Vec::new());
    driver.volume_mask(&hosts, &volume).unwrap();
    assert_eq!(shown_by(&emulator).as_deref(), Some("sanfleet"));
    assert_eq!(driver.target_ports(None).unwrap()[0].network_address, "192.0.2.10:3260");
}

#[test]
fn ports_of_fibre_channel_in_a_group_are_told_as_such() {
    let emulator = emulator(Release::Rest);
    let mut driver = session(&emulator);
    let members = vec!["wwn.2100001B32AABBCC".to_owned()];
    emulator.state.lock().unwrap().stmf.create_host_group("fc", members).unwrap();
    let groups = driver.access_groups(None).unwrap();
    assert_eq!(groups[0].init_type, InitiatorType::WWPN);
    assert_eq!(groups[0].init_ids, ["21:00:00:1b:32:aa:bb:cc"]);
    let refused = driver.access_group_initiator_add(&groups[0], &iqn("x"), InitiatorType::WWPN);
    assert_eq!(refused.unwrap_err().number, ErrorNumber::NoSupport);
}

#[test]
fn going_back_takes_no_younger_snapshot_along() {
    let emulator = emulator(Release::Rest);
    let mut driver = session(&emulator);
    let fs = file_system(&mut driver, "files");
    let old = done(driver.fs_snapshot_create(&fs, "old").unwrap());
    let young = done(driver.fs_snapshot_create(&fs, "young").unwrap());
    emulator.state.lock().unwrap().zfs.snapshots.get_mut("tank/files@old").unwrap().created -= 60;
    let refused = driver.fs_snapshot_restore(&fs, &old, &[], &[], true).unwrap_err();
    assert_eq!(refused.number, ErrorNumber::HasChildDependency);
    driver.fs_snapshot_delete(&fs, &young).unwrap();
    driver.fs_snapshot_restore(&fs, &old, &[], &[], true).unwrap();
}

#[test]
fn what_is_exported_or_has_clones_is_not_deleted() {
    let emulator = emulator(Release::Rest);
    let mut driver = session(&emulator);
    let fs = file_system(&mut driver, "files");
    let (hosts, none) = (["192.0.2.0/24".to_owned()], AnonymousId::NOT_AVAILABLE);
    let export = driver.export_fs(&fs.id, None, &[], &hosts, &[], none, none, None, None).unwrap();
    assert_eq!((export.export_path.as_str(), export.rw.as_slice()), ("/tank/files", hosts.as_slice()));
    assert_eq!(driver.fs_delete(&fs).unwrap_err().number, ErrorNumber::IsMasked);
    driver.export_remove(&export).unwrap();
    let copy = done(driver.fs_clone(&fs, "copy", None).unwrap());
    assert_eq!(copy.total_space, fs.total_space);
    assert_eq!(driver.fs_delete(&fs).unwrap_err().number, ErrorNumber::HasChildDependency);
    // What it is a clone of is nobody's snapshot.
    assert_eq!(driver.fs_snapshots(&fs).unwrap(), []);
    driver.fs_delete(&copy).unwrap();
    driver.fs_delete(&fs).unwrap();
}

#[test]
fn what_the_older_releases_are_not_asked_for_is_not_claimed() {
    let emulator = emulator(Release::Nms);
    let mut driver = session(&emulator);
    let pool = pool(&mut driver);
    assert!(!pool.element_type.contains(sanfleet_driver::ElementType::FILE_SYSTEM));
    assert!(driver.lacks().contains(&sanfleet_driver::Capability::FS_CREATE));
    assert_eq!(driver.fs_create(&pool, "files", MIB).unwrap_err().number, ErrorNumber::NoSupport);
}
