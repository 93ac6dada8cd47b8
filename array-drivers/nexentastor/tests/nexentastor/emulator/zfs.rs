//! ZFS: pools, volumes, file systems, snapshots and clones, as they hang together in every release.

use std::collections::BTreeMap;

use super::{Refusal, chance};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub is_volume: bool,
    pub guid: String,
    /// Bytes of a volume, or that a file system may hold.
    pub size: u64,
    pub block: u64,
    pub sparse: bool,
    /// The snapshot that it is a clone of.
    pub origin: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub guid: String,
    pub txg: u64,
    /// Seconds since 1970-01-01 UTC.
    pub created: u64,
    /// It goes with its last clone.
    pub deferred: bool,
}

#[derive(Debug, Default)]
pub struct Zfs {
    pub pools: BTreeMap<String, u64>,
    pub datasets: BTreeMap<String, Dataset>,
    pub snapshots: BTreeMap<String, Snapshot>,
    txg: u64,
}

pub fn parent(snapshot: &str) -> &str {
    snapshot.split('@').next().unwrap()
}

fn pool_of(path: &str) -> &str {
    path.split('/').next().unwrap()
}

fn is_name(path: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.:/@ ".contains(c);
    path.len() < 256 && path.chars().all(legal) && !path.split('/').any(str::is_empty)
}

/// ZFS tells ids of 64 bits.
fn guid() -> String {
    u64::from_str_radix(&chance()[..15], 16).unwrap().to_string()
}

impl Zfs {
    pub fn add_pool(&mut self, name: &str, bytes: u64) {
        self.pools.insert(name.to_owned(), bytes);
    }

    /// Bytes of a pool that nobody has reserved.
    pub fn free(&self, pool: &str) -> u64 {
        let all = self.datasets.iter().filter(|(path, _)| pool_of(path) == pool);
        let full = all.filter(|(_, dataset)| dataset.is_volume && !dataset.sparse);
        let reserved: u64 = full.map(|(_, dataset)| dataset.size).sum();
        self.pools.get(pool).copied().unwrap_or_default().saturating_sub(reserved)
    }

    pub fn dataset(&self, path: &str, is_volume: bool) -> Result<&Dataset, Refusal> {
        let found = self.datasets.get(path).filter(|dataset| dataset.is_volume == is_volume);
        found.ok_or_else(|| Refusal::Missing(format!("dataset '{path}' does not exist")))
    }

    fn require_new(&self, path: &str) -> Result<(), Refusal> {
        if !is_name(path) || path.contains('@') {
            return Err(Refusal::Invalid(format!("invalid dataset name '{path}'")));
        }
        if !self.pools.contains_key(pool_of(path)) {
            return Err(Refusal::Missing(format!("no such pool '{}'", pool_of(path))));
        }
        match self.datasets.contains_key(path) {
            true => Err(Refusal::Exists(format!("dataset '{path}' already exists"))),
            false => Ok(()),
        }
    }

    /// A size between two blocks is rounded up.
    pub fn create_volume(&mut self, path: &str, bytes: u64, block: u64, sparse: bool) -> Result<(), Refusal> {
        self.require_new(path)?;
        if bytes == 0 || !block.is_power_of_two() || !(512..=1 << 20).contains(&block) {
            return Err(Refusal::Invalid("invalid volume size".into()));
        }
        let size = bytes.checked_next_multiple_of(block).ok_or(Refusal::NoSpace)?;
        if !sparse && size > self.free(pool_of(path)) {
            return Err(Refusal::NoSpace);
        }
        let dataset = Dataset { is_volume: true, guid: guid(), size, block, sparse, origin: None };
        self.datasets.insert(path.to_owned(), dataset);
        Ok(())
    }

    pub fn create_file_system(&mut self, path: &str, quota: u64) -> Result<(), Refusal> {
        self.require_new(path)?;
        let dataset =
            Dataset { is_volume: false, guid: guid(), size: quota, block: 1, sparse: true, origin: None };
        self.datasets.insert(path.to_owned(), dataset);
        Ok(())
    }

    /// A size has to be a whole number of blocks.
    pub fn resize(&mut self, path: &str, is_volume: bool, bytes: u64) -> Result<(), Refusal> {
        let old = self.dataset(path, is_volume)?.clone();
        if bytes == 0 || !bytes.is_multiple_of(old.block) {
            return Err(Refusal::Invalid("size must be a multiple of volume block size".into()));
        }
        if is_volume && !old.sparse && bytes.saturating_sub(old.size) > self.free(pool_of(path)) {
            return Err(Refusal::NoSpace);
        }
        self.datasets.insert(path.to_owned(), Dataset { size: bytes, ..old });
        Ok(())
    }

    pub fn clones_of(&self, snapshot: &str) -> Vec<String> {
        let clones = self.datasets.iter().filter(|(_, dataset)| dataset.origin.as_deref() == Some(snapshot));
        clones.map(|(path, _)| path.clone()).collect()
    }

    pub fn snapshots_of(&self, path: &str) -> Vec<String> {
        self.snapshots.keys().filter(|snapshot| parent(snapshot) == path).cloned().collect()
    }

