//! Each finding: raised when it holds, not raised while it is in flight, cleared when it has gone.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{MountPoint, RunId, VolumeId};
use uuid::Uuid;

use super::*;
use crate::{
    catalog::{ArrayFacts, ArrayRecord, ArrayState, Dispute, HostRecord, Inventory, Starts, VolumeRecord},
    runs::{MintedVolumes, OpenRun, Place, Provision, RunsSeen, StuckRun},
};

const LIMITS: Limits = Limits { grace: Duration::from_secs(30), stalled_after: Duration::from_secs(600) };
const START: i64 = 1_000_000;

/// db1 and web1, and array lab with volume v1, which db1 has attached at /data.
struct World {
    snapshot: Snapshot,
    ledger: Ledger,
}

fn id(n: u8) -> VolumeId {
    VolumeId::naa(&[0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]).unwrap()
}

fn initiator(host: &str) -> Initiator {
    format!("iqn.2026-11.example:{host}").parse().unwrap()
}

fn run(n: u128) -> RunId {
    RunId::new(Uuid::from_u128(n))
}

fn report(host: &str) -> v1::HostReport {
    v1::HostReport {
        version: 1,
        host: host.into(),
        generation: 1,
        boot_id: format!("boot of {host}"),
        initiators: vec![initiator(host).to_string()],
        facts: Some(v1::HostFacts { machine_id: format!("id of {host}"), ..Default::default() }),
        ..Default::default()
    }
}

/// With a device of this volume, mounted there or nowhere.
fn with(mut report: v1::HostReport, volume: &VolumeId, at: Option<(&str, bool)>) -> v1::HostReport {
    let minor = u32::try_from(report.devices.len()).unwrap() + 1;
    report.devices.push(v1::BlockDevice {
        name: format!("sd{minor}"),
        major: 8,
        minor,
        volume_ids: vec![volume.to_string()],
        ..Default::default()
    });
    if let Some((mount_point, read_only)) = at {
        let mount_point = mount_point.to_owned();
        report.mounts.push(v1::Mount { mount_point, major: 8, minor, read_only, ..Default::default() });
    }
    report
}

fn volume(key: &str, volume_id: VolumeId, seen_by: &[&str]) -> VolumeRecord {
    VolumeRecord {
        key: VolumeRef { array: "lab".parse().unwrap(), volume: VolumeKey::new(key) },
        name: format!("name-{key}"),
        id: Some(volume_id),
        more_ids: Vec::new(),
        size_bytes: 1 << 30,
        pool: "p".into(),
        masked_to: seen_by.iter().map(|host| (initiator(host), None)).collect(),
    }
}

fn attachment() -> v1::Attachment {
    v1::Attachment {
        id: run(7).to_string(),
        host: "db1".into(),
        mount_point: "/data".into(),
        array: "lab".into(),
        volume: "v1".into(),
        volume_id: id(1).to_string(),
        volume_name: "name-v1".into(),
        procedure: "backup attach".into(),
        ..Default::default()
    }
}

fn record(report: v1::HostReport) -> (HostId, HostRecord) {
    let host: HostId = report.host.parse().unwrap();
    let inventory = Arc::new(Inventory::from_report(&host, report).unwrap());
    (host, HostRecord { online: true, inventory: Some(inventory), ..HostRecord::default() })
}

impl World {
    fn new() -> Self {
        let mut lab = ArrayRecord::new("lab".parse().unwrap(), "sim://".into(), "sim".into(), 0);
        let facts = ArrayFacts { extensions: vec!["mappings_page".into()], ..ArrayFacts::default() };
        lab.state = Some(Arc::new(ArrayState { facts: Arc::new(facts), ..ArrayState::default() }));
        let runs = RunsSeen { attachments: vec![attachment()], ..RunsSeen::default() };
        let snapshot =
            Snapshot { hosts: Vec::new(), arrays: vec![lab], runs, now_unix_ms: START, limits: LIMITS };
        let mut world = Self { snapshot, ledger: Ledger::default() };
        world.reports(with(report("db1"), &id(1), Some(("/data", false))));
        world.reports(report("web1"));
        world.holds(volume("v1", id(1), &["db1"]), Some("sanfleet-db1"));
        world
    }

    fn reports(&mut self, report: v1::HostReport) {
        let (host, record) = record(report);
        self.snapshot.hosts.retain(|(known, _)| *known != host);
        self.snapshot.hosts.push((host, record));
    }

    fn state(&mut self) -> &mut ArrayState {
        Arc::make_mut(self.snapshot.arrays[0].state.as_mut().unwrap())
    }

