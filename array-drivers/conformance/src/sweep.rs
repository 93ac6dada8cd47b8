//! Taking away what a check made: everything that bears the run's own names, and nothing else.

use sanfleet_driver::{Capability, Search};

use crate::{
    array::{Array, Look},
    expect::Verdict,
    stage::Stage,
};

/// A copy that depends on another goes before it: each round takes what nothing depends on any more.
const ROUNDS: usize = 4;

/// Removes what is ours, as far as it is listed and will go.
pub async fn take(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    for _ in 0..ROUNDS {
        let mut left = file_systems(&mut array).await?;
        left.extend(volumes(&mut array).await?);
        left.extend(groups(&mut array).await?);
        if left.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Removes what is ours until nothing of it is listed any more. It fails when something is left, and tells what.
pub async fn verify(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array
        .until("objects of the run's own", "that they can be removed", async |array: &mut Array<'_>| {
            take(stage).await?;
            let left = own(array).await?;
            Ok(Look::at(left.is_empty(), left))
        })
        .await
}

/// The names of what is ours.
async fn own(array: &mut Array<'_>) -> Verdict<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    if array.claims(Capability::VOLUMES) {
        names.extend(array.session.volumes(None).await?.into_iter().map(|volume| volume.name));
    }
    if array.claims(Capability::ACCESS_GROUPS) {
        names.extend(array.session.access_groups(None).await?.into_iter().map(|group| group.name));
    }
    if array.claims(Capability::FS) {
        names.extend(array.session.fs(None).await?.into_iter().map(|fs| fs.name));
    }
    names.retain(|name| array.stage.is_own(name));
    Ok(names)
}

async fn volumes(array: &mut Array<'_>) -> Verdict<Vec<String>> {
    if !array.claims(Capability::VOLUMES) || !array.claims(Capability::VOLUME_DELETE) {
        return Ok(Vec::new());
    }
    let mut left = Vec::new();
    let listed = array.session.volumes(None).await?;
    for volume in listed.iter().filter(|volume| array.stage.is_own(&volume.name)) {
        if array.claims(Capability::ACCESS_GROUPS_GRANTED_TO_VOLUME)
            && array.claims(Capability::VOLUME_UNMASK)
        {
            // What has gone meanwhile needs no unmasking; what matters is whether it can be deleted.
            for group in array.session.access_groups_granted_to_volume(volume).await.unwrap_or_default() {
                let _ = array.session.volume_unmask(&group, volume).await;
            }
        }
        if array.claims(Capability::VOLUME_CHILD_DEPENDENCY_RM)
            && let Ok(job) = array.session.volume_child_dependency_rm(volume).await
        {
            let _ = array.done(job).await;
        }
        if let Err(error) = array.delete(volume).await
            && array.look_up(volume).await?.is_some()
        {
            left.push(format!("volume {}: {error:?}", volume.name));
        }
    }
    Ok(left)
}

async fn groups(array: &mut Array<'_>) -> Verdict<Vec<String>> {
    if !array.claims(Capability::ACCESS_GROUPS) || !array.claims(Capability::ACCESS_GROUP_DELETE) {
        return Ok(Vec::new());
    }
    let mut left = Vec::new();
    let listed = array.session.access_groups(None).await?;
    for group in listed.iter().filter(|group| array.stage.is_own(&group.name)) {
        if let Err(error) = array.session.access_group_delete(group).await {
            left.push(format!("access group {}: {error}", group.name));
        }
    }
    Ok(left)
}

async fn file_systems(array: &mut Array<'_>) -> Verdict<Vec<String>> {
    if !array.claims(Capability::FS) || !array.claims(Capability::FS_DELETE) {
        return Ok(Vec::new());
    }
    let mut left = Vec::new();
    let listed = array.session.fs(None).await?;
    for fs in listed.iter().filter(|fs| array.stage.is_own(&fs.name)) {
        if array.claims(Capability::EXPORTS) && array.claims(Capability::EXPORT_REMOVE) {
            let search = Search::new("fs_id", fs.id.as_str());
            for export in array.session.exports(Some(&search)).await.unwrap_or_default() {
                if export.fs_id == fs.id {
                    let _ = array.session.export_remove(&export).await;
                }
            }
        }
        if array.claims(Capability::FS_CHILD_DEPENDENCY_RM)
            && let Ok(job) = array.session.fs_child_dependency_rm(fs, &[]).await
        {
            let _ = array.done(job).await;
        }
        if array.claims(Capability::FS_SNAPSHOTS) && array.claims(Capability::FS_SNAPSHOT_DELETE) {
            for snapshot in array.session.fs_snapshots(fs).await.unwrap_or_default() {
                if let Ok(job) = array.session.fs_snapshot_delete(fs, &snapshot).await {
                    let _ = array.done(job).await;
                }
            }
        }
        let deleted = match array.session.fs_delete(fs).await {
            Ok(job) => array.done(job).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = deleted {
            left.push(format!("file system {}: {error:?}", fs.name));
        }
    }
    Ok(left)
}
