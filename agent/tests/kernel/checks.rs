//! Whether a volume holds a file system and can be read.

use sanfleet_agent::actions::{ActionError, check_volume};
use sanfleet_protocol::v1::{self, command_error::Kind};

use crate::{
    lab::{VOLUME_BYTES, soon, volume},
    side::{Content, Side, made_with, sides},
};

/// Checks the n-th volume.
fn check(side: &Side, n: u8, at: Option<&str>, deep: bool) -> Result<v1::VolumeChecked, ActionError> {
    let request = check_volume::Request { volume: volume(n), at: at.map(|at| side.lab.at(at)), deep };
    let done = check_volume::check_volume(side.host(), &side.lab.ledger, &request, soon())?;
    match done.detail {
        Some(v1::command_done::Detail::Volume(checked)) if !done.changed => Ok(checked),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_volume_is_checked_by_its_superblock_by_samples_and_where_it_is_mounted() {
    for side in sides() {
        side.volume(1, Content::Made("xfs"));
        let checked = check(&side, 1, None, false).unwrap();
        let file_system = checked.file_system.unwrap();
        assert_eq!((file_system.r#type, file_system.uuid), ("xfs".to_owned(), made_with(1).to_string()));
        assert_eq!((checked.size_bytes, checked.read_bytes), (VOLUME_BYTES, 0), "{}", side.name);
        assert_eq!(check(&side, 1, None, true).unwrap().read_bytes, 64 << 20, "{}", side.name);
        assert_eq!(check(&side, 1, Some("here"), false).unwrap_err().kind(), Kind::Invalid);
        side.mount_by_hand(1, "here");
        let file_system = check(&side, 1, Some("here"), true).unwrap().file_system.unwrap();
        assert!(file_system.size_bytes > VOLUME_BYTES / 2 && file_system.free_bytes > 0, "{file_system:?}");
    }
}

#[test]
fn a_volume_without_a_file_system_another_one_and_one_that_cannot_be_read_are_errors() {
    for side in sides() {
        side.volume(1, Content::Blank);
        assert_eq!(check(&side, 1, None, true).unwrap_err().kind(), Kind::Invalid, "{}", side.name);
        side.volume(2, Content::Made("ext4"));
        side.volume(3, Content::Made("ext4"));
        side.mount_by_hand(3, "other");
        assert_eq!(check(&side, 2, Some("other"), false).unwrap_err().kind(), Kind::WrongVolume);
        side.break_reading(2);
        assert_eq!(check(&side, 2, None, false).unwrap_err().kind(), Kind::System, "{}", side.name);
        assert_eq!(check(&side, 9, None, false).unwrap_err().kind(), Kind::NotFound, "{}", side.name);
    }
}
