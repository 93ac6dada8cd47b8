//! An array that has one or two of everything, and writes down what it is told to do.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use sanfleet_driver::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

type Answer<T> = Result<T, LsmError>;

/// What the array was told to do, a line each.
pub type Log = Arc<Mutex<Vec<String>>>;

pub const NAA: &str = "60014053fef180bf1000000000000001";

/// Serves the array on a socket until the process ends; each connection is a session of its own.
pub fn serve_on(socket: &Path) -> Log {
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let log = Log::default();
    let shared = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut array = Everything { log: shared.clone() };
            thread::spawn(move || serve(&mut array, stream));
        }
    });
    log
}

struct Everything {
    log: Log,
}

impl Everything {
    fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
}

fn record<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn system() -> System {
    record(json!({"class": "System", "id": "S", "name": "an array", "status": 10, "status_info": "a fan",
        "fw_version": "7.1", "mode": 0, "read_cache_pct": 30}))
}

fn pool(id: &str) -> Pool {
    record(json!({"class": "Pool", "id": id, "name": "pool", "element_type": 100, "unsupported_actions": 2,
        "total_space": 4096, "free_space": 1024, "status": 2, "status_info": "", "system_id": "S"}))
}

fn volume(id: &str, name: &str, blocks: u64) -> Volume {
    record(
        json!({"class": "Volume", "id": id, "name": name, "vpd83": NAA, "block_size": 512, "num_of_blocks": blocks,
        "admin_state": 1, "system_id": "S", "pool_id": "P", "plugin_data": null}),
    )
}

fn disk(id: &str, status: u64) -> Disk {
    record(
        json!({"class": "Disk", "id": id, "name": "disk", "disk_type": 53, "block_size": 512, "num_of_blocks": 8,
        "status": status, "system_id": "S", "vpd83": "", "location": "slot 1", "rpm": 0, "link_type": 6}),
    )
}

fn group(id: &str, initiators: &[&str]) -> AccessGroup {
    record(json!({"class": "AccessGroup", "id": id, "name": "group", "init_ids": initiators, "init_type": 5,
        "system_id": "S"}))
}

fn file_system(id: &str, name: &str, bytes: u64) -> FileSystem {
    record(
        json!({"class": "FileSystem", "id": id, "name": name, "total_space": bytes, "free_space": 512, "pool_id": "P",
        "system_id": "S"}),
    )
}

fn snapshot(name: &str) -> Snapshot {
    record(json!({"class": "FsSnapshot", "id": "N", "name": name, "ts": 1_700_000_000}))
}

