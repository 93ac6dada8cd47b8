//! The array over a machine in memory.

use sanfleet_driver::{AccessGroup, InitiatorType, PoolId, Provisioning, Volume};

use super::*;
use crate::machine::{Machine, memory::MemoryMachine};

const GIB: u64 = 1 << 30;
const HOST: &str = "iqn.2026-01.example:host1";
const OTHER: &str = "iqn.2026-01.example:host2";

fn open(machine: &MemoryMachine) -> Array {
    Array::open(Box::new(machine.clone()), Vec::new(), Duration::from_secs(5)).unwrap()
}

fn volume(array: &mut Array, name: &str) -> Volume {
    array.volume_create(&PoolId::new("vg/pool"), name, GIB - 1, Provisioning::THIN).unwrap()
}

fn group(array: &mut Array, name: &str, initiator: &str) -> AccessGroup {
    array.access_group_create(name, initiator, InitiatorType::ISCSI, &system_id()).unwrap()
}

fn number<T: std::fmt::Debug>(answer: Answer<T>) -> ErrorNumber {
    answer.unwrap_err().number
}

/// Who sees which of the units.
fn seen(machine: &MemoryMachine) -> Vec<(u16, Vec<String>)> {
    let target = machine.target().unwrap();
    target.shown.into_iter().map(|shown| (shown.unit, shown.initiators.into_iter().collect())).collect()
}

#[test]
fn a_group_sees_what_is_masked_to_it_and_so_does_who_joins_it() {
    let machine = MemoryMachine::new(10 * GIB);
    let mut array = open(&machine);
    let (volume, web) = (volume(&mut array, "data"), group(&mut array, "web", HOST));
    array.volume_mask(&web.id, &volume.id).unwrap();
    assert_eq!(seen(&machine), [(1, vec![HOST.to_owned()])]);
    assert_eq!(array.volume_mappings(&volume.id).unwrap()[0].lun, Some(1));
    array.initiator_add(&web.id, OTHER, InitiatorType::ISCSI).unwrap();
    assert_eq!(seen(&machine), [(1, vec![HOST.to_owned(), OTHER.to_owned()])]);
    assert_eq!(number(array.volume_delete(&volume.id)), ErrorNumber::IsMasked);
    assert_eq!(number(array.access_group_delete(&web.id)), ErrorNumber::IsMasked);

    array.volume_unmask(&web.id, &volume.id).unwrap();
    assert!(seen(&machine).is_empty());
    assert_eq!(number(array.volume_unmask(&web.id, &volume.id)), ErrorNumber::NoStateChange);
    array.volume_delete(&volume.id).unwrap();
    array.access_group_delete(&web.id).unwrap();
}

#[test]
fn what_a_restart_of_the_machine_forgets_comes_back_when_somebody_looks() {
    let machine = MemoryMachine::new(10 * GIB);
    let mut array = open(&machine);
    let (volume, web) = (volume(&mut array, "data"), group(&mut array, "web", HOST));
    array.volume_mask(&web.id, &volume.id).unwrap();
    array.chap(HOST, [Some("user"), Some("secret-of-12")], [None, None]).unwrap();
    let before = machine.target();
    assert!(before.as_ref().unwrap().admitted[HOST].is_some());
    machine.restart();
    assert_eq!(array.target_ports().unwrap()[0].network_address, "192.0.2.1:3260");
    assert_eq!(machine.target(), before);
    machine.restart();
    array.volumes(None).unwrap();
    assert_eq!(machine.target(), before);
    machine.restart();
    open(&machine);
    assert_eq!(machine.target(), before);
}

