use sanfleet_protocol::v1::{self, command::Action as Proto};

use super::*;
use crate::actions;

const NOW: i64 = 1_000_000;

struct Lab {
    gate: Gate,
    ledger: Ledger,
    _state: tempfile::TempDir,
}

impl Lab {
    fn with(policy: Policy) -> Self {
        let state = tempfile::tempdir().unwrap();
        Self { gate: Gate::new(policy), ledger: Ledger::open(state.path(), NOW).unwrap(), _state: state }
    }

    fn ask_at(&self, action: &Proto, now_unix_ms: i64) -> Result<(), Denied> {
        let parsed = Action::parse(action).unwrap();
        self.gate.pass(actions::verb(action), &parsed, &self.ledger, now_unix_ms)
    }

    fn ask(&self, action: &Proto) -> Result<(), Denied> {
        self.ask_at(action, NOW)
    }
}

fn quiet() -> Policy {
    Policy { maintenance_file: "/nonexistent/maintenance".into(), ..Policy::default() }
}

fn volume(n: u8) -> String {
    format!("naa.600140500000000000000000000000{n:02x}")
}

fn mount(at: &str, file_system: &str, read_write: bool) -> Proto {
    Proto::Mount(v1::MountVolume {
        volume_id: volume(1),
        mount_point: at.into(),
        read_write,
        file_system: file_system.into(),
        layers: None,
    })
}

fn rescan(n: u8) -> Proto {
    Proto::Rescan(v1::Rescan { fabric: "loop".into(), volume_id: volume(n), paths: Vec::new() })
}

fn detach(n: u8) -> Proto {
    Proto::Detach(v1::DetachVolume { volume_id: volume(n) })
}

fn quiesce(method: v1::QuiesceMethod) -> Proto {
    Proto::Quiesce(v1::Quiesce {
        mount_point: "/var/lib/mysql".into(),
        volume_id: volume(1),
        method: method.into(),
        dead_man_ms: 1_000,
        hook: String::new(),
        also: Vec::new(),
    })
}

fn resume() -> Proto {
    Proto::Resume(v1::Resume {})
}

#[test]
fn nothing_is_mounted_unmounted_or_written_down_outside_of_the_roots() {
    let lab = Lab::with(quiet());
    let place = |at: &str| v1::UnmountVolume { volume_id: volume(1), mount_point: at.into() };
    for at in ["/etc", "/srv", "/srvx/a", "/usr/bin", "/var/lib/mysql"] {
        let persist = v1::PersistMount {
            volume_id: volume(1),
            mount_point: at.into(),
            file_system: "xfs".into(),
            uuid: "0fce5a3d-1122-4344-8566-778899aabbcc".into(),
            read_write: true,
        };
        let target = v1::CheckTarget { mount_point: at.into(), ..Default::default() };
        for action in [
            mount(at, "ext4", false),
            Proto::Unmount(place(at)),
            Proto::PersistMount(persist),
            Proto::ForgetMount(v1::ForgetMount { mount_point: at.into() }),
            Proto::CheckTarget(target),
        ] {
            assert!(matches!(lab.ask(&action), Err(Denied::Place { .. })), "{action:?}");
        }
    }
    assert_eq!(lab.ask(&mount("/srv/a", "ext4", true)), Ok(()));
    assert_eq!(lab.ask(&Proto::Unmount(place("/mnt/a"))), Ok(()));
}

#[test]
fn a_host_says_which_file_systems_it_mounts_and_whether_they_are_written_to() {
    let lab = Lab::with(Policy { file_systems: vec!["xfs".into()], read_write: false, ..quiet() });
    assert_eq!(lab.ask(&mount("/srv/a", "xfs", false)), Ok(()));
    assert_eq!(lab.ask(&mount("/srv/a", "ext4", false)), Err(Denied::FileSystem { kind: "ext4".into() }));
    assert_eq!(lab.ask(&mount("/srv/a", "xfs", true)), Err(Denied::Writing));
}

