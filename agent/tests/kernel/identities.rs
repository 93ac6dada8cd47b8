//! Copies get a UUID of their own, keep their data, and are never formatted.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use sanfleet_agent::{
    actions::{ActionError, mount, new_identity, unmount::unmount},
    host::HostError,
    verify::verify,
};
use sanfleet_protocol::{FileSystemId, FileSystemKind, Layers, VolumeId, v1::command_error::Kind};

use crate::{
    lab::{must, soon, volume},
    side::{Content, Side, made_with, minted, sides},
};

const KINDS: [FileSystemKind; 3] = [FileSystemKind::Xfs, FileSystemKind::Ext4, FileSystemKind::Btrfs];

/// The n-th volume shall have the n-th minted UUID.
fn request(kind: FileSystemKind, n: u8, replaced: FileSystemId) -> new_identity::Request {
    new_identity::Request { volume: volume(n), kind, wanted: minted(n), replaced, layers: Layers::default() }
}

fn renamed(side: &Side, request: &new_identity::Request) -> Result<bool, ActionError> {
    new_identity::new_identity(side.host(), &side.lab.ledger, request, soon()).map(|done| done.changed)
}

fn uuid(side: &Side, volume: &VolumeId) -> String {
    let device = verify(side.host(), volume).unwrap();
    device.device().file_system().unwrap().unwrap_or_default().uuid
}

fn mount(side: &Side, n: u8, kind: FileSystemKind) {
    let at = side.lab.at(&format!("at{n}"));
    let request = mount::Request {
        volume: volume(n),
        at,
        read_write: true,
        file_system: kind.to_string(),
        layers: Layers::default(),
    };
    assert!(mount::mount(side.host(), &side.lab.ledger, &request, soon()).unwrap().changed, "{kind}");
}

#[test]
fn a_file_system_gets_the_minted_uuid_once_however_often_it_is_asked_and_can_be_mounted() {
    for side in sides() {
        for (n, kind) in (1..).zip(KINDS) {
            let volume = side.volume(n, Content::Made(kind.as_str()));
            let request = request(kind, n, made_with(n));
            assert!(renamed(&side, &request).unwrap(), "{} {kind}", side.name);
            assert_eq!(uuid(&side, &volume), minted(n).to_string(), "{} {kind}", side.name);
            assert!(!renamed(&side, &request).unwrap(), "{} {kind}", side.name);
            mount(&side, n, kind);
        }
    }
}

#[test]
fn what_is_neither_the_replaced_nor_the_wanted_file_system_is_left_alone() {
    for side in sides() {
        for (n, kind) in (1..).zip(KINDS) {
            let volume = side.volume(n, Content::Made(kind.as_str()));
            let error = renamed(&side, &request(kind, n, minted(77))).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{error}");
            assert!(error.to_string().contains(&made_with(n).to_string()), "{error}");
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                assert_eq!(
                    renamed(&side, &request(other, n, made_with(n))).unwrap_err().kind(),
                    Kind::Invalid
                );
            }
            assert_eq!(uuid(&side, &volume), made_with(n).to_string(), "{} {kind}", side.name);
        }
        for (n, content) in [(8, Content::Blank), (9, Content::Scribbled)] {
            let volume = side.volume(n, content);
            assert!(renamed(&side, &request(FileSystemKind::Xfs, n, made_with(n))).is_err());
            assert_eq!(uuid(&side, &volume), "", "{}", side.name);
        }
    }
}

#[test]
fn a_file_system_that_is_mounted_keeps_its_uuid() {
    for side in sides() {
        let volume = side.volume(1, Content::Made("ext4"));
        side.mount_by_hand(1, "here");
        let error = renamed(&side, &request(FileSystemKind::Ext4, 1, made_with(1))).unwrap_err();
        assert_eq!(error.kind(), Kind::Busy, "{} {error}", side.name);
        assert_eq!(uuid(&side, &volume), made_with(1).to_string(), "{}", side.name);
    }
}

#[test]
fn a_file_system_that_is_mounted_where_we_do_not_see_it_keeps_its_uuid_and_is_not_formatted() {
    let [side, _] = sides();
    let volume = side.volume(1, Content::Made("ext4"));
    let script = "mount --make-rprivate / && mount \"$0\" /mnt && echo there && read end";
    let mut other = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, &format!("/dev/{}", side.device(1))])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "there\n");
    let error = renamed(&side, &request(FileSystemKind::Ext4, 1, made_with(1))).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy, "{error}");
    let device = verify(side.host(), &volume).unwrap();
    assert!(matches!(device.device().reads_as_zeros(), Err(HostError::Busy { .. })));
    drop(device);
    drop(other.stdin.take());
    other.wait().unwrap();
    assert!(renamed(&side, &request(FileSystemKind::Ext4, 1, made_with(1))).unwrap());
}

#[test]
fn a_copy_of_what_was_in_use_keeps_what_was_written_and_lives_beside_its_source() {
    let [side, _] = sides();
    for (n, kind) in [(1, FileSystemKind::Xfs), (3, FileSystemKind::Ext4)] {
        side.volume(n, Content::Made(kind.as_str()));
        mount(&side, n, kind);
        let file = side.lab.at(&format!("at{n}")).as_path().join("file");
        fs::write(&file, b"precious").unwrap();
        // It is in the journal, and nowhere else.
        must("sync", &["--file-system", file.to_str().unwrap()]);
        let copy = n + 1;
        side.copy(n, copy);
        assert!(renamed(&side, &request(kind, copy, made_with(n))).unwrap(), "{kind}");
        mount(&side, copy, kind);
        let kept = fs::read(side.lab.at(&format!("at{copy}")).as_path().join("file")).unwrap();
        assert_eq!(kept, b"precious", "{kind}");
        for n in [n, copy] {
            let at = side.lab.at(&format!("at{n}"));
            unmount(side.host(), &side.lab.ledger, &volume(n), &at, soon()).unwrap();
        }
        let device = format!("/dev/{}", side.device(copy));
        match kind {
            FileSystemKind::Xfs => must("xfs_repair", &["-n", &device]),
            _ => must("e2fsck", &["-f", "-n", &device]),
        };
    }
}

#[test]
fn a_btrfs_whose_source_is_mounted_on_this_host_is_refused() {
    let [side, _] = sides();
    side.volume(1, Content::Made("btrfs"));
    mount(&side, 1, FileSystemKind::Btrfs);
    side.copy(1, 2);
    let error = renamed(&side, &request(FileSystemKind::Btrfs, 2, made_with(1))).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy, "{error}");
}
