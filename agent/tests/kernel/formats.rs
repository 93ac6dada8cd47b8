//! File systems are made on blank volumes, and on nothing else.

use std::sync::Arc;

use sanfleet_agent::{
    actions::{Action, ActionError, Errand, format, mount},
    deadline::Deadline,
    host::NewFileSystem,
    verify::verify,
};
use sanfleet_protocol::{FileSystemKind, Label, Layers, VolumeId, v1::command_error::Kind};

use crate::{
    lab::{run_id, soon},
    side::{Content, Side, made_with, minted, sides},
};

const KINDS: [FileSystemKind; 3] = [FileSystemKind::Xfs, FileSystemKind::Ext4, FileSystemKind::Btrfs];

fn request(volume: &VolumeId, kind: FileSystemKind, n: u8) -> format::Request {
    let wanted = NewFileSystem { kind, id: minted(n), label: Label::new(kind, "data").unwrap() };
    format::Request { volume: volume.clone(), wanted }
}

fn formatted(side: &Side, request: &format::Request) -> Result<bool, ActionError> {
    format::format(side.host(), &side.lab.ledger, request, soon()).map(|done| done.changed)
}

fn found(side: &Side, volume: &VolumeId) -> (String, String, String) {
    let device = verify(side.host(), volume).unwrap();
    let found = device.device().file_system().unwrap().unwrap_or_default();
    (found.kind, found.uuid, found.label)
}

#[test]
fn a_blank_volume_is_formatted_once_however_often_it_is_asked_and_can_be_mounted() {
    for side in sides() {
        for (n, kind) in (1..).zip(KINDS) {
            let volume = side.volume(n, Content::Blank);
            let request = request(&volume, kind, n);
            assert!(formatted(&side, &request).unwrap(), "{} {kind}", side.name);
            let expected = (kind.to_string(), minted(n).to_string(), "data".to_owned());
            assert_eq!(found(&side, &volume), expected, "{} {kind}", side.name);
            assert!(!formatted(&side, &request).unwrap(), "{} {kind}", side.name);
            let at = side.lab.at(&format!("at{n}"));
            let request = mount::Request {
                volume,
                at,
                read_write: true,
                file_system: kind.to_string(),
                layers: Layers::default(),
            };
            assert!(mount::mount(side.host(), &side.lab.ledger, &request, soon()).unwrap().changed);
        }
    }
}

#[test]
fn what_is_on_a_volume_already_is_never_formatted_over() {
    for side in sides() {
        for (n, kind) in (1..).zip(KINDS) {
            let volume = side.volume(n, Content::Made(kind.as_str()));
            for wanted in KINDS {
                let error = formatted(&side, &request(&volume, wanted, n)).unwrap_err();
                assert_eq!(error.kind(), Kind::Invalid, "{error}");
                assert!(error.to_string().contains(kind.as_str()), "{error}");
            }
            let (_, uuid, _) = found(&side, &volume);
            assert_eq!(uuid, made_with(n).to_string(), "{} {kind}", side.name);
        }
        let scribbled = side.volume(9, Content::Scribbled);
        let error = formatted(&side, &request(&scribbled, FileSystemKind::Ext4, 9)).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert_eq!(found(&side, &scribbled), Default::default());
    }
}

#[test]
fn a_volume_that_is_mounted_is_not_formatted_even_as_another_file_system() {
    for side in sides() {
        let volume = side.volume(1, Content::Made("ext4"));
        side.mount_by_hand(1, "here");
        let error = formatted(&side, &request(&volume, FileSystemKind::Xfs, 1)).unwrap_err();
        assert_eq!(error.kind(), Kind::Busy, "{} {error}", side.name);
        assert!(error.to_string().contains("here"), "{error}");
    }
}

#[test]
fn another_volume_behind_the_same_unit_is_not_formatted() {
    for side in sides() {
        let volume = side.volume(1, Content::Blank);
        let device = side.host().devices().unwrap().into_iter().find(|d| d.name == side.device(1)).unwrap();
        side.become_another(1);
        let error = formatted(&side, &request(&volume, FileSystemKind::Ext4, 1)).unwrap_err();
        assert!(matches!(error.kind(), Kind::WrongVolume | Kind::NotFound), "{} {error}", side.name);
        assert_eq!(side.host().open(&device).unwrap().file_system().unwrap(), None, "{}", side.name);
    }
}

#[test]
fn a_volume_that_cannot_be_read_is_an_error_and_not_a_blank_one() {
    for side in sides() {
        let volume = side.volume(1, Content::Blank);
        side.break_reading(1);
        let error = formatted(&side, &request(&volume, FileSystemKind::Xfs, 1)).unwrap_err();
        assert_eq!(error.kind(), Kind::System, "{} {error}", side.name);
    }
}

#[test]
fn a_command_that_comes_too_late_formats_nothing() {
    for side in sides() {
        let volume = side.volume(1, Content::Blank);
        let request = request(&volume, FileSystemKind::Ext4, 1);
        let late = Deadline::after(Default::default());
        let error = format::format(side.host(), &side.lab.ledger, &request, late).unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        assert_eq!(found(&side, &volume), Default::default(), "{}", side.name);
    }
}

#[test]
fn of_two_runs_that_format_at_once_one_does_and_the_other_is_told() {
    let [side, _] = sides();
    let volume = side.volume(1, Content::Blank);
    let workshop = side.lab.workshop(Arc::new(side.lab.host()));
    let errand = |run| Errand { run: run_id(run), issued_at_unix_ms: 0, deadline: soon() };
    let perform = &|n: u8| {
        let action = Action::Format(request(&volume, FileSystemKind::Ext4, n));
        workshop.perform(action, errand(n.into()))
    };
    let results = std::thread::scope(|scope| {
        let threads = [1, 2].map(|n| scope.spawn(move || perform(n)));
        threads.map(|thread| thread.join().unwrap())
    });
    let (_, uuid, _) = found(&side, &volume);
    let winner = usize::from(uuid == minted(2).to_string());
    assert!(results[winner].is_ok(), "{results:?}");
    assert!(results[1 - winner].is_err(), "{results:?}");
}