    fn holds(&mut self, volume: VolumeRecord, group: Option<&str>) {
        let key = volume.key.volume.clone();
        let groups = group.into_iter().map(str::to_owned).collect();
        self.state().shown_through.insert(key.clone(), groups);
        self.state().volumes.insert(key, volume);
    }

    fn lacks(&mut self, key: &str) {
        self.state().volumes.remove(&VolumeKey::new(key));
    }

    /// A run that makes a volume of this name, as far as it has come.
    fn mints(&mut self, name: &str, state: v1::RunState) {
        let to = crate::runs::Placement {
            host: "db1".parse().unwrap(),
            mount_point: "/new".parse().unwrap(),
            read_write: true,
            array: "lab".parse().unwrap(),
            initiator: initiator("db1"),
            fabric: "loop".into(),
        };
        let procedure = AnyProcedure::Provision(Provision {
            to,
            pool: "p".into(),
            size_bytes: 1,
            volume_name: name.into(),
            thin: true,
            file_system: sanfleet_protocol::FileSystemKind::Ext4,
            label: sanfleet_protocol::Label::new(sanfleet_protocol::FileSystemKind::Ext4, "").unwrap(),
            uuid: sanfleet_protocol::FileSystemId::new(Uuid::nil()),
            persist: false,
        });
        let created = v1::RunCreated { procedure: Some((&procedure).into()), parent: String::new() };
        let entry = v1::journal_record::Entry::Created(created);
        let record = v1::JournalRecord { entry: Some(entry), ..Default::default() };
        let mut progress = crate::runs::Progress::begin(run(9), 1, &record, |_| Vec::new()).unwrap();
        progress.state = state;
        let mut minted = MintedVolumes::default();
        minted.learn(&progress, &procedure);
        self.snapshot.runs.minted = Arc::new(minted);
    }

    fn works_at(&mut self, host: &str, at: &str) {
        let place = Place { host: host.parse().unwrap(), mount_point: at.parse::<MountPoint>().unwrap() };
        self.snapshot.runs.open.push(OpenRun {
            run: run(8),
            procedure: "backup detach",
            owner: "c1".into(),
            paused: false,
            last_at_unix_ms: self.snapshot.now_unix_ms,
            places: vec![place],
        });
    }

    /// Looks after so many seconds, at hosts and arrays that have just been heard.
    fn look(&mut self, after_s: i64) -> Changes {
        self.snapshot.now_unix_ms += after_s * 1_000;
        let now = self.snapshot.now_unix_ms;
        self.state().begun_unix_ms = now;
        for (_, record) in &mut self.snapshot.hosts {
            record.confirmed_unix_ms = now;
        }
        self.look_at_what_is_known()
    }

    fn look_at_what_is_known(&mut self) -> Changes {
        let conditions = examine(&self.snapshot);
        self.ledger.look(conditions, self.snapshot.now_unix_ms, &LIMITS)
    }

    fn codes(&self) -> Vec<String> {
        let found = self.ledger.findings(&Filter::default());
        let mut codes: Vec<String> = found.into_iter().map(|(finding, _)| finding.code).collect();
        codes.sort();
        codes
    }

    /// What is found once everything has been as it is for long enough.
    fn settled(&mut self) -> Vec<String> {
        self.look(5);
        self.look(31);
        self.codes()
    }

    fn fix(&self) -> Option<AnyProcedure> {
        let found = self.ledger.findings(&Filter::default());
        found.into_iter().find_map(|(_, fix)| fix.map(|fix| fix.procedure.clone()))
    }
}

#[test]
fn a_fleet_in_which_everything_fits_has_no_findings() {
    assert!(World::new().settled().is_empty());
}

#[test]
fn what_does_not_fit_is_a_finding_after_two_looks_and_the_time_of_grace_and_gone_when_it_is() {
    let mut world = World::new();
    world.lacks("v1");
    assert_eq!(world.look(0), Changes { awaited: Default::default(), ..Changes::default() });
    assert!(world.look(29).raised.is_empty(), "within the time of grace");
    let raised = world.look(2).raised;
    assert_eq!(raised[0].code, "SF-D009");
    assert_eq!(raised[0].since_unix_ms, START);
    assert!(world.look(5).raised.is_empty(), "told once");
    world.holds(volume("v1", id(1), &["db1"]), Some("sanfleet-db1"));
    assert_eq!(world.look(5).cleared[0].code, "SF-D009");
    assert!(world.look(5).cleared.is_empty());
}

#[test]
fn one_look_after_a_long_time_is_not_enough() {
    let mut world = World::new();
    world.lacks("v1");
    assert!(world.look(10_000).raised.is_empty());
}

