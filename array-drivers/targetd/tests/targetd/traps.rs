//! The ways of the real daemon in which a driver can go wrong.

use sanfleet_driver::{
    AnonymousId, ArrayDriver, Capability, ElementType, ErrorNumber, InitiatorType, Provisioning,
    ReplicateType,
};
use serde_json::json;

use super::{
    emulator::{Config, Emulator, FILES, Fault, LINEAR},
    session::{MIB, create, done, file_system, group, iqn, pool, session, volume},
};

#[test]
fn several_volumes_are_shown_to_one_group_each_under_a_number_of_its_own() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let hosts = group(&mut driver, "hosts");
    let volumes = ["a", "b", "c"].map(|name| volume(&mut driver, name));
    for volume in &volumes {
        driver.volume_mask(&hosts, volume).unwrap();
    }
    driver.volume_unmask(&hosts, &volumes[1]).unwrap();
    let later = volume(&mut driver, "later");
    driver.volume_mask(&hosts, &later).unwrap();
    let mut lun = |volume| driver.volume_mappings(volume).unwrap()[0].lun;
    let seen = [&volumes[0], &later, &volumes[2]].map(&mut lun);
    assert_eq!(seen, [Some(0), Some(1), Some(2)]);
}

#[test]
fn a_number_that_an_initiator_of_the_group_has_from_elsewhere_is_left_alone() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (alone, one, two) = (iqn("alone"), volume(&mut driver, "one"), volume(&mut driver, "two"));
    let first = driver.volume_map(&one, &alone, InitiatorType::ISCSI, Some(0)).unwrap();
    let second = driver.volume_map(&two, &alone, InitiatorType::ISCSI, None).unwrap();
    assert_eq!((first.lun, second.lun), (Some(0), Some(1)));
    let three = volume(&mut driver, "three");
    let taken = driver.volume_map(&three, &alone, InitiatorType::ISCSI, Some(1));
    assert_eq!(taken.unwrap_err().number, ErrorNumber::InvalidArgument);
}

#[test]
fn what_a_group_sees_is_not_told_of_its_initiators_once_more() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (hosts, data) = (group(&mut driver, "hosts"), volume(&mut driver, "data"));
    driver.access_group_initiator_add(&hosts, &iqn("second"), InitiatorType::ISCSI).unwrap();
    driver.volume_mask(&hosts, &data).unwrap();
    driver.volume_map(&data, &iqn("alone"), InitiatorType::ISCSI, None).unwrap();
    let mappings = driver.volume_mappings(&data).unwrap();
    let seen: Vec<_> = mappings.iter().map(|m| (m.access_group_id.as_ref(), m.initiator.clone())).collect();
    assert_eq!(seen, [(Some(&hosts.id), None), (None, Some(iqn("alone")))]);
    let page = driver.mappings_page(None, 1).unwrap();
    let rest = driver.mappings_page(page.next.as_deref(), 9).unwrap();
    assert_eq!((page.items.len(), rest.items.len(), rest.next), (1, 1, None));
}

#[test]
fn a_stand_alone_initiator_is_a_group_that_volumes_are_masked_to_and_nothing_else() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (one, two) = (volume(&mut driver, "one"), volume(&mut driver, "two"));
    driver.volume_map(&one, &iqn("alone"), InitiatorType::ISCSI, None).unwrap();
    let shown = driver.access_groups(None).unwrap().remove(0);
    assert_eq!((shown.init_ids.as_slice(), &shown.id.as_str()[..5]), (&[iqn("alone")][..], "init."));
    driver.volume_mask(&shown, &two).unwrap();
    assert_eq!(driver.volumes_accessible_by_access_group(&shown).unwrap(), [one, two.clone()]);
    assert_eq!(driver.access_groups_granted_to_volume(&two).unwrap(), std::slice::from_ref(&shown));
    driver.volume_unmask(&shown, &two).unwrap();
    assert_eq!(driver.access_group_delete(&shown).unwrap_err().number, ErrorNumber::NoSupport);
    let added = driver.access_group_initiator_add(&shown, &iqn("x"), InitiatorType::ISCSI);
    assert_eq!(added.unwrap_err().number, ErrorNumber::NoSupport);
}

#[test]
fn an_initiator_is_in_one_world_only() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (hosts, data) = (group(&mut driver, "hosts"), volume(&mut driver, "data"));
    let mapped = driver.volume_map(&data, &iqn("hosts"), InitiatorType::ISCSI, None);
    assert_eq!(mapped.unwrap_err().number, ErrorNumber::ExistsInitiator);
    driver.volume_map(&data, &iqn("alone"), InitiatorType::ISCSI, None).unwrap();
    let added = driver.access_group_initiator_add(&hosts, &iqn("alone"), InitiatorType::ISCSI);
    assert_eq!(added.unwrap_err().number, ErrorNumber::ExistsInitiator);
}

