use std::{collections::BTreeMap, sync::Arc};

use sanfleet_driver::{SystemId, TargetPort, TargetPortId, VolumeKey};
use sanfleet_protocol::{QuiesceBy, VolumeId};
use uuid::Uuid;

use super::{
    backup_attach::{Wanted, Way},
    *,
};
use crate::{
    catalog::{ArrayFacts, ArrayState, HostNotes, Trouble, VolumeRecord},
    runs::BackupAttach,
};

/// db1 has volume v1 of array lab mounted at /data; backup1 has nothing.
struct World {
    catalog: Catalog,
}

fn id(n: u8) -> VolumeId {
    VolumeId::naa(&[0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]).unwrap()
}

fn way(from: &str, to: &str) -> Way {
    Way { from: from.parse().unwrap(), to: to.parse().unwrap() }
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
            target: "backup1".parse().unwrap(),
            main: way("/data", "/mnt/copy"),
            also: Vec::new(),
            quiesce: QuiesceBy::Fsfreeze,
            read_write: false,
            name: None,
            dead_man_ms: 0,
            verify: false,
            expires_at_unix_ms: 0,
        };
        change(&mut wanted);
        backup_attach::plan(&self.catalog, wanted, RunId::new(Uuid::from_u128(0xabc)))
    }
}

#[test]
fn a_plan_names_the_volume_the_way_to_it_and_an_undo_for_every_step() {
    let (params, plan) = World::new().plan(|_| ()).unwrap();
    let resolved = &params.main.resolved;
    assert_eq!(resolved.array, "lab");
    assert_eq!(resolved.volume, "v1");
    assert_eq!(resolved.volume_id, id(1).to_string());
    assert_eq!(resolved.initiator, "iqn.2026-11.example:backup1");
    assert_eq!(params.main.name, "sanfleet-db1-000000000abc");
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["resolve", "copy", "mask", "attach", "mount"]);
    assert!(plan.steps.iter().all(|step| !step.undo.is_empty() && !step.what.is_empty()));
}