#[test]
fn a_listing_that_is_older_than_the_suspicion_proves_nothing_and_is_asked_for_again() {
    let mut world = World::new();
    world.look(0);
    world.lacks("v1");
    for _ in 0..5 {
        world.snapshot.now_unix_ms += 60_000;
        let changes = world.look_at_what_is_known();
        assert!(changes.raised.is_empty());
        assert_eq!(changes.awaited, ["lab".parse().unwrap()].into());
    }
    assert_eq!(world.look(1).raised.len(), 1);
}

#[test]
fn a_copy_of_a_run_that_was_undone_is_an_orphan_and_may_be_deleted() {
    let mut world = World::new();
    world.mints("name-v2", v1::RunState::Undone);
    world.holds(volume("v2", id(2), &[]), None);
    assert_eq!(world.settled(), ["SF-D001"]);
    assert!(
        matches!(world.fix(), Some(AnyProcedure::Repair(crate::runs::Repair::DeleteCopy(copy))) if copy.id == id(2))
    );
}

#[test]
fn a_copy_whose_run_is_under_way_or_stuck_is_no_orphan() {
    for state in [v1::RunState::Running, v1::RunState::Undoing, v1::RunState::Stuck] {
        let mut world = World::new();
        world.mints("name-v2", state);
        world.holds(volume("v2", id(2), &[]), None);
        assert!(world.settled().is_empty(), "{state:?}");
    }
}

#[test]
fn an_orphan_that_somebody_sees_or_whose_run_succeeded_is_not_deleted() {
    let mut world = World::new();
    world.mints("name-v2", v1::RunState::Succeeded);
    world.holds(volume("v2", id(2), &[]), None);
    assert_eq!(world.settled(), ["SF-D001"]);
    assert_eq!(world.fix(), None);

    let mut world = World::new();
    world.mints("name-v2", v1::RunState::Undone);
    world.holds(volume("v2", id(2), &["web1"]), Some("by-hand"));
    assert_eq!(world.settled(), ["SF-D001"]);
    assert_eq!(world.fix(), None);
}

#[test]
fn a_volume_of_a_name_that_no_run_minted_is_nobodys_business() {
    let mut world = World::new();
    world.mints("sanfleet-db1-000000000009", v1::RunState::Undone);
    world.holds(volume("v2", id(2), &[]), None);
    assert!(world.settled().is_empty());
}

#[test]
fn a_volume_in_a_group_of_ours_that_nothing_accounts_for_is_an_orphan_mapping() {
    let mut world = World::new();
    world.holds(volume("v2", id(2), &["web1"]), Some("sanfleet-web1"));
    assert_eq!(world.settled(), ["SF-D002"]);
    let Some(AnyProcedure::Repair(crate::runs::Repair::Unmask { host, initiators, .. })) = world.fix() else {
        panic!("no fix")
    };
    assert_eq!((host.as_str(), initiators), ("web1", vec![initiator("web1")]));
}

#[test]
fn a_mapping_through_somebody_elses_group_or_of_a_host_with_a_run_is_none() {
    let mut world = World::new();
    world.holds(volume("v2", id(2), &["web1"]), Some("by-hand"));
    assert!(world.settled().is_empty());

    let mut world = World::new();
    world.holds(volume("v2", id(2), &["web1"]), Some("sanfleet-web1"));
    world.works_at("web1", "/copy");
    assert!(world.settled().is_empty());
}

#[test]
fn an_orphan_mapping_whose_volume_is_mounted_stays() {
    let mut world = World::new();
    world.holds(volume("v2", id(2), &["web1"]), Some("sanfleet-web1"));
    world.reports(with(report("web1"), &id(2), Some(("/mnt", true))));
    assert_eq!(world.settled(), ["SF-D002"]);
    assert_eq!(world.fix(), None);
}

#[test]
fn a_device_whose_volume_is_shown_to_others_only_was_left_behind() {
    let mut world = World::new();
    world.holds(volume("v2", id(2), &["db1"]), Some("by-hand"));
    world.reports(with(report("web1"), &id(2), None));
    assert_eq!(world.settled(), ["SF-D003"]);
    assert!(
        matches!(world.fix(), Some(AnyProcedure::Repair(crate::runs::Repair::Detach { host, .. })) if host.as_str() == "web1")
    );
    world.reports(report("web1"));
    assert_eq!(world.look(5).cleared.len(), 1);
}

