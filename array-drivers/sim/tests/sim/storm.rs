//! Many changes with trouble at random: whatever goes wrong, nothing is lost and nothing is there twice.
//!
//! Every change is a job. Before each one the file of faults is written anew, so it is known whether the change has an effect
//! although the client may never hear of it; after each one a session without faults reads what there is.

use std::{collections::BTreeMap, fs};

use sanfleet_driver::{
    ErrorNumber, FileSystem, Provisioning, ReplicateType, Volume,
    client::{ClientError, Session},
};

use crate::bench::{Bench, LONG, pool};

const MIB: u64 = 1 << 20;
const CHANGES: usize = 400;
const SEED: u64 = 0x5eed_0f57_0b2c;

/// What ought to be there: names with sizes in bytes, and of what a thing is a clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    volumes: BTreeMap<String, u64>,
    volume_sources: BTreeMap<String, String>,
    file_systems: BTreeMap<String, u64>,
    file_system_sources: BTreeMap<String, String>,
    /// Names of snapshots, with their file system.
    snapshots: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum Act {
    CreateVolume(String, u64),
    CloneVolume(String, String),
    GrowVolume(String, u64),
    RenameVolume(String, String),
    DeleteVolume(String),
    CreateFs(String, u64),
    CloneFs(String, String),
    DeleteFs(String),
    Snapshot(String, String),
}

/// A fault, and whether the change that it meets has its effect.
const FAULTS: [(&str, bool); 8] = [
    ("", true),
    ("", true),
    ("reply-lost", true),
    ("restart", false),
    ("error=350", false),
    ("job-fails=350", false),
    ("job-lost", true),
    ("job-lost=undone", false),
];

/// SplitMix64: the same story for everybody.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % end as u64).unwrap()
    }

    fn one<'a>(&mut self, names: Vec<&'a String>) -> Option<&'a String> {
        (!names.is_empty()).then(|| names[self.below(names.len())])
    }
}

impl Model {
    /// The next change; none when there is nothing yet to make it of.
    fn next(&self, chance: &mut Chance, number: usize) -> Option<Act> {
        let (name, size) = (format!("n{number}"), MIB * (1 + chance.below(8) as u64));
        Some(match chance.below(12) {
            0..3 => Act::CreateVolume(name, size),
            3 => Act::CloneVolume(chance.one(self.volumes.keys().collect())?.clone(), name),
            4 => {
                let grown = chance.one(self.volumes.keys().collect())?;
                Act::GrowVolume(grown.clone(), self.volumes[grown] + size)
            }
            5 => Act::RenameVolume(chance.one(self.volumes.keys().collect())?.clone(), name),
            6 | 7 => {
                let is_source = |name: &&String| self.volume_sources.values().any(|source| source == *name);
                Act::DeleteVolume(
                    chance.one(self.volumes.keys().filter(|name| !is_source(name)).collect())?.clone(),
                )
            }
            8 => Act::CreateFs(name, size),
            9 => Act::CloneFs(chance.one(self.file_systems.keys().collect())?.clone(), name),
            10 => {
                let is_source =
                    |name: &&String| self.file_system_sources.values().any(|source| source == *name);
                let free = self.file_systems.keys().filter(|name| !is_source(name)).collect();
                Act::DeleteFs(chance.one(free)?.clone())
            }
            _ => Act::Snapshot(chance.one(self.file_systems.keys().collect())?.clone(), name),
        })
    }

