//! Against a sysfs in a folder, and an open-iscsi and a kernel that do there what they are told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Mutex,
};

use sanfleet_protocol::{TargetName, limits};

use super::{machine::Claim, *};
use crate::{
    config::Chap,
    host::{
        DeviceNumber, FileSystem,
        linux::observe::attribute,
        sim::{SimDevice, SimHost},
    },
    verify::verify,
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
    folder: tempfile::TempDir,
    settings: Iscsi,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Portals that answer.
    portals: BTreeSet<String>,
    /// What the target shows now, by the kernel's number of the unit.
    shown: BTreeMap<u64, VolumeId>,
    /// The unit that each disk is on.
    disks: BTreeMap<String, u64>,
    used: BTreeSet<String>,
    /// Disks that do not answer.
    dead: BTreeSet<String>,
    sessions: u32,
    /// What `iscsiadm` says in the end, whatever it has done.
    told: Option<&'static str>,
    /// True when iscsid does nothing of what it is asked for.
    deaf: bool,
    /// True when multipathd makes no map.
    idle: bool,
    calls: Vec<String>,
}

impl World {
    fn new() -> Self {
        let (folder, settings) = (tempfile::tempdir().unwrap(), Iscsi::default());
        let world = Self { folder, settings, state: Mutex::default() };
        world.alter(|state| state.portals.extend([FIRST.to_owned(), SECOND.to_owned()]));
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

    fn alter<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    fn show(&self, unit: u64, volume: VolumeId) {
        self.alter(|state| state.shown.insert(unit, volume));
    }

    /// The array shows nothing under this number any more.
    fn hide(&self, unit: u64) {
        self.alter(|state| state.shown.remove(&unit));
    }

    fn drop_unmapped(&self, volume: &VolumeId) -> Result<bool, HostError> {
        self.fabric().drop_unmapped(volume, soon())
    }

    fn at(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
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

    /// Detaches the disk that has proved to be the volume.
    fn detach(&self, wanted: &VolumeId) -> Result<(), HostError> {
        let unit = self.units().into_iter().find(|unit| unit.cached_ids().contains(wanted)).unwrap();
        let disk = unit.disk().unwrap();
        let host = SimHost::builder().device(SimDevice::disk(&disk, vec![wanted.clone()])).build();
        self.detach_device(verify(&host, wanted).unwrap(), &self.disk(&disk))
    }

    /// Detaches the map of these disks.
    fn detach_map(&self, wanted: &VolumeId, disks: &[&str]) -> Result<(), HostError> {
        let paths = disks.iter().map(|disk| SimDevice::disk(disk, vec![wanted.clone()]));
        let host = SimHost::builder().devices(paths).build();
        host.add_device(SimDevice::multipath("dm-0", vec![wanted.clone()], disks));
        self.detach_device(verify(&host, wanted).unwrap(), &self.at("sys/devices/virtual/dm-0"))
    }

    fn detach_device(&self, device: VerifiedDevice, node: &Path) -> Result<(), HostError> {
        let number = self.at("sys/dev/block").join(device.number().to_string());
        fs::create_dir_all(number.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&number);
        symlink(node, number).unwrap();
        assert!(self.fabric().brought(&device));
        self.fabric().detach(device, soon())
    }

    fn sessions(&self) -> Vec<Session> {
        Session::all(&self.at("sys"))
    }

    fn units(&self) -> Vec<Unit> {
        self.sessions().iter().flat_map(Session::units).collect()
    }

    fn disk(&self, name: &str) -> PathBuf {
        let units =
            self.units().into_iter().map(|unit| unit.delete().parent().unwrap().join("block").join(name));
        units.into_iter().find(|disk| disk.exists()).unwrap()
    }

    fn calls(&self) -> Vec<String> {
        self.alter(|state| std::mem::take(&mut state.calls))
    }

    /// As the administrator of the host would.
    fn log_in(&self, portal: &str) {
        let number = self.alter(|state| {
            state.sessions += 1;
            state.sessions
        });
        let portal: SocketAddr = portal.parse().unwrap();
        let session = self.at(&format!("sys/devices/platform/host{number}/session{number}"));
        let class = self.at(&format!("sys/class/iscsi_session/session{number}"));
        let connection = self.at(&format!("sys/class/iscsi_connection/connection{number}:0"));
        for folder in [&session, &class, &connection] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::create_dir_all(self.at(&format!("sys/class/scsi_host/host{number}"))).unwrap();
        fs::write(connection.join("persistent_address"), format!("{}\n", portal.ip())).unwrap();
        fs::write(connection.join("persistent_port"), format!("{}\n", portal.port())).unwrap();
        fs::write(class.join("targetname"), format!("{TARGET}\n")).unwrap();
        fs::write(class.join("state"), "LOGGED_IN\n").unwrap();
        symlink(&session, class.join("device")).unwrap();
    }

    fn log_out(&self, portal: &str) {
        let portal: SocketAddr = portal.parse().unwrap();
        for session in self.sessions().iter().filter(|session| session.portal == Some(portal)) {
            let number = session.name.strip_prefix("session").unwrap();
            fs::remove_dir_all(self.at(&format!("sys/class/iscsi_session/session{number}"))).unwrap();
            fs::remove_dir_all(self.at(&format!("sys/class/iscsi_connection/connection{number}:0"))).unwrap();
            fs::remove_dir_all(self.at(&format!("sys/devices/platform/host{number}"))).unwrap();
        }
    }

    /// The paths of the one map that there is; none of none.
    fn paths(&self) -> Vec<String> {
        attribute::names(&self.at("sys/class/block/dm-0/slaves"))
    }

    fn add_path(&self, disk: &str) {
        let map = self.at("sys/devices/virtual/dm-0");
        fs::create_dir_all(map.join("slaves").join(disk)).unwrap();
        fs::create_dir_all(map.join("dm")).unwrap();
        fs::write(map.join("dm/uuid"), "mpath-36001405\n").unwrap();
        fs::write(map.join("dm/name"), "36001405\n").unwrap();
        fs::create_dir_all(self.at("sys/class/block").join(disk).join("holders/dm-0")).unwrap();
        let _ = symlink(&map, self.at("sys/class/block/dm-0"));
    }

    fn remove_map(&self) {
        for path in self.paths() {
            fs::remove_dir(self.at("sys/class/block").join(path).join("holders/dm-0")).unwrap();
        }
        fs::remove_file(self.at("sys/class/block/dm-0")).unwrap();
        fs::remove_dir_all(self.at("sys/devices/virtual/dm-0")).unwrap();
    }

    /// The kernel adds the unit if the target shows it.
    fn scan(&self, host: &str, words: &str) {
        let number: u64 = words.rsplit(' ').next().unwrap().parse().unwrap();
        let Some(ids) = self.alter(|state| state.shown.get(&number).cloned()) else { return };
        let session = format!("session{}", host.strip_prefix("host").unwrap());
        let session = self.sessions().into_iter().find(|one| one.name == session).unwrap();
        let unit = session.unit(number);
        if unit.is_there() {
            return;
        }
        let name = self.alter(|state| {
            let name = format!("sd{}", state.disks.len());
            state.disks.insert(name.clone(), number);
            name
        });
        let folder = unit.delete().parent().unwrap().to_owned();
        let disk = folder.join("block").join(&name);
        fs::create_dir_all(disk.join("holders")).unwrap();
        fs::create_dir_all(self.at("sys/class/block")).unwrap();
        symlink(&disk, self.at("sys/class/block").join(name)).unwrap();
        fs::write(folder.join("vpd_pg83"), volume_id::page(&[ids])).unwrap();
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl Machine for &World {
    fn iscsiadm(&self, arguments: &[&str], _: Deadline) -> Result<(), HostError> {
        let ["-m", "node", "-T", TARGET, "-p", portal, verb @ ..] = arguments else {
            panic!("{arguments:?}")
        };
        let (told, answers) = self.alter(|state| {
            state.calls.push(format!("{} {portal}", verb.join(" ")));
            (state.told, state.portals.contains(*portal) && !state.deaf)
        });
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
            _ if told.is_none() => return Err(failed("it does not answer")),
            _ => {}
        }
        match told {
            Some(words) if !words.is_empty() => Err(failed(words)),
            _ => Ok(()),
        }
    }

    fn multipathd(&self, arguments: &[&str], _: Deadline) -> Result<(), HostError> {
        let (used, idle) = self.alter(|state| {
            state.calls.push(arguments.join(" "));
            (state.used.contains("dm-0"), state.idle)
        });
        match arguments {
            ["add", "path", disk] if !idle => self.add_path(disk),
            ["remove", "map", "36001405"] if used => return Err(failed("map in use")),
            ["remove", "map", "36001405"] => self.remove_map(),
            ["add" | "remove", "path", _] | ["disablequeueing" | "restorequeueing", "map", "36001405"] => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    fn write(&self, attribute: &Path, words: &str) -> Result<(), HostError> {
        let folder = attribute.parent().unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        match attribute.file_name().unwrap().to_str().unwrap() {
            "scan" => {
                self.alter(|state| state.calls.push(format!("scan {words}")));
                self.scan(name, words);
            }
            "state" => self.alter(|state| state.calls.push(format!("{words} {name}"))),
            "delete" => {
                self.alter(|state| state.calls.push(format!("delete {name}")));
                for disk in attribute::names(&folder.join("block")) {
                    fs::remove_file(self.at("sys/class/block").join(disk)).unwrap();
                }
                fs::remove_dir_all(folder).unwrap();
            }
            other => panic!("{other}"),
        }
        Ok(())
    }

    fn open(&self, disk: &str) -> Result<Box<dyn OpenDevice>, HostError> {
        if self.alter(|state| state.dead.contains(disk)) {
            return Err(failed("no connection"));
        }
        let volume = self.alter(|state| state.shown.get(&state.disks[disk]).cloned());
        Ok(Box::new(Disk { name: disk.to_owned(), volume }))
    }

    fn claim(&self, device: &dyn OpenDevice) -> Result<Claim, HostError> {
        match self.alter(|state| state.used.contains(&device.name())) {
            true => Err(HostError::Busy { what: device.name(), by: "somebody".to_owned() }),
            false => Ok(Claim { disk: device.name(), file: None }),
        }
    }

    fn flush(&self, claim: &Claim) -> Result<(), HostError> {
        self.alter(|state| state.calls.push(format!("flush {}", claim.disk)));
        Ok(())
    }
}

fn failed(words: &str) -> HostError {
    HostError::Tool { program: "iscsiadm", status: "exit status: 8".to_owned(), words: words.to_owned() }
}

/// A disk that says what is behind it now, if anything is.
#[derive(Debug)]
struct Disk {
    name: String,
    volume: Option<VolumeId>,
}

impl OpenDevice for Disk {
    fn number(&self) -> DeviceNumber {
        DeviceNumber { major: 8, minor: 0 }
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn identify(&self) -> Result<Vec<VolumeId>, HostError> {
        let unmapped = || HostError::Unmapped { what: self.name.clone() };
        self.volume.clone().map(|volume| vec![volume]).ok_or_else(unmapped)
    }

    fn size_bytes(&self) -> Result<u64, HostError> {
        Ok(0)
    }

    fn file_system(&self) -> Result<Option<FileSystem>, HostError> {
        Ok(None)
    }

    fn read_first_block(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn reads_as_zeros(&self) -> Result<bool, HostError> {
        Ok(true)
    }

    fn read_samples(&self, _: Deadline) -> Result<u64, HostError> {
        Ok(0)
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
    world.alter(|state| state.portals.remove(FIRST));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.sessions()[0].portal, Some(SECOND.parse().unwrap()));

    let world = World::new();
    world.alter(|state| state.portals.clear());
    let error = world.rescan(&volume(1), &both(7)).unwrap_err();
    let told = limits::full_text(&error);
    assert!(told.contains(FIRST) && told.contains("it does not answer") && error.is_retryable(), "{told}");
}

#[test]
fn a_login_is_judged_by_what_is_there_and_not_by_how_iscsiadm_ends() {
    let world = World::new();
    world.show(7, volume(1));
    world.alter(|state| state.told = Some("session exists"));
    assert!(world.rescan(&volume(1), &[path(FIRST, 7)]).unwrap());

    let world = World::new();
    world.alter(|state| (state.told, state.deaf) = (Some(""), true));
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
    world.alter(|state| state.portals.remove(FIRST));
    assert!(world.rescan(&volume(1), &both(7)).unwrap());
    assert_eq!(world.paths(), ["sd0"]);
    world.alter(|state| state.portals.insert(FIRST.to_owned()));
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
