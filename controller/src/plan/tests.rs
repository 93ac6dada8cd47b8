use std::{collections::BTreeMap, sync::Arc};

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{VolumeId, v1::QuiesceMethod};
use uuid::Uuid;

use super::{backup_attach::Wanted, *};
use crate::{
    catalog::{ArrayState, Trouble, VolumeRecord},
    runs::BackupAttach,
};

/// db1 has volume v1 of array lab mounted at /data; backup1 has nothing.
struct World {
    catalog: Catalog,
}

fn id(n: u8) -> VolumeId {
    VolumeId::naa(&[0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]).unwrap()
}

fn report(host: &str, devices: &[(&str, VolumeId, Option<&str>)]) -> v1::HostReport {
    let numbered = || (1u32..).zip(devices);
    v1::HostReport {
        version: 1,
        host: host.into(),
        generation: 1,
        initiators: vec![format!("iqn.2026-11.example:{host}")],
        fabrics: vec!["loop".into()],
        devices: numbered()
            .map(|(minor, (name, id, _))| v1::BlockDevice {
                name: (*name).into(),
                major: 7,
                minor,
                volume_ids: vec![id.to_string()],
                ..Default::default()
            })
            .collect(),
        mounts: numbered()
            .filter_map(|(minor, (_, _, at))| {
                Some(v1::Mount { mount_point: (*at)?.into(), major: 7, minor, ..Default::default() })
            })
            .collect(),
        ..Default::default()
    }
}

impl World {
    fn new() -> Self {
        let mut world = Self { catalog: Catalog::default() };
        world.host(report("db1", &[("loop1", id(1), Some("/data")), ("loop2", id(99), Some("/local"))]));
        world.host(report("backup1", &[]));
        world.array("lab", &[("v1", id(1))]);
        world
    }

    fn host(&mut self, report: v1::HostReport) {
        let host: HostId = report.host.parse().unwrap();
        let inventory = Inventory::from_report(&host, report).unwrap();
        self.catalog.take_report(&host, inventory, 0);
    }

    fn array(&mut self, name: &str, volumes: &[(&str, VolumeId)]) {
        let name: ArrayId = name.parse().unwrap();
        let (uri, kind) = ("sim://".to_owned(), "sim".to_owned());
        self.catalog.add_array(ArrayRecord::new(name.clone(), uri, kind, 0));
        let volumes: BTreeMap<VolumeKey, VolumeRecord> = volumes
            .iter()
            .map(|(key, id)| {
                let volume = VolumeRef { array: name.clone(), volume: VolumeKey::new(*key) };
                let record = VolumeRecord {
                    key: volume,
                    name: format!("name-{key}"),
                    id: Some(id.clone()),
                    size_bytes: 1 << 30,
                    pool: "p1".into(),
                    more_ids: Vec::new(),
                    masked_to: Default::default(),
                };
                (VolumeKey::new(*key), record)
            })
            .collect();
        let state = ArrayState { volumes, ..Default::default() };
        self.catalog.take_listing(&name, Ok(Arc::new(state)), 0);
    }

    fn plan(&self, change: impl FnOnce(&mut Wanted)) -> Result<(BackupAttach, v1::Plan), PlanError> {
        let mut wanted = Wanted {
            source: "db1".parse().unwrap(),
            source_mount: "/data".parse().unwrap(),
            target: "backup1".parse().unwrap(),
            target_mount: "/mnt/copy".parse().unwrap(),
            quiesce: QuiesceMethod::Fsfreeze,
            read_write: false,
            name: None,
            dead_man_ms: 0,
        };
        change(&mut wanted);
        backup_attach::plan(&self.catalog, wanted, RunId::new(Uuid::from_u128(0xabc)))
    }
}

#[test]
fn a_plan_names_the_volume_the_way_to_it_and_an_undo_for_every_step() {
    let (params, plan) = World::new().plan(|_| ()).unwrap();
    assert_eq!(params.resolved.array, "lab");
    assert_eq!(params.resolved.volume, "v1");
    assert_eq!(params.resolved.volume_id, id(1).to_string());
    assert_eq!(params.resolved.initiator, "iqn.2026-11.example:backup1");
    assert_eq!(params.copy_name, "sanfleet-db1-000000000abc");
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["resolve", "copy", "mask", "attach", "mount"]);
    assert!(plan.steps.iter().all(|step| !step.undo.is_empty() && !step.what.is_empty()));
}