#[test]
fn a_device_is_not_left_behind_where_the_array_tells_no_mappings_or_shows_it_to_strangers() {
    let mut world = World::new();
    world.holds(volume("v2", id(2), &[]), None);
    world.reports(with(report("web1"), &id(2), None));
    world.state().facts = Arc::default();
    assert!(world.settled().is_empty());

    let mut world = World::new();
    world.holds(volume("v2", id(2), &["stranger"]), None);
    world.reports(with(report("web1"), &id(2), None));
    assert_eq!(world.settled(), ["SF-D007"]);
}

#[test]
fn two_hosts_that_may_write_to_one_volume_are_a_finding_and_a_reader_is_none() {
    let mut world = World::new();
    world.holds(volume("v1", id(1), &["db1", "web1"]), Some("by-hand"));
    world.reports(with(report("web1"), &id(1), Some(("/mnt", true))));
    assert!(world.settled().is_empty());
    world.reports(with(report("web1"), &id(1), Some(("/mnt", false))));
    assert_eq!(world.settled(), ["SF-D004"]);
}

#[test]
fn a_writer_through_a_partition_or_a_stack_of_devices_is_one_too() {
    let mut world = World::new();
    world.holds(volume("v1", id(1), &["db1", "web1"]), Some("by-hand"));
    let mut stacked = with(report("web1"), &id(1), None);
    let slaves = vec!["sd1".to_owned()];
    stacked.devices.push(v1::BlockDevice { name: "dm-0".into(), major: 253, slaves, ..Default::default() });
    stacked.mounts.push(v1::Mount { mount_point: "/mnt".into(), major: 253, ..Default::default() });
    world.reports(stacked);
    assert_eq!(world.settled(), ["SF-D004"]);
}

#[test]
fn hosts_with_one_initiator_or_one_machine_id_are_findings_and_agents_under_one_kernel_are_not() {
    let mut world = World::new();
    let mut clone = report("web1");
    clone.initiators = report("db1").initiators;
    world.reports(clone);
    assert_eq!(world.settled(), ["SF-D005"]);

    let mut world = World::new();
    let clone = v1::HostReport { facts: report("db1").facts, ..report("web1") };
    world.reports(clone.clone());
    assert_eq!(world.settled(), ["SF-D006"]);
    world.reports(v1::HostReport { boot_id: report("db1").boot_id, ..clone });
    assert_eq!(world.look(5).cleared.len(), 1);
}

#[test]
fn an_initiator_of_nobody_is_worth_knowing_and_in_a_group_of_ours_a_warning() {
    let severity = |group: &str| {
        let mut world = World::new();
        world.holds(volume("v2", id(2), &["gone"]), Some(group));
        assert_eq!(world.settled(), ["SF-D007"]);
        world.ledger.findings(&Filter::default())[0].0.severity()
    };
    assert_eq!(severity("by-hand"), FindingSeverity::Info);
    assert_eq!(severity("sanfleet-gone"), FindingSeverity::Warning);
}

#[test]
fn an_attachment_that_is_not_mounted_or_is_another_volume_is_a_finding_unless_a_run_works_there() {
    let mut world = World::new();
    world.reports(with(report("db1"), &id(1), None));
    assert_eq!(world.settled(), ["SF-D008"]);
    world.works_at("db1", "/data");
    assert_eq!(world.look(5).cleared.len(), 1);

    let mut world = World::new();
    world.reports(with(report("db1"), &id(50), Some(("/data", false))));
    assert_eq!(world.settled(), ["SF-D008"]);
}

#[test]
fn an_attachment_that_its_array_shows_to_its_host_no_more_is_a_finding() {
    let mut world = World::new();
    world.holds(volume("v1", id(1), &[]), None);
    // The device that is still there is one of its own.
    assert_eq!(world.settled(), ["SF-D003", "SF-D010"]);
}

#[test]
fn a_run_is_without_progress_when_it_and_its_parts_are_silent_and_not_while_it_is_paused() {
    let mut world = World::new();
    world.works_at("web1", "/copy");
    world.look(590);
    world.look(31);
    assert!(world.codes().is_empty());
    assert_eq!(world.settled(), ["SF-D011"]);
    world.snapshot.runs.open[0].paused = true;
    assert_eq!(world.look(5).cleared.len(), 1);
}

#[test]
fn a_stuck_run_is_a_finding_with_its_reason() {
    let mut world = World::new();
    let (error, procedure) = ("umount: busy".to_owned(), "backup attach");
    world.snapshot.runs.stuck = vec![StuckRun { run: run(3), procedure, error, since_unix_ms: 5 }];
    assert_eq!(world.settled(), ["SF-D012"]);
    let (finding, _) = world.ledger.findings(&Filter::default()).remove(0);
    assert_eq!((finding.since_unix_ms, finding.evidence), (5, vec!["umount: busy".to_owned()]));
}

