//! Many changes with trouble at random: whatever goes wrong, nothing is lost and nothing is there twice.
//!
//! Every change that can be a job is one. Before each one the file of faults is written anew, so it is known whether the change has
//! an effect although the client may never hear of it; after each one a session without faults reads what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::FileExt,
};

use sanfleet_driver::{
    ErrorNumber, Volume,
    client::{ClientError, Session},
};

mod act;
mod chance;
mod model;

use act::Act;
use chance::Chance;
use model::{Content, Model};

use crate::bench::{Bench, LONG};

const CHANGES: usize = 800;
const SEED: u64 = 0x5eed_0f57_0b2c;

/// What a change may meet, the first one twice as often.
const FAULTS: [&str; 12] = [
    "",
    "",
    "reply-lost",
    "restart",
    "crash",
    "error=350",
    "read-only",
    "full",
    "stale=20",
    "job-fails=350",
    "job-lost",
    "job-lost=undone",
];

/// The fault that the change meets: none where it is about jobs and there is none, or about space and none is taken.
fn met(fault: &'static str, act: &Act) -> &'static str {
    let passes = (fault.starts_with("job-") && !act.is_job()) || (fault == "full" && !act.takes_space());
    if passes { "" } else { fault }
}

fn has_effect(fault: &str) -> bool {
    matches!(fault, "" | "reply-lost" | "stale=20" | "job-lost")
}

/// The rule that brings the fault about. Every list lags behind, for the change looks into some.
fn rule(fault: &str, act: &Act) -> String {
    match fault {
        "" => String::new(),
        "stale=20" => format!("*:{fault}"),
        _ => format!("{}:{fault}", act.method()),
    }
}

/// What there is; a name that is there twice shows by the counts.
async fn seen(bench: &Bench, session: &mut Session, model: &Model) -> Model {
    let volumes = session.volumes(None).await.unwrap();
    let file_systems = session.fs(None).await.unwrap();
    let groups = session.access_groups(None).await.unwrap();
    let exports = session.exports(None).await.unwrap();
    let mut snapshots = BTreeMap::new();
    for fs in &file_systems {
        for snapshot in session.fs_snapshots(fs).await.unwrap() {
            assert!(snapshots.insert(snapshot.name, fs.name.clone()).is_none());
        }
    }
    let mut masks = BTreeSet::new();
    for group in &groups {
        for volume in session.volumes_accessible_by_access_group(group).await.unwrap() {
            assert!(masks.insert((group.name.clone(), volume.name)));
        }
    }
    let fs_name = |id| file_systems.iter().find(|fs| fs.id == id).unwrap().name.clone();
    let counts = [volumes.len(), file_systems.len(), groups.len(), exports.len()];
    let seen = Model {
        volumes: volumes.iter().map(|volume| (volume.name.clone(), content(bench, volume))).collect(),
        file_systems: file_systems.iter().map(|fs| (fs.name.clone(), fs.total_space.unwrap())).collect(),
        snapshots,
        groups: groups
            .into_iter()
            .map(|group| (group.name, group.init_ids.into_iter().collect::<BTreeSet<_>>()))
            .collect(),
        masks,
        exports: exports.into_iter().map(|export| (export.export_path, fs_name(export.fs_id))).collect(),
        ..model.clone()
    };
    let distinct = [seen.volumes.len(), seen.file_systems.len(), seen.groups.len(), seen.exports.len()];
    assert_eq!(counts, distinct, "something is there twice");
    seen
}

fn content(bench: &Bench, volume: &Volume) -> Content {
    let file = fs::File::open(bench.file_of(volume)).unwrap();
    let byte = |at| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        byte[0]
    };
    Content { bytes: volume.size_bytes().unwrap(), blocks: [byte(0), byte(512)] }
}