#[test]
fn wrong_input_is_one_clear_error() {
    let world = World::new();
    let error = |change: fn(&mut Wanted)| world.plan(change).unwrap_err().to_string();
    assert_eq!(error(|w| w.source = "nix".parse().unwrap()), "no host is named nix");
    assert_eq!(error(|w| w.target = "nix".parse().unwrap()), "no host is named nix");
    assert_eq!(error(|w| w.source_mount = "/srv".parse().unwrap()), "nothing is mounted at db1:/srv");
    assert_eq!(
        error(|w| w.source_mount = "/local".parse().unwrap()),
        "db1:/local is on device loop2, which is no volume of a known array"
    );
    assert_eq!(error(|w| w.target = "db1".parse().unwrap()), "source and target are both host db1");
    assert_eq!(
        error(|w| w.name = Some("name-v1".into())),
        "array lab already has a volume named \"name-v1\""
    );
    assert_eq!(
        error(|w| w.name = Some("a b".into())),
        "volume name \"a b\" holds a character that not every array takes"
    );
    assert_eq!(error(|w| w.dead_man_ms = 1), "dead-man's limit of 1 ms is not between 200 and 60000 ms");
}

#[test]
fn a_host_that_is_offline_is_not_planned_for() {
    let mut world = World::new();
    world.catalog.lost(&"backup1".parse().unwrap());
    assert_eq!(world.plan(|_| ()).unwrap_err(), PlanError::HostOffline { host: "backup1".parse().unwrap() });
}

#[test]
fn one_id_on_two_arrays_stops_the_plan() {
    let mut world = World::new();
    world.array("other", &[("v7", id(1))]);
    assert!(
        matches!(world.plan(|_| ()), Err(PlanError::Ambiguous { claimants, .. }) if claimants.len() == 2)
    );
}

#[test]
fn an_initiator_that_two_hosts_claim_is_masked_to_neither() {
    let mut world = World::new();
    let mut clone = report("web1", &[]);
    clone.initiators = vec!["iqn.2026-11.example:backup1".into()];
    world.host(clone);
    assert!(matches!(world.plan(|_| ()), Err(PlanError::SharedInitiator { .. })));
}

#[test]
fn a_mount_point_that_is_taken_is_refused() {
    let mut world = World::new();
    let mut busy = report("backup1", &[("loop9", id(50), Some("/mnt/copy"))]);
    busy.generation = 2;
    world.host(busy);
    assert!(matches!(world.plan(|_| ()), Err(PlanError::TargetTaken { by, .. }) if by == "device loop9"));
}

#[test]
fn an_array_that_cannot_be_reached_stops_the_plan() {
    let mut world = World::new();
    let trouble = Trouble { error: "driver gone".into(), hint: String::new() };
    world.catalog.take_listing(&"lab".parse().unwrap(), Err(trouble), 1);
    assert_eq!(world.plan(|_| ()).unwrap_err().to_string(), "array lab cannot be reached: driver gone");
}

#[test]
fn a_detach_names_exactly_one_attachment() {
    use backup_detach::{Which, choose};
    let attachment = |id: &str, at: &str| v1::Attachment {
        id: id.into(),
        host: "backup1".into(),
        mount_point: at.into(),
        procedure: "backup attach".into(),
        ..Default::default()
    };
    let all = || vec![attachment("0199-aa", "/a"), attachment("0199-bb", "/b")];
    assert_eq!(choose(all(), &Which::Id("bb".into())).unwrap().mount_point, "/b");
    let at = Which::At { host: "backup1".into(), mount_point: "/a".into() };
    assert_eq!(choose(all(), &at).unwrap().id, "0199-aa");
    assert!(choose(all(), &Which::Id("0199".into())).is_err(), "two fit");
    assert!(choose(all(), &Which::Id(String::new())).is_err(), "nothing was said");
}

#[test]
fn a_second_host_may_not_write_to_a_volume_and_the_refusal_says_where_it_is_written() {
    let world = World::new();
    let refused = |host: &str, n| refuse_second_writer(&world.catalog, &[id(n)], &host.parse().unwrap());
    let error = refused("backup1", 1).unwrap_err();
    assert!(error.to_string().ends_with("it is mounted read-write at db1:/data"), "{error}");
    assert_eq!(refused("db1", 1), Ok(()), "its own mount is no other's");
    assert_eq!(refused("backup1", 2), Ok(()), "nobody has it");
}

#[test]
fn who_only_reads_a_volume_hinders_nobody() {
    let mut world = World::new();
    let mut reader = report("db1", &[("loop1", id(1), Some("/data"))]);
    reader.mounts[0].read_only = true;
    reader.generation = 2;
    world.host(reader);
    assert_eq!(refuse_second_writer(&world.catalog, &[id(1)], &"backup1".parse().unwrap()), Ok(()));
}
