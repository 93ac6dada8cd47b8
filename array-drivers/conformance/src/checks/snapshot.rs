//! File systems as they were.

use std::time::SystemTime;

use sanfleet_driver::{Capability, ErrorNumber, FileSystem, Snapshot};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, refused, that},
    ghost,
    stage::Stage,
};

/// How far the array's clock may be off, in seconds.
const CLOCK: i64 = 24 * 3600;

checks!("snapshot", changes [
    a_new_file_system_has_no_snapshot,
    a_new_snapshot_has_its_name_and_time_and_is_listed,
    a_name_that_is_taken_is_refused,
    the_same_name_may_be_used_on_another_file_system,
    a_file_system_goes_back_to_a_snapshot,
    there_is_no_going_back_to_what_is_not_there,
    a_deleted_snapshot_is_no_longer_listed,
]);

async fn a_new_file_system_has_no_snapshot(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_SNAPSHOTS])?;
    let fs = array.file_system().await?;
    let seen = array.session.fs_snapshots(&fs).await?;
    that(seen.is_empty(), "the snapshots of a new file system", "none", &seen)
}

async fn a_new_snapshot_has_its_name_and_time_and_is_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let fs = array.file_system().await?;
    let made = array.snapshot(&fs).await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    that((now - CLOCK..now + CLOCK).contains(&made.ts), "its time", &format!("about {now}"), &made)?;
    that(stage.is_own(&made.name), "its name", "what was asked for", &made)?;
    until_listed(&mut array, &fs, &made, true).await
}

async fn a_name_that_is_taken_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let fs = array.file_system().await?;
    let made = array.snapshot(&fs).await?;
    let again = array.session.fs_snapshot_create(&fs, &made.name).await;
    refused("a second snapshot of one name", again, &[ErrorNumber::NameConflict])
}

async fn the_same_name_may_be_used_on_another_file_system(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (one, other) = (array.file_system().await?, array.file_system().await?);
    let first = array.snapshot(&one).await?;
    let outcome = array.session.fs_snapshot_create(&other, &first.name).await?;
    let second = array.finish(outcome).await?;
    that(first.id != second.id, "the ids of two snapshots", "two ids", (&first, &second))
}

async fn a_file_system_goes_back_to_a_snapshot(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_SNAPSHOT_RESTORE])?;
    let fs = array.file_system().await?;
    let snapshot = array.snapshot(&fs).await?;
    let job = array.session.fs_snapshot_restore(&fs, &snapshot, &[], &[], true).await?;
    array.done(job).await
}

async fn there_is_no_going_back_to_what_is_not_there(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_SNAPSHOT_RESTORE])?;
    let fs = array.file_system().await?;
    let outcome = array.session.fs_snapshot_restore(&fs, &ghost::snapshot(), &[], &[], true).await;
    refused("a return to no snapshot", outcome, &[ErrorNumber::NotFoundSnapshot])
}

async fn a_deleted_snapshot_is_no_longer_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let fs = array.file_system().await?;
    let snapshot = array.snapshot(&fs).await?;
    let job = array.session.fs_snapshot_delete(&fs, &snapshot).await?;
    array.done(job).await?;
    until_listed(&mut array, &fs, &snapshot, false).await?;
    let again = array.session.fs_snapshot_delete(&fs, &snapshot).await;
    refused("deleting it again", again, &[ErrorNumber::NotFoundSnapshot])
}

pub(super) async fn until_listed(
    array: &mut Array<'_>,
    fs: &FileSystem,
    snapshot: &Snapshot,
    listed: bool,
) -> Verdict {
    let expected = if listed { format!("with {snapshot:?}") } else { format!("without {snapshot:?}") };
    let (fs, snapshot) = (fs.clone(), snapshot.clone());
    array
        .until("the snapshots of the file system", &expected, async |array| {
            let seen = array.session.fs_snapshots(&fs).await?;
            Ok(Look::at(seen.contains(&snapshot) == listed, seen))
        })
        .await
}