#[test]
fn an_expired_attachment_is_a_finding_when_it_is_still_there_and_nobody_takes_it_down() {
    let mut world = World::new();
    world.snapshot.runs.attachments[0].expires_at_unix_ms = START + 3_600_000;
    assert!(world.settled().is_empty());
    world.snapshot.runs.attachments[0].expires_at_unix_ms = START;
    assert_eq!(world.settled(), ["SF-D013"]);
    assert!(matches!(world.fix(), Some(AnyProcedure::BackupDetach(_))));
    world.works_at("db1", "/data");
    assert_eq!(world.look(5).cleared.len(), 1);
}

#[test]
fn hosts_and_arrays_that_are_away_are_one_finding_each_while_something_is_attached() {
    let mut world = World::new();
    world.snapshot.hosts.iter_mut().for_each(|(_, record)| record.online = false);
    world.snapshot.arrays[0].error = Some("no route".into());
    assert_eq!(world.settled(), ["SF-D014", "SF-D015"]);
    world.snapshot.runs.attachments.clear();
    world.lacks("v1");
    assert_eq!(world.look(5).cleared.len(), 2);
}

#[test]
fn who_reports_in_a_hosts_name_and_is_another_is_an_error_for_as_long_as_he_goes_on() {
    let mut world = World::new();
    let now = world.snapshot.now_unix_ms;
    world.snapshot.hosts[0].1.dispute = Some(Dispute { key: None, at_unix_ms: now });
    assert_eq!(world.settled(), ["SF-D017"]);
    world.snapshot.now_unix_ms += 60 * 60 * 1_000;
    assert_eq!(world.look(5).cleared.len(), 1);
}

#[test]
fn two_machines_under_one_name_are_an_error() {
    let mut world = World::new();
    let starts = &mut world.snapshot.hosts[0].1.starts;
    ["one", "other", "one"].iter().for_each(|start| starts.saw(start, START));
    assert_eq!(world.settled(), ["SF-D018"]);
    world.snapshot.hosts[0].1.starts = Starts::default();
    assert_eq!(world.look(5).cleared.len(), 1);
}

#[test]
fn two_volumes_with_one_id_are_a_finding_that_names_both() {
    let mut world = World::new();
    world.holds(volume("v9", id(1), &["db1"]), Some("by-hand"));
    let codes = world.settled();
    assert!(codes.contains(&"SF-D016".to_owned()), "{codes:?}");
}

#[test]
fn a_filter_leaves_what_all_of_it_fits() {
    let mut world = World::new();
    world.holds(volume("v2", id(2), &["web1"]), Some("sanfleet-web1"));
    world.settled();
    let found = |filter: Filter| world.ledger.findings(&filter).len();
    let host = |name: &str| Some(name.parse().unwrap());
    assert_eq!(found(Filter { host: host("web1"), ..Filter::default() }), 1);
    assert_eq!(found(Filter { host: host("db1"), ..Filter::default() }), 0);
    assert_eq!(found(Filter { array: Some("lab".parse().unwrap()), ..Filter::default() }), 1);
    assert_eq!(found(Filter { code: Some(FindingCode::OrphanCopy), ..Filter::default() }), 0);
}

/// So many hosts, each with twenty devices that are volumes of its own.
fn fleet_of(hosts: u32) -> World {
    let number = |host: u32, device: u32| {
        let n = (host * 20 + device).to_be_bytes();
        VolumeId::naa(&[0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 1, n[0], n[1], n[2], n[3]]).unwrap()
    };
    let mut world = World::new();
    let mut volumes = BTreeMap::new();
    for host in 0..hosts {
        let name = format!("h{host}");
        let mut said = report(&name);
        for device in 0..20 {
            said = with(said, &number(host, device), Some((&format!("/m{device}"), false)));
            let one = volume(&format!("{host}-{device}"), number(host, device), &[&name]);
            volumes.insert(one.key.volume.clone(), one);
        }
        world.snapshot.hosts.push(record(said));
    }
    world.state().volumes.extend(volumes);
    world
}

/// The quickest of a few looks: of the others something else was in the way.
fn look_takes(world: &World) -> Duration {
    let look = |_| {
        let begun = std::time::Instant::now();
        assert!(examine(&world.snapshot).is_empty());
        begun.elapsed()
    };
    (0..5).map(look).min().unwrap()
}

#[test]
fn a_look_takes_as_much_longer_as_the_fleet_is_larger_and_no_more() {
    let (small, large) = (look_takes(&fleet_of(250)), look_takes(&fleet_of(1_000)));
    assert!(large < small * 12, "four times the hosts: {small:?}, then {large:?}");
}