#[test]
fn a_number_that_another_host_took_meanwhile_is_passed_over() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (hosts, data) = (group(&mut driver, "hosts"), volume(&mut driver, "data"));
    emulator.befall("access_group_map_create", Fault::NumberTaken);
    driver.volume_mask(&hosts, &data).unwrap();
    assert_eq!(driver.volume_mappings(&data).unwrap()[0].lun, Some(1));
    assert_eq!(emulator.calls_of("access_group_map_create"), 2);
}

#[test]
fn a_group_that_is_shown_volumes_is_not_deleted() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (hosts, data) = (group(&mut driver, "hosts"), volume(&mut driver, "data"));
    driver.volume_mask(&hosts, &data).unwrap();
    assert_eq!(driver.access_group_delete(&hosts).unwrap_err().number, ErrorNumber::IsMasked);
    assert_eq!(emulator.calls_of("access_group_destroy"), 0);
}

#[test]
fn a_volume_that_a_destroyed_group_left_behind_can_be_deleted() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let (hosts, data) = (group(&mut driver, "hosts"), volume(&mut driver, "data"));
    driver.volume_mask(&hosts, &data).unwrap();
    emulator.also("access_group_destroy", &json!({"ag_name": "hosts"}));
    driver.volume_delete(&data).unwrap();
    assert!(driver.volumes(None).unwrap().is_empty());
}

#[test]
fn a_failed_command_is_not_taken_for_a_mask() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let data = volume(&mut driver, "data");
    emulator.befall("vol_destroy", Fault::FailedCommand);
    let error = driver.volume_delete(&data).unwrap_err();
    assert_eq!(error.number, ErrorNumber::PluginBug);
    assert!(error.message.contains("Unexpected exit code"), "{error}");
    assert_eq!(driver.volumes(None).unwrap(), [data]);
}

#[test]
fn a_copy_without_a_device_is_refused_with_a_hint_what_to_set() {
    let emulator = Emulator::start(Config { active_copies: false, ..Config::default() });
    let mut driver = session(&emulator);
    let (hosts, data) = (group(&mut driver, "hosts"), volume(&mut driver, "data"));
    let copy = done(driver.volume_replicate(None, ReplicateType::CLONE, &data, "copy").unwrap());
    let error = driver.volume_mask(&hosts, &copy).unwrap_err();
    assert!(error.message.contains("auto_set_activation_skip=0"), "{error}");
    assert!(!error.is_retryable());
    assert!(driver.volume_mappings(&copy).unwrap().is_empty());
}

#[test]
fn a_volume_that_is_said_to_be_made_but_is_nowhere_is_an_error_and_is_not_made_again() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    emulator.befall("vol_create", Fault::Lie);
    let error = create(&mut driver, "data").unwrap_err();
    assert_eq!(error.number, ErrorNumber::PluginBug);
    assert!(error.message.contains("volume group"), "{error}");
    assert_eq!(emulator.calls_of("vol_create"), 1);
}

#[test]
fn no_volume_is_larger_than_its_thin_pool_although_the_daemon_would_make_it() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let thin = pool(&mut driver, ElementType::VOLUME_THIN);
    let made = driver.volume_create(&thin, "huge", 1 << 50, Provisioning::DEFAULT);
    assert_eq!(made.unwrap_err().number, ErrorNumber::NotEnoughSpace);
    let data = volume(&mut driver, "data");
    assert_eq!(driver.volume_resize(&data, 1 << 50).unwrap_err().number, ErrorNumber::NotEnoughSpace);
}

#[test]
fn a_plain_volume_group_makes_full_volumes_and_copies_none() {
    let emulator = Emulator::start(Config { linear: true, ..Config::default() });
    let mut driver = session(&emulator);
    let linear = pool(&mut driver, ElementType::VOLUME_FULL);
    assert_eq!(linear.id.as_str(), LINEAR);
    let mut make = |name, size, how| {
        driver.volume_create(&linear, name, size, how).map(done).map_err(|error| error.number)
    };
    assert_eq!(make("thin", MIB, Provisioning::THIN), Err(ErrorNumber::InvalidArgument));
    let full = make("full", 400 * MIB, Provisioning::FULL).unwrap();
    assert_eq!(make("more", 400 * MIB, Provisioning::FULL), Err(ErrorNumber::NotEnoughSpace));
    let copy = driver.volume_replicate(None, ReplicateType::CLONE, &full, "copy");
    assert_eq!(copy.unwrap_err().number, ErrorNumber::NoSupport);
    let thin = pool(&mut driver, ElementType::VOLUME_THIN);
    let elsewhere = driver.volume_replicate(Some(&thin), ReplicateType::CLONE, &full, "copy");
    assert_eq!(elsewhere.unwrap_err().number, ErrorNumber::NoSupport);
}

