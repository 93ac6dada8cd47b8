//! Against a simulated machine, with an open-iscsi that does there what it is told.

use std::{
    collections::BTreeSet,
    fmt, fs,
    net::SocketAddr,
    ops::Deref,
    os::unix::fs::{PermissionsExt, symlink},
    sync::Mutex,
    thread,
};

use sanfleet_protocol::{TargetName, limits};

use super::*;
use crate::{
    config::Chap,
    fabric::{
        Fabric,
        scsi::{
            Target,
            sim::{SimMachine, Simulated, failed},
        },
    },
};

const BOUND: Duration = Duration::from_secs(20);
const TARGET: &str = "iqn.2026-01.example:array";
const FIRST: &str = "192.0.2.1:3260";
const SECOND: &str = "192.0.2.2:3260";

fn soon() -> Deadline {
    Deadline::after(BOUND)
}

fn volume(last: u8) -> VolumeId {
    format!("naa.600140500000000000000000000000{last:02x}").parse().unwrap()
}

fn path(portal: &str, lun: u64) -> TargetPath {
    format!("{portal},{TARGET},{lun}").parse().unwrap()
}

fn both(lun: u64) -> [TargetPath; 2] {
    [path(FIRST, lun), path(SECOND, lun)]
}

/// A machine, and an array with one target whose portals and units can change.
struct World {
    machine: SimMachine,
    settings: Iscsi,
    open_iscsi: Mutex<OpenIscsi>,
}

#[derive(Default)]
struct OpenIscsi {
    /// Portals that answer.
    portals: BTreeSet<String>,
    sessions: u32,
    /// What `iscsiadm` says in the end, whatever it has done.
    told: Option<&'static str>,
    /// True when iscsid does nothing of what it is asked for.
    deaf: bool,
}

impl World {
    fn new() -> Self {
        let (machine, settings) = (SimMachine::default(), Iscsi::default());
        let world = Self { machine, settings, open_iscsi: Mutex::default() };
        world.change(|iscsi| iscsi.portals.extend([FIRST.to_owned(), SECOND.to_owned()]));
        world
    }

    fn with_multipath() -> Self {
        let mut world = Self::new();
        world.settings.multipath = true;
        world
    }

    /// With volume 1 here over both portals.
    fn with_map() -> Self {
        let world = Self::with_multipath();
        world.show(7, volume(1));
        assert!(world.rescan(&volume(1), &both(7)).unwrap());
        world
    }

    fn change<T>(&self, change: impl FnOnce(&mut OpenIscsi) -> T) -> T {
        change(&mut self.open_iscsi.lock().unwrap())
    }

    fn places(&self) -> Places {
        Places { sysfs_root: self.at("sys"), nodes: vec![self.at("nodes")], locks: self.at("locks") }
    }

    fn fabric(&self) -> IscsiFabric<&Self> {
        IscsiFabric::new(self.places(), self.settings.clone(), self)
    }

    fn rescan(&self, wanted: &VolumeId, paths: &[TargetPath]) -> Result<bool, HostError> {
        self.fabric().rescan(Wanted { volume: wanted, paths }, soon())
    }

    fn detach(&self, wanted: &VolumeId) -> Result<(), HostError> {
        self.machine.detach(&self.fabric(), wanted, soon())
    }

    fn detach_map(&self, wanted: &VolumeId, disks: &[&str]) -> Result<(), HostError> {
        self.machine.detach_map(&self.fabric(), wanted, disks, soon())
    }

    fn drop_unmapped(&self, volume: &VolumeId) -> Result<bool, HostError> {
        self.fabric().drop_unmapped(volume, soon())
    }

    fn sessions(&self) -> Vec<Session> {
        Session::all(&self.at("sys"))
    }

    /// As the administrator of the host would.
    fn log_in(&self, portal: &str) {
        let number = self.change(|iscsi| {
            iscsi.sessions += 1;
            iscsi.sessions
        });
        let portal: SocketAddr = portal.parse().unwrap();
        let session = self.at(&format!("sys/devices/platform/host{number}/session{number}"));
        let class = format!("sys/class/iscsi_session/session{number}");
        let connection = format!("sys/class/iscsi_connection/connection{number}:0");
        self.add_target(Target::below(session.clone(), 0, 0).unwrap());
        self.file(&format!("{connection}/persistent_address"), &format!("{}\n", portal.ip()));
        self.file(&format!("{connection}/persistent_port"), &format!("{}\n", portal.port()));
        self.file(&format!("{class}/targetname"), &format!("{TARGET}\n"));
        self.file(&format!("{class}/state"), "LOGGED_IN\n");
        symlink(&session, self.at(&class).join("device")).unwrap();
    }