    fn apply(&mut self, act: &Act) {
        match act.clone() {
            Act::CreateVolume(name, size) => drop(self.volumes.insert(name, size)),
            Act::CloneVolume(source, name) => {
                self.volumes.insert(name.clone(), self.volumes[&source]);
                self.volume_sources.insert(name, source);
            }
            Act::GrowVolume(name, size) => drop(self.volumes.insert(name, size)),
            Act::RenameVolume(old, new) => {
                let size = self.volumes.remove(&old).unwrap();
                self.volumes.insert(new.clone(), size);
                if let Some(source) = self.volume_sources.remove(&old) {
                    self.volume_sources.insert(new.clone(), source);
                }
                self.volume_sources
                    .values_mut()
                    .filter(|source| **source == old)
                    .for_each(|source| source.clone_from(&new));
            }
            Act::DeleteVolume(name) => {
                self.volumes.remove(&name);
                self.volume_sources.remove(&name);
            }
            Act::CreateFs(name, size) => drop(self.file_systems.insert(name, size)),
            Act::CloneFs(source, name) => {
                self.file_systems.insert(name.clone(), self.file_systems[&source]);
                self.file_system_sources.insert(name, source);
            }
            Act::DeleteFs(name) => {
                self.file_systems.remove(&name);
                self.file_system_sources.remove(&name);
                self.snapshots.retain(|_, fs| *fs != name);
            }
            Act::Snapshot(fs, name) => drop(self.snapshots.insert(name, fs)),
        }
    }
}