#[test]
fn an_old_daemon_claims_neither_groups_nor_resizing() {
    let emulator = Emulator::start(Config { old: true, ..Config::default() });
    let mut driver = session(&emulator);
    let lacks = driver.lacks();
    assert!(lacks.contains(&Capability::VOLUME_RESIZE) && lacks.contains(&Capability::ACCESS_GROUP_DELETE));
    let data = volume(&mut driver, "data");
    driver.volume_map(&data, &iqn("alone"), InitiatorType::ISCSI, None).unwrap();
    let groups = driver.access_groups(None).unwrap();
    assert_eq!(driver.access_groups_granted_to_volume(&data).unwrap(), groups);
    driver.volume_unmask(&groups[0], &data).unwrap();
}

#[test]
fn two_snapshots_of_one_second_are_told_apart_or_left_alone() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let fs = file_system(&mut driver, "files");
    // Two of three are of the same second, or four of five …: soon two are.
    let twins = (0..50).find_map(|round| {
        let name = format!("s{round}");
        let made = done(driver.fs_snapshot_create(&fs, &name).unwrap());
        let all = driver.fs_snapshots(&fs).unwrap();
        let twin = all.iter().find(|other| other.name != name && other.ts == made.ts).cloned();
        twin.map(|twin| (twin, made))
    });
    let (one, other) = twins.unwrap();
    assert_ne!(one.id, other.id);
    let error = driver.fs_snapshot_delete(&fs, &one).unwrap_err();
    assert_eq!(error.number, ErrorNumber::NoSupport);
    assert!(error.message.contains("cannot be told"), "{error}");
    let clone = driver.fs_clone(&fs, "clone", Some(&other));
    assert_eq!(clone.unwrap_err().number, ErrorNumber::NoSupport);
    assert_eq!(emulator.calls_of("fs_snapshot_delete") + emulator.calls_of("fs_clone"), 0);
}

#[test]
fn a_file_system_with_a_clone_is_not_touched() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let fs = file_system(&mut driver, "files");
    let clone = done(driver.fs_clone(&fs, "clone", None).unwrap());
    assert!(driver.fs_snapshots(&fs).unwrap().is_empty(), "a clone is no snapshot");
    assert!(driver.fs_child_dependency(&fs, &[]).unwrap());
    assert_eq!(driver.fs_delete(&fs).unwrap_err().number, ErrorNumber::HasChildDependency);
    assert_eq!(emulator.calls_of("fs_destroy"), 0);
    driver.fs_delete(&clone).unwrap();
    driver.fs_delete(&fs).unwrap();
}

#[test]
fn an_export_is_one_record_whatever_each_host_may_do() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let fs = file_system(&mut driver, "files");
    let texts = |list: &[&str]| list.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
    let (root, rw, ro) = (texts(&["a"]), texts(&["a", "b"]), texts(&["c"]));
    let (uid, none) = (AnonymousId(1000), AnonymousId::NOT_AVAILABLE);
    let made =
        driver.export_fs(&fs.id, None, &root, &rw, &ro, uid, none, Some("sys"), Some("async")).unwrap();
    assert_eq!((&made.root, &made.rw, &made.ro), (&root, &rw, &ro));
    assert_eq!((made.anonuid, made.anongid, made.auth.as_deref()), (uid, none, Some("sys")));
    assert_eq!(made.export_path, format!("{FILES}/targetd_fs/files"));
    assert_eq!(driver.exports(None).unwrap(), std::slice::from_ref(&made));
    assert_eq!(driver.fs_delete(&fs).unwrap_err().number, ErrorNumber::IsMasked);
    driver.export_remove(&made).unwrap();
    assert!(driver.exports(None).unwrap().is_empty());
}

#[test]
fn what_others_export_is_not_ours_to_tell() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    emulator.also("nfs_export_add", &json!({"host": "a", "path": "/srv", "options": ["rw"]}));
    assert!(driver.exports(None).unwrap().is_empty());
}

#[test]
fn an_export_that_fails_for_one_host_is_taken_back_for_the_others() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    let fs = file_system(&mut driver, "files");
    let rw = ["a".to_owned(), "b".to_owned()];
    emulator.befall("nfs_export_add", Fault::LoseAnswer);
    emulator.befall("nfs_export_add", Fault::LoseRequest);
    let none = AnonymousId::NOT_AVAILABLE;
    driver.export_fs(&fs.id, None, &[], &rw, &[], none, none, None, None).unwrap_err();
    assert!(driver.exports(None).unwrap().is_empty());
}
