//! An array with a password, whose administrator is a test: what it has and how it behaves is in a folder.
//!
//! `lockbox://USER@HOST/?folder=PATH`, with `PATH/password` (who has another is not let in), `PATH/volumes/` (a file a volume),
//! `PATH/generation` (its contents change when something else does), and, while they are there, `PATH/down` (unreachable),
//! `PATH/hung` (lists do not end) and `PATH/ill` (the pool is degraded). Each list is noted as a line of `PATH/lists`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use sanfleet_driver::{
    AccessGroup, AccessGroupId, AdminState, ArrayDriver, Change, ChangeKind, Changes, ElementType,
    ErrorNumber, InitiatorType, LsmError, Mapping, Page, PluginInfo, Pool, PoolId, PoolStatus, Search,
    System, SystemId, SystemMode, SystemStatus, UnsupportedActions, Uri, Volume, VolumeDetail, VolumeKey,
    array_driver, run_plugin,
};

type Answer<T> = Result<T, LsmError>;

/// Volumes in a piece, whatever more is asked for: a test's few volumes are several pieces.
const PIECE: usize = 2;
const LOOK: Duration = Duration::from_millis(10);
/// A hung list ends after all, so that a test that failed leaves no process behind.
const HUNG: Duration = Duration::from_secs(120);
const INITIATOR: &str = "iqn.2001-04.com.example:lockbox";

#[derive(Debug, Default)]
struct Lockbox {
    folder: PathBuf,
}

fn main() -> ExitCode {
    run_plugin(|| Box::new(Lockbox::default()), "Array of a test", "1")
}

#[array_driver]
impl ArrayDriver for Lockbox {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "Array of a test".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, uri: &str, password: Option<&str>, _timeout: Duration) -> Answer<()> {
        let refused = |number, why: &str| Err(LsmError::new(number, why));
        let Ok(uri) = uri.parse::<Uri>() else { return refused(ErrorNumber::InvalidArgument, "no URI") };
        let Some(folder) = uri.parameters.get("folder") else {
            return refused(ErrorNumber::InvalidArgument, "give folder=PATH");
        };
        self.folder = folder.into();
        if self.is("down") {
            return refused(ErrorNumber::NetworkHostDown, "no route to the array");
        }
        let wanted = fs::read_to_string(self.folder.join("password")).unwrap_or_default();
        match (uri.user, password) {
            (Some(user), Some(given)) if !user.is_empty() && given == wanted => Ok(()),
            _ => refused(ErrorNumber::PluginAuthFailed, "the array refuses this login"),
        }
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        self.must_be_up()?;
        Ok(vec![System {
            id: SystemId::new("box"),
            name: "box".into(),
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: "7.1".into(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        }])
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        let (status, status_info) = match self.is("ill") {
            true => (PoolStatus::DEGRADED, "disk 3 failed".to_owned()),
            false => (PoolStatus::OK, String::new()),
        };
        Ok(vec![Pool {
            id: PoolId::new("p"),
            name: "shelf".into(),
            element_type: ElementType::VOLUME,
            unsupported_actions: UnsupportedActions::NONE,
            total_space: Some(1 << 40),
            free_space: Some(1 << 39),
            status,
            status_info,
            system_id: SystemId::new("box"),
            plugin_data: None,
        }])
    }

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        Ok(vec![AccessGroup {
            id: AccessGroupId::new("g"),
            name: "group".into(),
            init_ids: vec![INITIATOR.into()],
            init_type: InitiatorType::ISCSI,
            system_id: SystemId::new("box"),
            plugin_data: None,
        }])
    }

    fn volumes_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<VolumeDetail>> {
        self.must_be_up()?;
        if cursor.is_none() {
            self.note_list()?;
            self.hang()?;
        }
        let (names, next) = self.piece(cursor, limit);
        Ok(Page { items: names.iter().map(|name| detail(name)).collect(), next })
    }

    /// Each volume has the number of its place.
    fn mappings_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<Mapping>> {
        let all = self.names();
        let (names, next) = self.piece(cursor, limit);
        let items = names.into_iter().map(|name| Mapping {
            lun: all.iter().position(|known| *known == name).and_then(|at| u64::try_from(at).ok()),
            volume_id: VolumeKey::new(name),
            access_group_id: Some(AccessGroupId::new("g")),
            initiator: None,
            target_ports: Vec::new(),
        });
        Ok(Page { items: items.collect(), next })
    }

    fn changes(&mut self, since: Option<&str>, wait_ms: u32) -> Answer<Changes> {
        let Some(since) = since else {
            return Ok(Changes { token: self.generation(), complete: true, changed: Vec::new() });
        };
        let until = Instant::now() + Duration::from_millis(wait_ms.into());
        while self.generation() == since && Instant::now() < until {
            self.must_be_up()?;
            std::thread::park_timeout(LOOK);
        }
        let token = self.generation();
        let changed = (token != since).then(|| Change { kind: ChangeKind::Volume, id: "one".into() });
        Ok(Changes { token, complete: true, changed: changed.into_iter().collect() })
    }
}

impl Lockbox {
    fn is(&self, what: &str) -> bool {
        self.folder.join(what).exists()
    }

    fn must_be_up(&self) -> Answer<()> {
        match self.is("down") {
            true => Err(LsmError::new(ErrorNumber::NetworkHostDown, "no route to the array")),
            false => Ok(()),
        }
    }

    fn hang(&self) -> Answer<()> {
        let until = Instant::now() + HUNG;
        while self.is("hung") && Instant::now() < until {
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    fn generation(&self) -> String {
        fs::read_to_string(self.folder.join("generation")).unwrap_or_default()
    }

    fn note_list(&self) -> Answer<()> {
        let lists = OpenOptions::new().create(true).append(true).open(self.folder.join("lists"));
        lists
            .and_then(|mut lists| lists.write_all(b"list\n"))
            .map_err(|error| LsmError::new(ErrorNumber::PluginBug, error.to_string()))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("volumes")).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The names after the cursor, and the cursor for those that follow.
    fn piece(&self, cursor: Option<&str>, limit: u32) -> (Vec<String>, Option<String>) {
        let after = |name: &String| cursor.is_none_or(|cursor| name.as_str() > cursor);
        let mut rest: Vec<String> = self.names().into_iter().filter(after).collect();
        let all = rest.len();
        rest.truncate(PIECE.min(usize::try_from(limit).unwrap_or(PIECE)));
        let next = (rest.len() < all).then(|| rest.last().cloned()).flatten();
        (rest, next)
    }
}

/// A volume without a NAA, as one on NVMe is: only the extension tells its id.
fn detail(name: &str) -> VolumeDetail {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let volume = Volume {
        id: VolumeKey::new(name),
        name: name.to_owned(),
        vpd83: String::new(),
        block_size: Some(512),
        num_of_blocks: Some(2048),
        admin_state: AdminState::ENABLED,
        system_id: SystemId::new("box"),
        pool_id: PoolId::new("p"),
        plugin_data: None,
    };
    VolumeDetail { volume, ids: vec![format!("eui.{digits:0>16.16}")] }
}
