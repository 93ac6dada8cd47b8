//! File systems on btrfs, with newer btrfs-progs than the daemon can read.

use std::{collections::BTreeMap, time::SystemTime};

use serde_json::{Value, json};

use super::{Answer, FILES, Place, Refusal, State, chance, refuse};

#[derive(Debug, Clone)]
pub struct FileSystem {
    uuid: String,
    /// What it is a clone of.
    origin: Option<String>,
    /// Names with the second in which each was taken.
    snapshots: BTreeMap<String, u64>,
}

fn uuid() -> String {
    [8, 4, 4, 4, 12].map(|length| chance("0123456789abcdef", length)).join("-")
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// What the daemon takes for a uuid.
fn time_of_day(second: u64) -> String {
    let (hours, minutes) = (second / 3600 % 24, second / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", second % 60)
}

impl State {
    pub fn fs_list(&self) -> Value {
        let (total, free) = (self.config.pool_bytes, self.config.pool_bytes / 8 * 7);
        let rows = self.file_systems.iter().map(|((pool, name), fs)| {
            json!({"name": name, "uuid": fs.uuid, "total_space": total, "free_space": free, "pool": pool,
                "full_path": format!("{pool}/targetd_fs/{name}")})
        });
        rows.collect()
    }

    pub fn fs_create(&mut self, place: Place) -> Answer {
        if place.0 != FILES {
            return refuse(-110, format!("Invalid filesystem pool ({})", place.0));
        }
        if self.file_systems.contains_key(&place) {
            return refuse(-53, "FS already exists (Btrfs)");
        }
        self.add(place, None)
    }

    fn add(&mut self, place: Place, origin: Option<String>) -> Answer {
        let made = FileSystem { uuid: uuid(), origin, snapshots: BTreeMap::new() };
        self.file_systems.insert(place, made);
        Ok(Value::Null)
    }

    fn of(&self, uuid: &str) -> Result<Place, Refusal> {
        let found = self.file_systems.iter().find(|(_, fs)| fs.uuid == uuid);
        found.map_or_else(|| refuse(-104, "fs_uuid not found"), |(place, _)| Ok(place.clone()))
    }

    fn clones<'a>(&'a self, uuid: &'a str) -> impl Iterator<Item = &'a String> {
        let clones = self.file_systems.iter();
        clones.filter(move |(_, fs)| fs.origin.as_deref() == Some(uuid)).map(|((_, name), _)| name)
    }

    pub fn fs_destroy(&mut self, uuid: &str) -> Answer {
        let place = self.of(uuid)?;
        if let Some(clone) = self.clones(uuid).next() {
            let path = format!("{}/targetd_ss/{}/targetd_fs/{clone}", place.0, place.1);
            let message = format!(
                "Unexpected exit code \"['btrfs', 'subvolume', 'delete', '{path}']\" 1, \
                 out= b'ERROR: Could not statfs: No such file or directory\\n'"
            );
            return refuse(-303, message);
        }
        self.file_systems.remove(&place);
        Ok(Value::Null)
    }

    pub fn fs_clone(&mut self, uuid: &str, name: &str) -> Answer {
        let target = (self.of(uuid)?.0, name.to_owned());
        if self.file_systems.contains_key(&target) {
            return refuse(-51, "Filesystem with that name exists (Btrfs)");
        }
        self.add(target, Some(uuid.to_owned()))
    }

    /// Clones are listed too, by their path.
    pub fn ss_list(&self, uuid: &str) -> Answer {
        let fs = &self.file_systems[&self.of(uuid)?];
        let row = |name: String, second: u64| json!({"name": name, "uuid": time_of_day(second), "timestamp": second});
        let own = fs.snapshots.iter().map(|(name, second)| row(name.clone(), *second));
        let clones = self.clones(uuid).map(|name| row(format!("targetd_fs/{name}"), 0));
        Ok(own.chain(clones).collect())
    }

    pub fn fs_snapshot(&mut self, uuid: &str, name: &str) -> Answer {
        let place = self.of(uuid)?;
        let fs = self.file_systems.get_mut(&place).unwrap();
        if fs.snapshots.contains_key(name) {
            return refuse(-53, "Snapshot already exists with that name (Btrfs)");
        }
        fs.snapshots.insert(name.to_owned(), now());
        Ok(Value::Null)
    }

    /// The first one of that uuid, whichever was meant.
    pub fn fs_snapshot_delete(&mut self, uuid: &str, snapshot: &str) -> Answer {
        let place = self.of(uuid)?;
        let fs = self.file_systems.get_mut(&place).unwrap();
        let found = fs.snapshots.iter().find(|(_, second)| time_of_day(**second) == snapshot);
        match found.map(|(name, _)| name.clone()) {
            Some(name) => {
                fs.snapshots.remove(&name);
                Ok(Value::Null)
            }
            None => refuse(-112, "snapshot not found"),
        }
    }
}