    pub fn destroy(&mut self, path: &str, is_volume: bool, snapshots: bool) -> Result<(), Refusal> {
        let doomed = self.dataset(path, is_volume)?.clone();
        let own = self.snapshots_of(path);
        if let Some(child) = own.iter().flat_map(|snapshot| self.clones_of(snapshot)).next() {
            return Err(Refusal::Children(format!("'{path}' has dependent clones: {child}")));
        }
        if !own.is_empty() && !snapshots {
            return Err(Refusal::Children(format!("'{path}' has children: {}", own[0])));
        }
        own.iter().for_each(|snapshot| drop(self.snapshots.remove(snapshot)));
        self.datasets.remove(path);
        self.bury(doomed.origin.as_deref());
        Ok(())
    }

    /// A snapshot that was only kept for a clone goes.
    fn bury(&mut self, origin: Option<&str>) {
        let Some(origin) = origin else { return };
        let waits = self.snapshots.get(origin).is_some_and(|snapshot| snapshot.deferred);
        if waits && self.clones_of(origin).is_empty() {
            self.snapshots.remove(origin);
        }
    }

    pub fn snapshot(&mut self, path: &str, now: u64) -> Result<(), Refusal> {
        if !is_name(path) || path.matches('@').count() != 1 {
            return Err(Refusal::Invalid(format!("invalid snapshot name '{path}'")));
        }
        if !self.datasets.contains_key(parent(path)) {
            return Err(Refusal::Missing(format!("dataset '{}' does not exist", parent(path))));
        }
        if self.snapshots.contains_key(path) {
            return Err(Refusal::Exists(format!("snapshot '{path}' already exists")));
        }
        self.txg += 1;
        let snapshot = Snapshot { guid: guid(), txg: self.txg, created: now, deferred: false };
        self.snapshots.insert(path.to_owned(), snapshot);
        Ok(())
    }

    pub fn destroy_snapshot(&mut self, path: &str, defer: bool) -> Result<(), Refusal> {
        let has_clones = !self.clones_of(path).is_empty();
        let Some(snapshot) = self.snapshots.get_mut(path) else {
            return Err(Refusal::Missing(format!("snapshot '{path}' does not exist")));
        };
        match (has_clones, defer) {
            (true, false) => return Err(Refusal::Children("snapshot has dependent clones".into())),
            (true, true) => snapshot.deferred = true,
            (false, _) => drop(self.snapshots.remove(path)),
        }
        Ok(())
    }

    pub fn clone(&mut self, snapshot: &str, target: &str, quota: Option<u64>) -> Result<(), Refusal> {
        let missing = || Refusal::Missing(format!("snapshot '{snapshot}' does not exist"));
        self.snapshots.get(snapshot).ok_or_else(missing)?;
        self.require_new(target)?;
        if pool_of(snapshot) != pool_of(target) {
            return Err(Refusal::Invalid("source and target pools differ".into()));
        }
        let source = self.datasets[parent(snapshot)].clone();
        // A quota is a property of the source's own.
        let size = if source.is_volume { source.size } else { quota.unwrap_or(self.pools[pool_of(target)]) };
        let clone = Dataset { guid: guid(), size, sparse: true, origin: Some(snapshot.to_owned()), ..source };
        self.datasets.insert(target.to_owned(), clone);
        Ok(())
    }

    /// The origin and all older snapshots of its dataset become the clone's.
    pub fn promote(&mut self, path: &str, is_volume: bool) -> Result<(), Refusal> {
        let clone = self.dataset(path, is_volume)?.clone();
        let no_clone = || Refusal::Invalid(format!("'{path}' is not a cloned dataset"));
        let origin = clone.origin.clone().ok_or_else(no_clone)?;
        let (source, txg) = (parent(&origin).to_owned(), self.snapshots[&origin].txg);
        let moving: Vec<String> =
            self.snapshots_of(&source).into_iter().filter(|own| self.snapshots[own].txg <= txg).collect();
        let renamed = |own: &str| format!("{path}@{}", own.split('@').nth(1).unwrap());
        if moving.iter().any(|own| self.snapshots.contains_key(&renamed(own))) {
            return Err(Refusal::Exists("a snapshot of that name already exists".into()));
        }
        let older = self.datasets[&source].origin.clone();
        for own in &moving {
            let snapshot = self.snapshots.remove(own).unwrap();
            self.snapshots.insert(renamed(own), snapshot);
            for dataset in self.datasets.values_mut().filter(|dataset| dataset.origin.as_ref() == Some(own)) {
                dataset.origin = Some(renamed(own));
            }
        }
        self.datasets.get_mut(&source).unwrap().origin = Some(renamed(&origin));
        self.datasets.get_mut(path).unwrap().origin = older;
        Ok(())
    }

    /// Younger snapshots stand in the way.
    pub fn rollback(&mut self, path: &str, snapshot: &str) -> Result<(), Refusal> {
        let full = format!("{path}@{snapshot}");
        let missing = || Refusal::Missing(format!("snapshot '{full}' does not exist"));
        let txg = self.snapshots.get(&full).ok_or_else(missing)?.txg;
        let younger = self.snapshots_of(path).into_iter().any(|own| self.snapshots[&own].txg > txg);
        match younger {
            true => Err(Refusal::Exists("more recent snapshots exist".into())),
            false => Ok(()),
        }
    }
}