/// As a host does that was given a new volume.
async fn write_first_block(bench: &Bench, session: &mut Session, name: &str, byte: u8) {
    let volumes = session.volumes(None).await.unwrap();
    let volume = volumes.iter().find(|volume| volume.name == name).unwrap();
    let file = fs::File::options().write(true).open(bench.file_of(volume)).unwrap();
    file.write_all_at(&[byte], 0).unwrap();
}

/// How the client hears of a change that met this fault.
fn assert_told(fault: &str, told: Result<(), ClientError>, what: &str) {
    let refused =
        |number: ErrorNumber| matches!(&told, Err(ClientError::Array(error)) if error.number == number);
    let as_expected = match fault {
        "" | "stale=20" => told.is_ok(),
        "reply-lost" | "restart" | "crash" => matches!(told, Err(ClientError::Lost { .. })),
        "error=350" | "full" => refused(ErrorNumber::NotEnoughSpace),
        "read-only" => refused(ErrorNumber::PermissionDenied),
        "job-fails=350" => matches!(
            &told,
            Err(ClientError::JobFailed { reason: Some(reason), .. })
                if reason.number == ErrorNumber::NotEnoughSpace
        ),
        _ => matches!(told, Err(ClientError::JobForgotten { .. })),
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
    let (mut faults, mut methods) = (BTreeMap::new(), BTreeMap::new());
    for number in 0..CHANGES {
        let Some(act) = model.next(&mut chance, number) else { continue };
        let fault = met(FAULTS[chance.below(FAULTS.len())], &act);
        *faults.entry(fault).or_insert(0) += 1;
        fs::write(&rules, rule(fault, &act)).unwrap();

        let what = format!("{number}: {act:?}, {fault}");
        assert_told(fault, act.carry_out(&mut acting).await, &what);
        if has_effect(fault) {
            model.apply(&act);
            *methods.entry(act.method()).or_insert(0) += 1;
        }
        if acting.is_dead() {
            acting = bench.open_with("&job_ms=1", Vec::new()).await.unwrap();
        }
        fs::write(&rules, "").unwrap();
        // What goes on without its client, or without being known, takes its millisecond.
        if has_effect(fault) && !fault.is_empty() {
            until(&bench, &mut looking, &model).await;
        }
        assert_eq!(seen(&bench, &mut looking, &model).await, model, "{what}");
        if let (Act::CreateVolume(name, _), true) = (&act, has_effect(fault)) {
            let byte = u8::try_from(1 + number % 255).unwrap();
            write_first_block(&bench, &mut looking, name, byte).await;
            model.volumes.get_mut(name).unwrap().blocks[0] = byte;
        }
    }
    assert!(faults.len() == 11 && faults.values().all(|times| *times > 10), "{faults:?}");
    assert!(methods.len() == 18 && methods.values().all(|times| *times > 3), "{methods:?}");

    drop((acting, looking));
    let mut looking = bench.open().await;
    assert_eq!(seen(&bench, &mut looking, &model).await, model, "after all");
    let taken = begin - free_bytes(&mut looking).await;
    let wanted =
        model.volumes.values().map(|volume| volume.bytes).chain(model.file_systems.values().copied());
    assert_eq!(taken, wanted.sum::<u64>(), "the snapshots are empty");
    assert_eq!(bench.files().iter().filter(|name| name.starts_with("VOL")).count(), model.volumes.len());
    let shown = model.masks.iter().map(|(group, _)| model.groups[group].len()).sum::<usize>();
    assert_eq!(bench.shown().len(), shown, "what initiators see");
    looking.close().await.unwrap();
    bench.assert_sound();
}

async fn until(bench: &Bench, session: &mut Session, model: &Model) {
    let bound = tokio::time::Instant::now() + LONG;
    while seen(bench, session, model).await != *model && tokio::time::Instant::now() < bound {
        tokio::task::yield_now().await;
    }
}

async fn free_bytes(session: &mut Session) -> u64 {
    session.pools(None).await.unwrap().iter().filter_map(|pool| pool.free_space).sum()
}