    fn log_out(&self, portal: &str) {
        let portal: SocketAddr = portal.parse().unwrap();
        for session in self.sessions().iter().filter(|session| session.portal == Some(portal)) {
            let number = session.name.strip_prefix("session").unwrap();
            self.remove_target(&session.target);
            fs::remove_dir_all(self.at(&format!("sys/class/iscsi_session/session{number}"))).unwrap();
            fs::remove_dir_all(self.at(&format!("sys/class/iscsi_connection/connection{number}:0"))).unwrap();
            fs::remove_dir_all(self.at(&format!("sys/devices/platform/host{number}"))).unwrap();
        }
    }
}

impl Deref for World {
    type Target = SimMachine;

    fn deref(&self) -> &SimMachine {
        &self.machine
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl Simulated for World {
    fn machine(&self) -> &SimMachine {
        &self.machine
    }
}

impl Iscsiadm for &World {
    fn iscsiadm(&self, arguments: &[&str], _: Deadline) -> Result<(), HostError> {
        let ["-m", "node", "-T", TARGET, "-p", portal, verb @ ..] = arguments else {
            panic!("{arguments:?}")
        };
        self.note(format!("{} {portal}", verb.join(" ")));
        let (told, answers) =
            self.change(|iscsi| (iscsi.told, iscsi.portals.contains(*portal) && !iscsi.deaf));
        let address: SocketAddr = portal.parse().unwrap();
        let record = self.at("nodes").join(TARGET).join(format!("{},{}", address.ip(), address.port()));
        match verb {
            ["-o", "new"] => {
                fs::create_dir_all(record.parent().unwrap()).unwrap();
                fs::write(&record, "# BEGIN RECORD\nnode.session.scan = auto\n# END RECORD\n").unwrap();
                return Ok(());
            }
            ["--login"] if answers => {
                assert!(fs::read_to_string(&record).unwrap().contains("node.session.scan = manual\n"));
                self.log_in(portal);
            }
            ["--logout"] if answers => self.log_out(portal),
            _ if told.is_none() => return Err(failed("iscsiadm", "it does not answer")),
            _ => {}
        }
        match told {
            Some(words) if !words.is_empty() => Err(failed("iscsiadm", words)),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_volume_is_logged_in_to_and_scanned_for_once_and_logged_out_of_with_its_last_unit() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert_eq!(
        world.calls(),
        [format!("-o new {FIRST}"), format!("--login {FIRST}"), "scan 0 0 7".to_owned()]
    );
    assert!(!world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert_eq!(world.calls(), [""; 0]);
    world.detach(&volume(1)).unwrap();
    assert_eq!(
        world.calls(),
        ["flush sd0".to_owned(), "delete 1:0:0:7".to_owned(), format!("--logout {FIRST}")]
    );
    assert!(world.sessions().is_empty());
}

#[test]
fn volumes_of_a_target_share_a_session_which_stays_as_long_as_one_of_them_does() {
    let world = World::new();
    (1..4).for_each(|n| world.show(n.into(), volume(n)));
    for n in [1, 2] {
        assert!(world.rescan(&volume(n), &[path(FIRST, n.into())]).unwrap());
    }
    assert_eq!((world.sessions().len(), world.units().len()), (1, 2), "nobody asked for the third");
    world.detach(&volume(1)).unwrap();
    assert_eq!(world.sessions().len(), 1);
    world.detach(&volume(2)).unwrap();
    assert!(world.sessions().is_empty());
}

#[test]
fn a_session_that_somebody_else_logged_in_to_is_used_and_never_logged_out_of() {
    let world = World::new();
    world.log_in(FIRST);
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    world.detach(&volume(1)).unwrap();
    assert_eq!(world.calls(), ["scan 0 0 7", "flush sd0", "delete 1:0:0:7"]);
    assert_eq!(world.sessions().len(), 1);
}

#[test]
fn a_volume_that_is_not_shown_yet_is_no_error_and_leaves_nothing() {
    let world = World::new();
    assert!(!world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert!(world.sessions().is_empty());
}

#[test]
fn a_disk_whose_node_is_there_a_moment_before_it_can_be_opened_is_waited_for() {
    let world = World::new();
    world.show(7, volume(1));
    world.alter(|state| state.unready = 3);
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!((world.alter(|state| state.unready), world.units().len()), (0, 1));
}

#[test]
fn a_unit_that_is_another_volume_is_refused_and_does_not_stay() {
    let world = World::new();
    world.show(7, volume(2));
    let error = world.rescan(&volume(1), &both(7)).unwrap_err();
    assert!(matches!(&error, HostError::OtherVolume { .. }), "{error}");
    assert!(error.to_string().contains(&volume(2).to_string()), "{error}");
    assert!(world.units().is_empty() && world.sessions().is_empty());
}

#[test]
fn a_unit_that_was_another_volume_when_the_kernel_scanned_it_is_scanned_anew() {
    let world = World::new();
    world.show(7, volume(2));
    assert!(world.rescan(&volume(2), &[path(FIRST, 7)]).unwrap());
    world.show(7, volume(1));
    world.calls();
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert_eq!(
        world.calls(),
        ["offline 1:0:0:7", "delete 1:0:0:7", "scan 0 0 7"],
        "nothing of the old one is written"
    );
    assert_eq!(world.units()[0].cached_ids(), [volume(1)]);
}

#[test]
fn a_unit_that_shows_the_volume_from_before_and_is_another_one_goes_before_anything_is_scanned() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    world.show(7, volume(2));
    world.show(8, volume(1));
    world.calls();
    assert!(world.rescan(&volume(1), &[path(FIRST, 8)]).unwrap());
    assert_eq!(world.calls()[..2], ["offline 1:0:0:7", "delete 1:0:0:7"]);
    assert_eq!((world.sessions().len(), world.units().len()), (1, 1));
    assert!(world.units()[0].to_string().ends_with(":8"), "{:?}", world.units());
}

#[test]
fn a_unit_that_somebody_uses_is_not_replaced() {
    let world = World::new();
    world.show(7, volume(2));
    assert!(world.rescan(&volume(2), &[path(FIRST, 7)]).unwrap());
    world.show(7, volume(1));
    world.alter(|state| state.used.insert("sd0".to_owned()));
    let error = world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap_err();
    assert!(matches!(&error, HostError::Busy { by, .. } if by == "somebody"), "{error}");
    assert_eq!(world.units().len(), 1);
}

#[test]
fn when_a_portal_does_not_answer_the_next_one_is_tried_and_when_none_does_the_first_is_told() {
    let world = World::new();
    world.show(7, volume(1));
    world.change(|iscsi| iscsi.portals.remove(FIRST));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.sessions()[0].portal, Some(SECOND.parse().unwrap()));

    let world = World::new();
    world.change(|iscsi| iscsi.portals.clear());
    let error = world.rescan(&volume(1), &both(7)).unwrap_err();
    let told = limits::full_text(&error);
    assert!(told.contains(FIRST) && told.contains("it does not answer") && error.is_retryable(), "{told}");
}

#[test]
fn a_login_is_judged_by_what_is_there_and_not_by_how_iscsiadm_ends() {
    let world = World::new();
    world.show(7, volume(1));
    world.change(|iscsi| iscsi.told = Some("session exists"));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());

    let world = World::new();
    world.change(|iscsi| (iscsi.told, iscsi.deaf) = (Some(""), true));
    let hurried = Deadline::after(Duration::from_millis(100));
    let wanted = Wanted { volume: &volume(1), paths: &[path(FIRST, 7)] };
    let error = world.fabric().rescan(wanted, hurried).unwrap_err();
    assert!(matches!(&error, HostError::NoSession { target, .. } if target == TARGET), "{error}");
    assert!(error.is_retryable());
}

#[test]
fn two_that_rescan_at_once_log_in_once() {
    let world = World::new();
    (1..5).for_each(|n| world.show(n.into(), volume(n)));
    thread::scope(|scope| {
        for n in 1..5 {
            let world = &world;
            scope.spawn(move || assert!(world.rescan(&volume(n), &[path(FIRST, n.into())]).unwrap()));
        }
    });
    assert_eq!((world.sessions().len(), world.units().len()), (1, 4));
}

#[test]
fn who_waits_for_the_lock_longer_than_may_be_is_told_so() {
    let world = World::new();
    let target: TargetName = TARGET.parse().unwrap();
    let portal = FIRST.parse().unwrap();
    let held = SessionLock::take(&world.at("locks"), &target, portal, soon()).unwrap();
    let hurried = Deadline::after(Duration::from_millis(50));
    let error = SessionLock::take(&world.at("locks"), &target, portal, hurried).unwrap_err();
    assert!(matches!(error, HostError::Timeout { .. }), "{error}");
    drop(held);
    SessionLock::take(&world.at("locks"), &target, portal, hurried).unwrap();
}

#[test]
fn a_number_that_arrays_write_in_two_ways_is_looked_for_in_both() {
    for kernels in [0x4000 | 300, 300] {
        let world = World::new();
        world.show(kernels, volume(1));
        assert!(world.rescan(&volume(1), &[path(FIRST, 300)]).unwrap());
        assert_eq!(world.units()[0].to_string(), format!("SCSI unit 1:0:0:{kernels}"));
    }
}

#[test]
fn a_password_is_on_no_command_line() {
    let world = World::new();
    world.show(7, volume(1));
    let file = world.at("password");
    fs::write(&file, "a secret word\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = Iscsi { chap: Some(Chap::new("db1", &file)), ..Iscsi::default() };
    let fabric = IscsiFabric::new(world.places(), settings, &world);
    assert!(fabric.rescan(Wanted { volume: &volume(1), paths: &[path(FIRST, 7)] }, soon()).unwrap());
    let record = fs::read_to_string(world.at("nodes").join(TARGET).join("192.0.2.1,3260")).unwrap();
    assert!(record.contains("node.session.auth.password = a secret word\n"), "{record}");
    let calls = world.calls();
    assert!(calls.len() == 3 && calls.iter().all(|call| !call.contains("secret")), "{calls:?}");
}

#[test]
fn without_a_path_a_volume_is_not_looked_for() {
    let world = World::new();
    let error = world.rescan(&volume(1), &[]).unwrap_err();
    assert!(matches!(error, HostError::Invalid { .. }), "{error}");
    assert_eq!(world.calls(), [""; 0]);
}

#[test]
fn with_multipathd_a_volume_comes_in_over_every_path_as_one_map_and_goes_with_all_of_them() {
    let world = World::with_map();
    assert_eq!((world.sessions().len(), world.paths()), (2, vec!["sd0".to_owned(), "sd1".to_owned()]));
    world.calls();
    assert!(!world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.calls(), [""; 0], "twice is once");
    world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap();
    let logout = |portal: &str| format!("--logout {portal}");
    assert_eq!(
        world.calls(),
        [
            "disablequeueing map 36001405",
            "flush dm-0",
            "remove map 36001405",
            "remove path sd0",
            "flush sd0",
            "delete 1:0:0:7",
            &logout(FIRST),
            "remove path sd1",
            "flush sd1",
            "delete 2:0:0:7",
            &logout(SECOND),
        ]
    );
    assert!(world.sessions().is_empty() && world.paths().is_empty());
}

#[test]
fn a_map_has_the_paths_that_answer_and_the_others_when_they_do() {
    let world = World::with_multipath();
    world.show(7, volume(1));
    world.change(|iscsi| iscsi.portals.remove(FIRST));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.paths(), ["sd0"]);
    world.change(|iscsi| iscsi.portals.insert(FIRST.to_owned()));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.paths(), ["sd0", "sd1"]);
}

#[test]
fn a_path_that_is_down_is_taken_away_with_its_map() {
    let world = World::with_map();
    world.alter(|state| state.dead.insert("sd0".to_owned()));
    assert!(!world.rescan(&volume(1), &[path(SECOND, 7)]).unwrap());
    world.calls();
    world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap();
    assert!(world.units().is_empty(), "{:?}", world.units());
    assert!(!world.calls().contains(&"flush sd0".to_owned()));
}

#[test]
fn a_map_that_somebody_uses_stays_with_all_of_its_paths_and_queues_as_before() {
    let world = World::with_map();
    world.alter(|state| state.used.insert("dm-0".to_owned()));
    world.calls();
    let error = world.detach_map(&volume(1), &["sd0", "sd1"]).unwrap_err();
    assert!(matches!(&error, HostError::Busy { .. }), "{error}");
    assert_eq!(world.calls(), ["disablequeueing map 36001405", "restorequeueing map 36001405"]);
    assert_eq!(world.paths().len(), 2);
}

#[test]
fn a_map_that_is_not_made_is_waited_for_in_vain_and_named() {
    let world = World::with_multipath();
    world.show(7, volume(1));
    world.alter(|state| state.idle = true);
    let hurried = Deadline::after(Duration::from_millis(200));
    let wanted = Wanted { volume: &volume(1), paths: &[path(FIRST, 7)] };
    let error = world.fabric().rescan(wanted, hurried).unwrap_err();
    assert!(error.to_string().contains("multipathd, for a map of sd0"), "{error}");
    assert!(error.is_retryable());
}

#[test]
fn a_unit_that_became_another_volume_goes_with_the_map_that_was_made_of_it() {
    let world = World::with_multipath();
    world.show(7, volume(2));
    assert!(world.rescan(&volume(2), &[path(FIRST, 7)]).unwrap());
    world.show(7, volume(1));
    world.calls();
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert_eq!(
        world.calls(),
        [
            "remove map 36001405",
            "remove path sd0",
            "offline 1:0:0:7",
            "delete 1:0:0:7",
            "scan 0 0 7",
            "add path sd1"
        ]
    );
}

#[test]
fn what_the_target_does_not_show_any_more_goes_and_is_not_written_to() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    world.hide(7);
    world.calls();
    assert!(world.drop_unmapped(&volume(1)).unwrap());
    assert_eq!(
        world.calls(),
        ["offline 1:0:0:7".to_owned(), "delete 1:0:0:7".to_owned(), format!("--logout {FIRST}")]
    );
    assert!(world.sessions().is_empty());
    assert!(!world.drop_unmapped(&volume(1)).unwrap(), "twice is once");
}

#[test]
fn what_is_used_or_only_silent_or_there_stays() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    assert!(!world.drop_unmapped(&volume(1)).unwrap());
    world.alter(|state| state.dead.insert("sd0".to_owned()));
    world.drop_unmapped(&volume(1)).unwrap_err();
    world.alter(|state| state.dead.clear());
    world.hide(7);
    world.alter(|state| state.used.insert("sd0".to_owned()));
    let error = world.drop_unmapped(&volume(1)).unwrap_err();
    assert!(matches!(error, HostError::Busy { .. }), "{error}");
    assert_eq!(world.units().len(), 1);
}