impl Act {
    fn method(&self) -> &'static str {
        match self {
            Self::CreateVolume(..) => "volume_create",
            Self::CloneVolume(..) => "volume_replicate",
            Self::GrowVolume(..) => "volume_resize",
            Self::RenameVolume(..) => "volume_rename",
            Self::DeleteVolume(..) => "volume_delete",
            Self::CreateFs(..) => "fs_create",
            Self::CloneFs(..) => "fs_clone",
            Self::DeleteFs(..) => "fs_delete",
            Self::Snapshot(..) => "fs_snapshot_create",
        }
    }

    /// Without a job there is none that fails or gets lost.
    fn is_job(&self) -> bool {
        !matches!(self, Self::RenameVolume(..))
    }

    async fn carry_out(&self, session: &mut Session) -> Result<(), ClientError> {
        match self {
            Self::CreateVolume(name, size) => {
                let pool = pool(session).await;
                let work = session.volume_create(&pool, name, *size, Provisioning::DEFAULT).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::CloneVolume(source, name) => {
                let source = volume_named(session, source).await;
                let work = session.volume_replicate(None, ReplicateType::CLONE, &source, name).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::GrowVolume(name, size) => {
                let volume = volume_named(session, name).await;
                let work = session.volume_resize(&volume, *size).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::RenameVolume(old, new) => {
                let volume = volume_named(session, old).await;
                session.volume_rename(&volume, new).await.map(drop)
            }
            Self::DeleteVolume(name) => {
                let volume = volume_named(session, name).await;
                let work = session.volume_delete(&volume).await?;
                session.finish(work, LONG).await
            }
            Self::CreateFs(name, size) => {
                let pool = pool(session).await;
                let work = session.fs_create(&pool, name, *size).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::CloneFs(source, name) => {
                let source = fs_named(session, source).await;
                let work = session.fs_clone(&source, name, None).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::DeleteFs(name) => {
                let fs = fs_named(session, name).await;
                let work = session.fs_delete(&fs).await?;
                session.finish(work, LONG).await
            }
            Self::Snapshot(fs, name) => {
                let fs = fs_named(session, fs).await;
                let work = session.fs_snapshot_create(&fs, name).await?;
                session.finish(work, LONG).await.map(drop)
            }
        }
    }
}

async fn volume_named(session: &mut Session, name: &str) -> Volume {
    session.volumes(None).await.unwrap().into_iter().find(|volume| volume.name == name).unwrap()
}

async fn fs_named(session: &mut Session, name: &str) -> FileSystem {
    session.fs(None).await.unwrap().into_iter().find(|fs| fs.name == name).unwrap()
}

/// What there is; a name that is there twice shows by the counts.
async fn seen(session: &mut Session, model: &Model) -> Model {
    let volumes = session.volumes(None).await.unwrap();
    let file_systems = session.fs(None).await.unwrap();
    let mut snapshots = BTreeMap::new();
    for fs in &file_systems {
        for snapshot in session.fs_snapshots(fs).await.unwrap() {
            assert!(snapshots.insert(snapshot.name, fs.name.clone()).is_none());
        }
    }
    let counts = (volumes.len(), file_systems.len());
    let seen = Model {
        volumes: volumes.iter().map(|volume| (volume.name.clone(), volume.size_bytes().unwrap())).collect(),
        file_systems: file_systems.iter().map(|fs| (fs.name.clone(), fs.total_space.unwrap())).collect(),
        snapshots,
        ..model.clone()
    };
    assert_eq!(counts, (seen.volumes.len(), seen.file_systems.len()), "something is there twice");
    seen
}

/// How the client hears of a change that met this fault.
fn assert_told(fault: &str, told: Result<(), ClientError>, what: &str) {
    let as_expected = match (fault, &told) {
        ("", Ok(())) => true,
        ("reply-lost" | "restart", Err(ClientError::Lost { .. })) => true,
        ("error=350", Err(ClientError::Array(error))) => error.number == ErrorNumber::NotEnoughSpace,
        ("job-fails=350", Err(ClientError::JobFailed { reason: Some(reason), .. })) => {
            reason.number == ErrorNumber::NotEnoughSpace
        }
        ("job-lost" | "job-lost=undone", Err(ClientError::JobForgotten { .. })) => true,
        _ => false,
    };
    assert!(as_expected, "{what}: {told:?}");
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_whatever_goes_wrong() {
    let bench = Bench::new();
    let rules = bench.path("state.db.faults");
    let (mut chance, mut model) = (Chance(SEED), Model::default());
    let mut acting = bench.open_with("&job_ms=1", Vec::new()).await.unwrap();
    let mut looking = bench.open().await;
    let begin = free_bytes(&mut looking).await;
    let mut met = BTreeMap::new();
    for number in 0..CHANGES {
        let Some(act) = model.next(&mut chance, number) else { continue };
        let (fault, has_effect) = match FAULTS[chance.below(FAULTS.len())] {
            (fault, _) if fault.starts_with("job-") && !act.is_job() => ("", true),
            fault => fault,
        };
        *met.entry(fault).or_insert(0) += 1;
        let rule = if fault.is_empty() { String::new() } else { format!("{}:{fault}", act.method()) };
        fs::write(&rules, rule).unwrap();

        assert_told(fault, act.carry_out(&mut acting).await, &format!("{number}: {act:?}, {fault}"));
        if has_effect {
            model.apply(&act);
        }
        if acting.is_dead() {
            acting = bench.open_with("&job_ms=1", Vec::new()).await.unwrap();
        }
        fs::write(&rules, "").unwrap();
        // What a forgotten job does takes its millisecond.
        if fault == "job-lost" {
            until(&mut looking, &model).await;
        }
        assert_eq!(seen(&mut looking, &model).await, model, "{number}: {act:?}, {fault}");
    }
    assert!(met.len() == 7 && met.values().all(|times| *times > 10), "{met:?}");
    assert!(model.volumes.len() > 10 && model.file_systems.len() > 3, "{model:?}");

    drop((acting, looking));
    let mut looking = bench.open().await;
    assert_eq!(seen(&mut looking, &model).await, model, "after all");
    let taken = begin - free_bytes(&mut looking).await;
    let wanted = model.volumes.values().chain(model.file_systems.values()).sum::<u64>();
    assert_eq!(taken, wanted, "the snapshots are empty");
    assert_eq!(bench.files().iter().filter(|name| name.starts_with("VOL")).count(), model.volumes.len());
    looking.close().await.unwrap();
    bench.assert_sound();
}

async fn until(session: &mut Session, model: &Model) {
    let bound = tokio::time::Instant::now() + LONG;
    while seen(session, model).await != *model && tokio::time::Instant::now() < bound {
        tokio::task::yield_now().await;
    }
}

async fn free_bytes(session: &mut Session) -> u64 {
    session.pools(None).await.unwrap().iter().filter_map(|pool| pool.free_space).sum()
}
