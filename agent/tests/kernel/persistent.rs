//! Mounts that are written down for the host's next start.

use std::fs;

use sanfleet_agent::{
    actions::{forget_mount::forget_mount, persist_mount},
    host::PersistentMount,
};
use sanfleet_protocol::{FileSystemKind, MountPoint, v1::command_error::Kind};

use crate::{
    lab::{soon, try_run, volume},
    side::{Content, Side, made_with, minted, sides},
};

/// The n-th volume's file system shall be mounted there.
fn request(n: u8, at: &MountPoint, read_write: bool) -> persist_mount::Request {
    let mount =
        PersistentMount { volume: volume(n), kind: FileSystemKind::Ext4, id: made_with(n), read_write };
    persist_mount::Request { at: at.clone(), mount }
}

fn persisted(side: &Side, request: &persist_mount::Request) -> Result<bool, Kind> {
    let done = persist_mount::persist_mount(side.host(), &side.lab.ledger, request, soon());
    done.map(|done| done.changed).map_err(|error| error.kind())
}

fn forgotten(side: &Side, at: &MountPoint) -> Result<bool, Kind> {
    forget_mount(side.host(), at, soon()).map(|done| done.changed).map_err(|error| error.kind())
}

#[test]
fn a_mount_is_written_down_once_changed_when_it_shall_be_other_and_forgotten_once() {
    for side in sides() {
        side.volume(1, Content::Made("ext4"));
        let at = "/srv/a b".parse().unwrap();
        for read_write in [false, true] {
            assert_eq!(persisted(&side, &request(1, &at, read_write)), Ok(true), "{}", side.name);
            assert_eq!(persisted(&side, &request(1, &at, read_write)), Ok(false), "{}", side.name);
        }
        assert_eq!(forgotten(&side, &at), Ok(true), "{}", side.name);
        assert_eq!(forgotten(&side, &at), Ok(false), "{}", side.name);
    }
}

#[test]
fn a_unit_that_is_not_ours_is_neither_overwritten_nor_removed() {
    for side in sides() {
        side.volume(1, Content::Made("ext4"));
        let at = "/srv/nfs".parse().unwrap();
        side.claim_unit(&at, "srv-nfs.mount");
        assert_eq!(persisted(&side, &request(1, &at, true)), Err(Kind::Invalid), "{}", side.name);
        assert_eq!(forgotten(&side, &at), Err(Kind::Invalid), "{}", side.name);
    }
}

#[test]
fn a_mount_by_a_uuid_that_the_volume_does_not_carry_is_refused() {
    for side in sides() {
        side.volume(1, Content::Made("ext4"));
        let mut wrong = request(1, &"/srv/a".parse().unwrap(), true);
        wrong.mount.id = minted(1);
        assert_eq!(persisted(&side, &wrong), Err(Kind::Invalid), "{}", side.name);
        assert_eq!(persisted(&side, &request(2, &wrong.at, true)), Err(Kind::NotFound), "{}", side.name);
    }
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_a_link_that_was_lost_is_made_again() {
    let [side, _] = sides();
    side.volume(1, Content::Made("ext4"));
    let request = request(1, &"/srv/a-b".parse().unwrap(), true);
    assert_eq!(persisted(&side, &request), Ok(true));
    let unit = side.lab.units().join("srv-a\\x2db.mount");
    let link = side.lab.units().join("remote-fs.target.wants/srv-a\\x2db.mount");
    let text = fs::read_to_string(&link).unwrap();
    assert!(text.contains(&format!("What=/dev/disk/by-uuid/{}\n", made_with(1))), "{text}");
    match try_run("systemd-analyze", &["verify", "--man=no", unit.to_str().unwrap()]) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            assert!(!error.to_string().contains("srv-a"), "{error}");
        }
        _ => {}
    }
    fs::remove_file(&link).unwrap();
    assert_eq!(persisted(&side, &request), Ok(true));
    assert!(link.exists());
    assert_eq!(forgotten(&side, &request.at), Ok(true));
    let left =
        fs::read_dir(side.lab.units()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert_eq!(left.count(), 0);
}