#[test]
fn nothing_is_formatted_unless_that_is_allowed_and_the_check_before_says_so() {
    let format = Proto::Format(v1::FormatVolume {
        volume_id: volume(1),
        file_system: "ext4".into(),
        label: String::new(),
        uuid: "0fce5a3d-1122-4344-8566-778899aabbcc".into(),
    });
    let check = Proto::CheckTarget(v1::CheckTarget {
        mount_point: "/srv/a".into(),
        file_system: "ext4".into(),
        read_write: true,
        format: true,
    });
    let lab = Lab::with(quiet());
    assert_eq!(lab.ask(&format), Err(Denied::Formatting));
    assert_eq!(lab.ask(&check), Err(Denied::Formatting));
    let lab = Lab::with(Policy { format: true, ..quiet() });
    assert_eq!((lab.ask(&format), lab.ask(&check)), (Ok(()), Ok(())));
}

#[test]
fn only_listed_ways_hold_anything_still_and_a_resume_always_lets_go() {
    let lab =
        Lab::with(Policy { quiesce: vec![QuiesceKind::Mysql], verbs: Some(vec![Verb::Quiesce]), ..quiet() });
    assert_eq!(lab.ask(&quiesce(v1::QuiesceMethod::Mysql)), Ok(()));
    let denied = Err(Denied::Quiesce(QuiesceBy::Fsfreeze));
    assert_eq!(lab.ask(&quiesce(v1::QuiesceMethod::Fsfreeze)), denied);
    assert_eq!(lab.ask(&mount("/srv/a", "ext4", false)), Err(Denied::Verb(Verb::Mount)));
    assert_eq!(lab.ask(&resume()), Ok(()));
}

#[test]
fn in_maintenance_nothing_is_changed_and_nothing_is_promised() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lab = Lab::with(Policy { maintenance_file: file.path().to_owned(), ..quiet() });
    let check = v1::CheckTarget { mount_point: "/srv/a".into(), ..Default::default() };
    for action in [mount("/srv/a", "ext4", false), rescan(1), detach(1), Proto::CheckTarget(check)] {
        let denied = lab.ask(&action).unwrap_err();
        assert!(matches!(denied, Denied::Maintenance { .. }) && denied.is_retryable(), "{action:?}");
    }
    let look = v1::CheckVolume { volume_id: volume(1), mount_point: String::new(), deep: false };
    assert_eq!(lab.ask(&Proto::CheckVolume(look)), Ok(()));
    assert_eq!(lab.ask(&resume()), Ok(()));
    file.close().unwrap();
    assert_eq!(lab.ask(&rescan(1)), Ok(()));
}

#[test]
fn a_host_takes_so_many_volumes_and_more_when_some_are_gone() {
    let lab = Lab::with(Policy { max_volumes: 2, ..quiet() });
    for n in [1, 2, 1, 2] {
        assert_eq!(lab.ask(&rescan(n)), Ok(()));
    }
    assert_eq!(lab.ask(&rescan(3)), Err(Denied::Full { limit: 2 }));
    assert_eq!(lab.ask(&detach(1)), Ok(()));
    assert_eq!(lab.ask(&rescan(3)), Ok(()));
    assert_eq!(lab.ask(&rescan(1)), Err(Denied::Full { limit: 2 }));
}

#[test]
fn a_host_is_changed_so_often_in_a_minute_and_looked_at_as_often_as_one_likes() {
    let lab = Lab::with(Policy { max_changes_per_minute: 2, ..quiet() });
    assert_eq!(lab.ask_at(&detach(1), NOW), Ok(()));
    assert_eq!(lab.ask_at(&detach(2), NOW + 30_000), Ok(()));
    let denied = lab.ask_at(&detach(3), NOW + 59_999).unwrap_err();
    assert!(denied == Denied::TooFast { limit: 2 } && denied.is_retryable());
    for _ in 0..10 {
        assert_eq!(lab.ask(&Proto::ReportNow(v1::ReportNow {})), Ok(()));
    }
    assert_eq!(lab.ask_at(&detach(3), NOW + 60_000), Ok(()));
    assert!(lab.ask_at(&detach(4), NOW + 60_001).is_err());
}