#[test]
fn a_map_goes_when_the_target_shows_none_of_its_paths_and_not_before() {
    let world = World::with_map();
    world.alter(|state| state.dead.insert("sd1".to_owned()));
    world.hide(7);
    world.drop_unmapped(&volume(1)).unwrap_err();
    assert_eq!(world.paths().len(), 2);
    world.alter(|state| state.dead.clear());
    world.alter(|state| state.used.insert("dm-0".to_owned()));
    world.calls();
    world.drop_unmapped(&volume(1)).unwrap_err();
    assert_eq!(world.calls().last().map(String::as_str), Some("restorequeueing map 36001405"));
    assert_eq!(world.paths().len(), 2);
    world.alter(|state| state.used.clear());
    assert!(world.drop_unmapped(&volume(1)).unwrap());
    assert!(world.units().is_empty() && world.sessions().is_empty());
}

#[test]
fn a_volume_that_is_shown_under_another_number_comes_in_there_and_what_was_left_of_it_goes() {
    let world = World::new();
    world.show(7, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());
    world.hide(7);
    world.show(9, volume(1));
    assert!(world.rescan(&volume(1), &[path(FIRST, 9)]).unwrap());
    let units: Vec<String> = world.units().iter().map(ToString::to_string).collect();
    assert_eq!(units, ["SCSI unit 2:0:0:9"]);
}