#[test]
fn who_is_overtaken_decides_anew_and_loses_nothing_of_the_others() {
    let machine = MemoryMachine::new(10 * GIB);
    let (mut one, mut other) = (open(&machine), open(&machine));
    group(&mut one, "web", HOST);
    // The other has written meanwhile: a group that takes the very initiator.
    let text = serde_json::to_string(&{
        let mut state = other.look().unwrap().state;
        state.groups.insert("db".into(), [OTHER.to_owned()].into());
        state
    });
    machine.meddle(&text.unwrap());
    let taken = one.access_group_create("mail", OTHER, InitiatorType::ISCSI, &system_id());
    assert_eq!(number(taken), ErrorNumber::ExistsInitiator);
    let names: Vec<String> = other.access_groups().unwrap().into_iter().map(|group| group.name).collect();
    assert_eq!(names, ["db", "web"]);
}

#[test]
fn what_is_shown_last_is_what_was_written_last() {
    let machine = MemoryMachine::new(10 * GIB);
    let mut array = open(&machine);
    let (mine, theirs) = (volume(&mut array, "mine"), volume(&mut array, "theirs"));
    let (web, db) = (group(&mut array, "web", HOST), group(&mut array, "db", OTHER));
    array.volume_mask(&db.id, &theirs.id).unwrap();
    let with_theirs = machine.clone().outline().unwrap().file.unwrap();
    array.volume_unmask(&db.id, &theirs.id).unwrap();
    // The others have written theirs when ours is about to be shown.
    machine.meddle_late(&with_theirs);
    array.volume_mask(&web.id, &mine.id).unwrap();
    assert_eq!(seen(&machine), [(1, vec![OTHER.to_owned()])]);
}

#[test]
fn what_was_written_down_and_did_not_come_about_comes_about_when_it_is_asked_for_again() {
    let machine = MemoryMachine::new(10 * GIB);
    let mut array = open(&machine);
    let (volume, web) = (volume(&mut array, "data"), group(&mut array, "web", HOST));
    machine.fail_to_show();
    assert_eq!(number(array.volume_mask(&web.id, &volume.id)), ErrorNumber::PluginBug);
    assert!(seen(&machine).is_empty());
    assert_eq!(number(array.volume_mask(&web.id, &volume.id)), ErrorNumber::NoStateChange);
    assert_eq!(seen(&machine), [(1, vec![HOST.to_owned()])]);
}

#[test]
fn a_file_that_makes_no_sense_is_told_and_left_alone() {
    let machine = MemoryMachine::new(10 * GIB);
    let mut array = open(&machine);
    group(&mut array, "web", HOST);
    machine.meddle(r#"{"target":"x","of a later version":1}"#);
    let refused = array.access_group_create("db", OTHER, InitiatorType::ISCSI, &system_id()).unwrap_err();
    assert!(refused.message.contains("who sees what makes no sense"), "{refused}");
    assert!(Array::open(Box::new(machine), Vec::new(), Duration::ZERO).is_err());
}

#[test]
fn a_clone_has_an_identity_of_its_own_and_a_volume_only_grows() {
    let machine = MemoryMachine::new(10 * GIB);
    let mut array = open(&machine);
    let source = volume(&mut array, "data");
    let clone = array.volume_clone(None, &source.id, "copy").unwrap();
    assert_ne!(clone.vpd83, source.vpd83);
    assert_eq!(clone.num_of_blocks, source.num_of_blocks);
    assert_eq!(number(array.volume_clone(None, &source.id, "copy")), ErrorNumber::NameConflict);
    let nowhere = array.volume_clone(Some(&PoolId::new("vg/none")), &source.id, "other");
    assert_eq!(number(nowhere), ErrorNumber::NotFoundPool);
    let grown = array.volume_resize(&source.id, 2 * GIB - 1).unwrap();
    assert_eq!((grown.id.clone(), grown.num_of_blocks), (source.id.clone(), Some(2 * GIB / 512)));
    assert_eq!(number(array.volume_resize(&source.id, GIB)), ErrorNumber::NoSupport);
    assert_eq!(number(array.volume_resize(&source.id, 11 * GIB)), ErrorNumber::NotEnoughSpace);
    let full = array.volume_create(&PoolId::new("vg/pool"), "full", GIB, Provisioning::FULL);
    assert_eq!(number(full), ErrorNumber::InvalidArgument);
}