/// db1's application is on a logical volume, and that on the second partition of v1.
fn with_layers() -> World {
    let mut world = World::new();
    let mut stacked =
        report("db1", &[("sda", id(1), None), ("sda2", id(1), None), ("dm-0", id(1), Some("/data"))]);
    stacked.generation = 2;
    let [disk, part, map] = stacked.devices.as_mut_slice() else { panic!("three devices") };
    disk.holders = vec!["dm-0".into()];
    (part.parent, part.partition, part.volume_ids) = ("sda".into(), 2, Vec::new());
    part.set_kind(v1::DeviceKind::Partition);
    (map.volume_group, map.logical_volume, map.slaves) = ("vg".into(), "data".into(), vec!["sda2".into()]);
    map.volume_ids = Vec::new();
    map.file_system = Some(v1::FileSystem { r#type: "xfs".into(), ..Default::default() });
    world.host(stacked);
    world
}

#[test]
fn what_lies_between_a_volume_and_its_file_system_is_planned_for_and_stays_in_the_journal() {
    let (params, plan) = with_layers().plan(|_| ()).unwrap();
    assert_eq!(params.main.resolved.volume, "v1");
    assert_eq!(params.main.layers.to_string(), "logical volume vg/data on partition 2");
    let mount = plan.steps.iter().find(|step| step.name == "mount").unwrap();
    assert!(mount.what.contains("logical volume vg/data on partition 2 of sanfleet-db1"), "{}", mount.what);
    assert_eq!(BackupAttach::from_message(&params.to_message()).unwrap(), params);
}

#[test]
fn what_lies_between_is_copied_and_not_grown() {
    let world = with_layers();
    let at = Source::At("db1".parse().unwrap(), "/data".parse().unwrap());
    let content = volume::find_content(&world.catalog, &at).unwrap();
    assert_eq!((content.file_system.r#type.as_str(), content.layers.is_none()), ("xfs", false));
    let refused = volume_resize::plan(&world.catalog, &at, 2 << 30).unwrap_err();
    assert!(matches!(refused, PlanError::Layered { .. }), "{refused}");
    let users = volume::mounts(&world.catalog, content.volume);
    assert_eq!(users, [("db1".parse().unwrap(), "/data".to_owned())], "it is used by what rests on it");
}

/// The log of db1's application is on another array.
fn with_a_log() -> World {
    let mut world = World::new();
    let mut more = report("db1", &[("loop1", id(1), Some("/data")), ("loop2", id(2), Some("/log"))]);
    more.generation = 2;
    world.host(more);
    world.array("other", &[("w2", id(2))]);
    world
}

#[test]
fn several_volumes_are_copied_in_one_step_and_each_has_a_way_of_its_own() {
    let (params, plan) = with_a_log().plan(|w| w.also = vec![way("/log", "/mnt/copy/log")]).unwrap();
    let copies: Vec<(&str, &str, &str)> = params
        .copies()
        .map(|one| (one.to.array.as_str(), one.to.mount_point.as_str(), one.name.as_str()))
        .collect();
    assert_eq!(
        copies,
        [
            ("lab", "/mnt/copy", "sanfleet-db1-000000000abc"),
            ("other", "/mnt/copy/log", "sanfleet-db1-000000000abc-2")
        ]
    );
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["resolve", "resolve", "copy", "mask", "mask", "attach", "attach", "mount", "mount"]);
    assert_eq!(plan.steps[2].on, "lab, other");
    assert!(plan.steps[2].what.starts_with("freeze the file systems, clone v1 "), "{}", plan.steps[2].what);
    assert_eq!(params.arrays().len(), 2);
    let again = BackupAttach::from_message(&params.to_message()).unwrap();
    assert_eq!(again, params);
}

#[test]
fn several_volumes_that_are_not_several_or_not_held_together_are_refused() {
    let world = with_a_log();
    let error = |change: fn(&mut Wanted)| world.plan(change).unwrap_err().to_string();
    assert_eq!(error(|w| w.also = vec![way("/data", "/mnt/b")]), "db1:/data is named twice");
    assert_eq!(error(|w| w.also = vec![way("/log", "/mnt/copy")]), "backup1:/mnt/copy is named twice");
    assert!(error(|w| w.also = vec![way("/log", "/mnt/b"); 16]).starts_with("17 volumes are more than"));
    let none = |w: &mut Wanted| {
        w.quiesce = QuiesceBy::None;
        w.also = vec![way("/log", "/mnt/b")];
    };
    assert_eq!(world.plan(none), Err(PlanError::NotHeldTogether));
    let long = |w: &mut Wanted| {
        w.name = Some("n".repeat(62));
        w.also = vec![way("/log", "/mnt/b")];
    };
    assert!(matches!(world.plan(long), Err(PlanError::BadName { .. })));
}

#[test]
fn a_hook_is_planned_by_its_name_and_stays_it_in_the_journal() {
    let hook = QuiesceBy::Hook("shop".parse().unwrap());
    let (params, plan) = World::new().plan(|w| w.quiesce = hook.clone()).unwrap();
    assert!(plan.steps[1].what.starts_with("run hook shop and freeze the file system, clone"), "{plan:?}");
    assert_eq!(BackupAttach::from_message(&params.to_message()).unwrap().quiesce, hook);
}

#[test]
fn the_first_of_several_copies_stands_for_all_and_another_for_itself() {
    let copy = |id: &str, at: &str| v1::Attachment {
        id: id.into(),
        mount_point: at.into(),
        procedure: BackupAttach::NAME.into(),
        ..attached().record
    };
    let run = "01990000-0000-7000-8000-0123456789ab";
    let all = [copy(run, "/copy"), copy(&format!("{run}-2"), "/log"), copy(&format!("{run}-3"), "/more")];
    let chosen = |which: &Which| {
        let chosen = backup_detach::choose(all.to_vec(), which).unwrap();
        chosen.into_iter().map(|one| one.mount_point).collect::<Vec<_>>()
    };
    let by_id = |text: &str| chosen(&Which::Id(text.into()));
    for whole in [run, "01990000", "0123456789ab"] {
        assert_eq!(by_id(whole), ["/copy", "/log", "/more"], "{whole}");
    }
    assert_eq!(by_id(&format!("{run}-2")), ["/log"]);
    let at = |mount_point: &str| Which::At { host: attached().record.host, mount_point: mount_point.into() };
    assert_eq!(chosen(&at("/copy")).len(), 3);
    assert_eq!(chosen(&at("/more")), ["/more"]);
}

#[test]
fn wrong_input_is_one_clear_error() {
    let world = World::new();
    let error = |change: fn(&mut Wanted)| world.plan(change).unwrap_err().to_string();
    assert_eq!(error(|w| w.source = "nix".parse().unwrap()), "no host is named nix");
    assert_eq!(error(|w| w.target = "nix".parse().unwrap()), "no host is named nix");
    assert_eq!(error(|w| w.main.from = "/srv".parse().unwrap()), "nothing is mounted at db1:/srv");
    assert_eq!(
        error(|w| w.main.from = "/local".parse().unwrap()),
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
fn a_device_may_be_of_an_array_that_was_not_listed_yet() {
    let mut world = World::new();
    let (uri, kind) = ("sim://".to_owned(), "sim".to_owned());
    world.catalog.add_array(ArrayRecord::new("new".parse().unwrap(), uri, kind, 0));
    let error = world.plan(|w| w.main.from = "/local".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), v1::api_error::Kind::Unavailable);
    assert_eq!(
        error.to_string(),
        "db1:/local is on device loop2, which is no volume of the arrays that were listed so far; not yet: new"
    );
}

#[test]
fn with_a_host_that_is_two_machines_nothing_is_planned() {
    let mut world = World::new();
    for (generation, boot_id) in [(2, "one"), (3, "other"), (4, "one")] {
        world.host(v1::HostReport { boot_id: boot_id.into(), generation, ..report("backup1", &[]) });
    }
    assert_eq!(world.plan(|_| ()).unwrap_err(), PlanError::TwoMachines { host: "backup1".parse().unwrap() });
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
    use attachment::choose;
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
fn an_attachment_that_is_no_copy_is_taken_down_but_not_deleted() {
    let attachment = v1::Attachment {
        id: "0199-aa".into(),
        host: "db1".into(),
        mount_point: "/data".into(),
        array: "lab".into(),
        volume_id: id(1).to_string(),
        procedure: "provision".into(),
        ..Default::default()
    };
    let which = Which::Id("0199-aa".into());
    let copy = backup_detach::choose(vec![attachment.clone()], &which);
    assert!(matches!(copy, Err(PlanError::NoCopy { what, .. }) if what == "provision"));
    let what = attachment::choose(vec![attachment], &which).unwrap().try_into().unwrap();
    let plan = volume_detach::describe(&crate::runs::VolumeDetach { what });
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["unmount", "forget", "detach", "unmask"]);
}

#[test]
fn a_volume_is_deleted_only_when_nobody_sees_it() {
    let mut world = World::new();
    world.array("lab", &[("v1", id(1)), ("v2", id(2))]);
    let delete = |world: &World, volume: &str| {
        volume_delete::plan(&world.catalog, &Source::Volume("lab".parse().unwrap(), volume.into()))
    };
    let users = match delete(&world, "v1").unwrap_err() {
        PlanError::VolumeUsed { users, .. } => users,
        other => panic!("{other}"),
    };
    assert_eq!(users, ["host db1 has it mounted at /data"]);
    let (params, plan) = delete(&world, "name-v2").unwrap();
    assert_eq!((params.volume.key(), &params.volume.id), ("v2", &id(2)));
    assert_eq!(plan.steps.last().unwrap().effect, "-");
    world.host(v1::HostReport { generation: 2, ..report("backup1", &[("loop5", id(2), None)]) });
    assert!(
        matches!(delete(&world, "v2"), Err(PlanError::VolumeUsed { users, .. }) if users == ["host backup1 sees it as loop5"])
    );
    assert!(matches!(delete(&world, "v3"), Err(PlanError::UnknownVolume { .. })));
}

/// Volume v1, where db1 has it.
fn attached() -> crate::runs::Attached {
    let record = v1::Attachment {
        id: "0199-aa".into(),
        host: "db1".into(),
        mount_point: "/data".into(),
        read_write: true,
        array: "lab".into(),
        volume: "v1".into(),
        volume_id: id(1).to_string(),
        volume_name: "name-v1".into(),
        ..Default::default()
    };
    record.try_into().unwrap()
}

#[test]
fn a_volume_grows_wherever_it_is_seen_and_never_shrinks() {
    let mut world = World::new();
    let resize = |world: &World, size_bytes| {
        let wanted = Source::At("db1".parse().unwrap(), "/data".parse().unwrap());
        volume_resize::plan(&world.catalog, &wanted, size_bytes)
    };
    let (params, plan) = resize(&world, 3 << 30).unwrap();
    assert_eq!(plan.size_bytes, 2 << 30);
    let at = params.hosts[0].mount_point.as_ref().map(MountPoint::as_str);
    assert_eq!((params.hosts[0].host.as_str(), at), ("db1", Some("/data")));
    assert!(matches!(resize(&world, 1), Err(PlanError::Shrinks { now, .. }) if now == 1 << 30));
    assert!(resize(&world, 1 << 30).is_ok(), "what an earlier run left behind is finished");

    world.host(report("web1", &[("loop7", id(1), None)]));
    let (params, plan) = resize(&world, 3 << 30).unwrap();
    assert_eq!((params.hosts.len(), plan.warnings.len()), (2, 1));
    world.catalog.lost(&"web1".parse().unwrap());
    assert!(
        matches!(resize(&world, 3 << 30), Err(PlanError::HostOffline { host }) if host.as_str() == "web1")
    );
}

#[test]
fn a_volume_moves_only_when_its_old_host_can_let_go_of_it_and_nobody_else_has_it() {
    let mut world = World::new();
    let move_to = |world: &World, host: &str| {
        let (to, at) = (host.parse().unwrap(), "/new".parse().unwrap());
        volume_move::plan(&world.catalog, attached(), &to, &at, &Occupied::default())
    };
    let (params, plan) = move_to(&world, "backup1").unwrap();
    assert_eq!(params.from.initiator.to_string(), "iqn.2026-11.example:db1");
    assert_eq!(params.to.initiator.to_string(), "iqn.2026-11.example:backup1");
    assert!(params.to.read_write);
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["check", "unmount", "forget", "detach", "unmask", "clean", "mask", "attach", "mount"]);
    assert!(matches!(move_to(&world, "db1"), Err(PlanError::SameHost { .. })));

    world.catalog.note(&"backup1".parse().unwrap(), HostNotes { cordoned: true, ..Default::default() });
    assert!(matches!(move_to(&world, "backup1"), Err(PlanError::Cordoned { .. })));
    world.catalog.note(&"backup1".parse().unwrap(), HostNotes::default());

    world.host(report("web1", &[("loop7", id(1), Some("/too"))]));
    assert!(matches!(
        move_to(&world, "backup1"),
        Err(PlanError::VolumeUsed { users, .. }) if users == ["host web1 has it mounted at /too"]
    ));
    world.catalog.lost(&"db1".parse().unwrap());
    assert!(
        matches!(move_to(&world, "backup1"), Err(PlanError::HostOffline { host }) if host.as_str() == "db1")
    );
}

#[test]
fn only_what_is_masked_to_its_host_is_adopted() {
    let world = World::new();
    let (host, at) = ("db1".parse().unwrap(), "/data".parse().unwrap());
    let adopted = adopt::plan(&world.catalog, &host, &at, &Occupied::default());
    assert!(matches!(adopted, Err(PlanError::NotMasked { volume, .. }) if volume == "name-v1"));
    let taken = Occupied([((host.clone(), at.clone()), "attachment 0199".to_owned())].into());
    let adopted = adopt::plan(&world.catalog, &host, &at, &taken);
    assert!(matches!(adopted, Err(PlanError::TargetTaken { by, .. }) if by == "attachment 0199"));
}

#[test]
fn a_host_with_volumes_that_nobody_accounts_for_does_not_retire() {
    let world = World::new();
    let retire = |attachments| host_retire::plan(&world.catalog, &"db1".parse().unwrap(), attachments);
    assert!(matches!(retire(Vec::new()), Err(PlanError::NotAccounted { what, .. }) if what == ["db1:/data"]));
    let (params, plan) = retire(vec![attached()]).unwrap();
    assert_eq!((params.parts(), params.arrays.len(), plan.hosts.len()), (1, 1, 1));
    assert_eq!(plan.hosts[0].what, "name-v1 at /data; the volume stays");
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

/// The fabric and the initiator by which a host reaches an array with ports of these kinds.
fn way_over(ports: &[PortType], fabrics: &[&str]) -> Result<(String, String), PlanError> {
    let host: HostId = "db1".parse().unwrap();
    let report = v1::HostReport {
        initiators: vec![IQN.into(), WWPN.into(), "20:00:00:00:c9:95:2f:de".into()],
        fabrics: fabrics.iter().map(|fabric| (*fabric).to_owned()).collect(),
        ..report("db1", &[])
    };
    let inventory = Inventory::from_report(&host, report).unwrap();
    let target_ports = ports.iter().map(|kind| port(*kind)).collect();
    let facts = Arc::new(ArrayFacts { target_ports, ..Default::default() });
    let mut array = ArrayRecord::new("lab".parse().unwrap(), "other://".into(), "other".into(), 0);
    array.state = Some(Arc::new(ArrayState { facts, ..Default::default() }));
    let (fabric, initiator) = way_to(&Catalog::default(), &host, &inventory, &array)?;
    Ok((fabric, initiator.to_string()))
}

const IQN: &str = "iqn.2026-11.example:db1";
const WWPN: &str = "10:00:00:00:c9:95:2f:de";

fn port(port_type: PortType) -> TargetPort {
    TargetPort {
        id: TargetPortId::new("p"),
        port_type,
        service_address: String::new(),
        network_address: String::new(),
        physical_address: String::new(),
        physical_name: String::new(),
        system_id: SystemId::new("s"),
        plugin_data: None,
    }
}

#[test]
fn an_array_is_reached_over_a_fabric_that_both_are_on_by_the_initiator_of_its_kind() {
    let way = |fabric: &str, initiator: &str| Ok((fabric.to_owned(), initiator.to_owned()));
    let all = ["loop", "iscsi", "fc"];
    assert_eq!(way_over(&[PortType::FC], &all), way("fc", WWPN));
    assert_eq!(way_over(&[PortType::FCOE], &all), way("fc", WWPN));
    assert_eq!(way_over(&[PortType::ISCSI], &all), way("iscsi", IQN));
    assert_eq!(way_over(&[PortType::FC, PortType::ISCSI], &all), way("iscsi", IQN), "as it was before fc");
    assert_eq!(way_over(&[PortType::FC, PortType::ISCSI], &["fc"]), way("fc", WWPN));
    assert_eq!(way_over(&[], &all), way("iscsi", IQN), "it tells of no ports");
}

#[test]
fn an_array_on_no_fabric_of_the_hosts_is_not_planned_with() {
    for (ports, fabrics) in [
        (&[PortType::FC][..], &["iscsi"][..]),
        (&[PortType::ISCSI], &["fc"]),
        (&[], &["fc"]),
        (&[PortType::FC], &[]),
    ] {
        let error = way_over(ports, fabrics).unwrap_err();
        assert!(matches!(error, PlanError::NoFabric { .. }), "{error}");
    }
}