#[array_driver]
impl ArrayDriver for Everything {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "everything".into(), version: "3".into() }
    }

    fn plugin_register(&mut self, _uri: &str, password: Option<&str>, timeout: Duration) -> Answer<()> {
        if let Some(password) = password {
            self.note(format!("register {password}"));
        }
        match timeout.as_millis() {
            13 => Err(LsmError::new(ErrorNumber::PermissionDenied, "not you")),
            _ => Ok(()),
        }
    }

    fn variants(&self) -> &[Capability] {
        static ALL: std::sync::LazyLock<Vec<Capability>> = std::sync::LazyLock::new(|| {
            Capability::NAMED.iter().map(|(_, capability)| *capability).collect()
        });
        &ALL
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        Ok(vec![system()])
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        Ok(vec![pool("P"), pool("P2")])
    }

    fn volumes(&mut self, search: Option<&Search>) -> Answer<Vec<Volume>> {
        if let Some(search) = search {
            self.note(format!("search {} {}", search.key, search.value));
        }
        Ok(vec![volume("V", "data", 100), volume("W", "more", 50)])
    }

    fn disks(&mut self, _search: Option<&Search>) -> Answer<Vec<Disk>> {
        Ok(vec![disk("D1", 8194), disk("D2", 8194), disk("D3", 2)])
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        Ok(vec![record(json!({"class": "TargetPort", "id": "T", "port_type": 4, "service_address": "iqn.t",
            "network_address": "10.0.0.1:3260", "physical_address": "00:11", "physical_name": "eth0", "system_id": "S"}))])
    }

    fn batteries(&mut self, _search: Option<&Search>) -> Answer<Vec<Battery>> {
        Ok(vec![record(
            json!({"class": "Battery", "id": "B", "name": "battery", "type": 4, "status": 20, "system_id": "S"}),
        )])
    }

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        Ok(vec![group("A", &["iqn.a", "iqn.b"])])
    }

    fn fs(&mut self, _search: Option<&Search>) -> Answer<Vec<FileSystem>> {
        Ok(vec![file_system("F", "home", 2048)])
    }

    fn exports(&mut self, _search: Option<&Search>) -> Answer<Vec<NfsExport>> {
        Ok(vec![record(
            json!({"class": "NfsExport", "id": "E", "fs_id": "F", "export_path": "/home", "auth": "sys",
            "root": [], "rw": ["a", "b"], "ro": ["c"], "anonuid": -1, "anongid": -1, "options": null}),
        )])
    }

    fn job_status(&mut self, job: &JobId) -> Answer<JobStatus> {
        let status = |state, percent, item| Ok(JobStatus { state, percent, item });
        match job.as_str() {
            "RUNNING" => status(JobState::IN_PROGRESS, 42, None),
            "FAILED" => status(JobState::ERROR, 42, None),
            "VOLUME" => status(JobState::COMPLETE, 100, Some(JobItem::Volume(volume("V", "data", 100)))),
            "FS" => {
                status(JobState::COMPLETE, 100, Some(JobItem::FileSystem(file_system("F", "home", 2048))))
            }
            "SNAPSHOT" => status(JobState::COMPLETE, 100, Some(JobItem::Snapshot(snapshot("before")))),
            "NOTHING" => status(JobState::COMPLETE, 100, None),
            _ => Err(LsmError::new(ErrorNumber::NotFoundJob, "Job not found")),
        }
    }

    fn job_free(&mut self, job: &JobId) -> Answer<()> {
        self.note(format!("free {job}"));
        Ok(())
    }

    fn job_failure(&mut self, _job: &JobId) -> Answer<Option<JobFailure>> {
        Ok(Some(JobFailure { code: ErrorNumber::NotEnoughSpace, message: "the pool is full".into() }))
    }

    fn system_read_cache_pct_update(&mut self, system: &System, read_pct: u8) -> Answer<()> {
        self.note(format!("read cache {} {read_pct}", system.id));
        Ok(())
    }

    fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        size: u64,
        provisioning: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        self.note(format!("create {} {name} {size} {}", pool.id, provisioning.name().unwrap()));
        match name {
            "as-job" => Ok(JobOr::Job(JobId::new("VOLUME"))),
            "fails" => Ok(JobOr::Job(JobId::new("FAILED"))),
            _ => Ok(JobOr::Done(volume("V3", name, size / 512))),
        }
    }

    fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.note(format!("delete {}", volume.id));
        Ok(Some(JobId::new("NOTHING")))
    }

    fn volume_resize(&mut self, v: &Volume, size: u64) -> Answer<JobOr<Volume>> {
        self.note(format!("resize {} {size}", v.id));
        Ok(JobOr::Done(volume("V", "data", size / 512)))
    }

    fn volume_replicate(
        &mut self,
        pool: Option<&Pool>,
        rep_type: ReplicateType,
        source: &Volume,
        name: &str,
    ) -> Answer<JobOr<Volume>> {
        let pool = pool.map_or("-", |pool| pool.id.as_str());
        self.note(format!("replicate {pool} {} {}", rep_type.name().unwrap(), source.id));
        Ok(JobOr::Done(volume("V4", name, 100)))
    }

    fn volume_replicate_range_block_size(&mut self, _system: &System) -> Answer<u64> {
        Ok(512)
    }

    fn volume_replicate_range(
        &mut self,
        rep_type: ReplicateType,
        source: &Volume,
        target: &Volume,
        ranges: &[BlockRange],
    ) -> Answer<Option<JobId>> {
        let ranges: Vec<_> =
            ranges.iter().map(|r| format!("{}>{}+{}", r.src_block, r.dest_block, r.block_count)).collect();
        self.note(format!(
            "range {} {} {} {}",
            rep_type.name().unwrap(),
            source.id,
            target.id,
            ranges.join(" ")
        ));
        Ok(Some(JobId::new("RUNNING")))
    }

    fn volume_enable(&mut self, volume: &Volume) -> Answer<()> {
        self.note(format!("enable {}", volume.id));
        Ok(())
    }

    fn volume_disable(&mut self, volume: &Volume) -> Answer<()> {
        self.note(format!("disable {}", volume.id));
        Ok(())
    }

    fn volume_mask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.note(format!("mask {} {}", group.id, volume.id));
        Ok(())
    }

    fn volume_unmask(&mut self, _group: &AccessGroup, _volume: &Volume) -> Answer<()> {
        let mut error = LsmError::new(ErrorNumber::NoStateChange, "Volume is not masked");
        error.data = Some("table 7".into());
        Err(error)
    }

    fn volumes_accessible_by_access_group(&mut self, _group: &AccessGroup) -> Answer<Vec<Volume>> {
        Ok(vec![volume("W", "more", 50)])
    }

    fn access_groups_granted_to_volume(&mut self, _volume: &Volume) -> Answer<Vec<AccessGroup>> {
        Ok(vec![group("A", &["iqn.a"])])
    }

    fn volume_child_dependency(&mut self, volume: &Volume) -> Answer<bool> {
        Ok(volume.id.as_str() == "V")
    }

    fn volume_child_dependency_rm(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.note(format!("free-standing {}", volume.id));
        Ok(None)
    }

    fn access_group_create(
        &mut self,
        name: &str,
        init_id: &str,
        init_type: InitiatorType,
        system: &System,
    ) -> Answer<AccessGroup> {
        self.note(format!("group {name} {init_id} {} {}", init_type.0, system.id));
        Ok(group("A2", &[init_id]))
    }

    fn access_group_delete(&mut self, group: &AccessGroup) -> Answer<()> {
        self.note(format!("delete group {}", group.id));
        Ok(())
    }

    fn access_group_initiator_add(
        &mut self,
        g: &AccessGroup,
        init_id: &str,
        _kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        Ok(group(g.id.as_str(), &["iqn.a", init_id]))
    }

    fn access_group_initiator_delete(
        &mut self,
        g: &AccessGroup,
        init_id: &str,
        _kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        self.note(format!("remove {init_id}"));
        Ok(group(g.id.as_str(), &["iqn.a"]))
    }

    fn iscsi_chap_auth(
        &mut self,
        init_id: &str,
        in_user: Option<&str>,
        in_password: Option<&str>,
        out_user: Option<&str>,
        out_password: Option<&str>,
    ) -> Answer<()> {
        self.note(format!("chap {init_id} {in_user:?} {in_password:?} {out_user:?} {out_password:?}"));
        Ok(())
    }

    fn volume_raid_info(&mut self, _volume: &Volume) -> Answer<RaidInfo> {
        Ok(record(json!([5, 65536, 3, 512, 131_072])))
    }

    fn pool_member_info(&mut self, _pool: &Pool) -> Answer<PoolMemberInfo> {
        Ok(record(json!([1, 2, ["D1", "D2"]])))
    }

    fn volume_raid_create_cap_get(&mut self, _system: &System) -> Answer<RaidCreateCapabilities> {
        Ok(record(json!([[0, 1], [65536]])))
    }

    fn volume_raid_create(
        &mut self,
        name: &str,
        raid_type: RaidType,
        disks: &[Disk],
        strip_size: u64,
    ) -> Answer<Volume> {
        let disks: Vec<_> = disks.iter().map(|disk| disk.id.as_str()).collect();
        self.note(format!("raid {} {} {strip_size}", raid_type.0, disks.join(" ")));
        Ok(volume("V5", name, 8))
    }

    fn volume_ident_led_on(&mut self, volume: &Volume) -> Answer<()> {
        self.note(format!("led on {}", volume.id));
        Ok(())
    }

    fn volume_ident_led_off(&mut self, volume: &Volume) -> Answer<()> {
        self.note(format!("led off {}", volume.id));
        Ok(())
    }

    fn volume_cache_info(&mut self, _volume: &Volume) -> Answer<CacheInfo> {
        Ok(record(json!([2, 3, 2, 3, 4])))
    }

    fn volume_physical_disk_cache_update(&mut self, _volume: &Volume, pdc: PhysicalDiskCache) -> Answer<()> {
        self.note(format!("pdc {}", pdc.0));
        Ok(())
    }

    fn volume_write_cache_policy_update(&mut self, _volume: &Volume, wcp: WriteCachePolicy) -> Answer<()> {
        self.note(format!("wcp {}", wcp.0));
        Ok(())
    }

    fn volume_read_cache_policy_update(&mut self, _volume: &Volume, rcp: ReadCache) -> Answer<()> {
        self.note(format!("rcp {}", rcp.0));
        Ok(())
    }

    fn fs_create(&mut self, pool: &Pool, name: &str, size: u64) -> Answer<JobOr<FileSystem>> {
        self.note(format!("fs {} {name} {size}", pool.id));
        Ok(JobOr::Job(JobId::new("FS")))
    }

    fn fs_delete(&mut self, fs: &FileSystem) -> Answer<Option<JobId>> {
        self.note(format!("delete fs {}", fs.id));
        Ok(None)
    }

    fn fs_resize(&mut self, fs: &FileSystem, size: u64) -> Answer<JobOr<FileSystem>> {
        Ok(JobOr::Done(file_system(fs.id.as_str(), &fs.name, size)))
    }

    fn fs_clone(
        &mut self,
        _src: &FileSystem,
        name: &str,
        snapshot: Option<&Snapshot>,
    ) -> Answer<JobOr<FileSystem>> {
        self.note(format!("clone of {}", snapshot.map_or("now", |snapshot| snapshot.id.as_str())));
        Ok(JobOr::Done(file_system("F2", name, 2048)))
    }

    fn fs_file_clone(
        &mut self,
        _fs: &FileSystem,
        src: &str,
        dst: &str,
        _snapshot: Option<&Snapshot>,
    ) -> Answer<Option<JobId>> {
        self.note(format!("file {src} {dst}"));
        Ok(None)
    }

    fn fs_snapshots(&mut self, _fs: &FileSystem) -> Answer<Vec<Snapshot>> {
        Ok(vec![snapshot("before")])
    }

    fn fs_snapshot_create(&mut self, _fs: &FileSystem, name: &str) -> Answer<JobOr<Snapshot>> {
        Ok(JobOr::Done(snapshot(name)))
    }

    fn fs_snapshot_delete(&mut self, _fs: &FileSystem, snapshot: &Snapshot) -> Answer<Option<JobId>> {
        self.note(format!("delete snapshot {}", snapshot.id));
        Ok(None)
    }

    fn fs_snapshot_restore(
        &mut self,
        _fs: &FileSystem,
        _snapshot: &Snapshot,
        files: &[String],
        restore_files: &[String],
        all_files: bool,
    ) -> Answer<Option<JobId>> {
        self.note(format!("restore {files:?} {restore_files:?} {all_files}"));
        Ok(None)
    }

    fn fs_child_dependency(&mut self, _fs: &FileSystem, files: &[String]) -> Answer<bool> {
        Ok(!files.is_empty())
    }

    fn fs_child_dependency_rm(&mut self, _fs: &FileSystem, files: &[String]) -> Answer<Option<JobId>> {
        self.note(format!("free-standing {files:?}"));
        Ok(None)
    }

    fn export_auth(&mut self) -> Answer<Vec<String>> {
        Ok(vec!["sys".into(), "krb5".into()])
    }

    fn export_fs(
        &mut self,
        fs_id: &FileSystemId,
        export_path: Option<&str>,
        root_list: &[String],
        rw_list: &[String],
        ro_list: &[String],
        anon_uid: AnonymousId,
        anon_gid: AnonymousId,
        auth_type: Option<&str>,
        _options: Option<&str>,
    ) -> Answer<NfsExport> {
        Ok(record(json!({"class": "NfsExport", "id": "E2", "fs_id": fs_id, "export_path": export_path,
            "auth": auth_type, "root": root_list, "rw": rw_list, "ro": ro_list, "anonuid": anon_uid, "anongid": anon_gid,
            "options": null})))
    }

    fn export_remove(&mut self, export: &NfsExport) -> Answer<()> {
        self.note(format!("unexport {}", export.id));
        Ok(())
    }
}
