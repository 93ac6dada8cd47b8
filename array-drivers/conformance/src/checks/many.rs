//! Thousands of objects, where the array is quick enough to make them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use sanfleet_driver::{Capability, Search, Volume, VolumeKey};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, skip},
    stage::Stage,
};

/// How long making them may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Fewer than these say nothing.
const FEWEST: usize = 50;
/// Blocks of the smallest size: space is not what is tested.
const SIZE: u64 = 1 << 20;
const GROUPS: usize = 50;

checks!("many", changes [
    all_of_many_volumes_are_listed_once_and_found_one_by_one,
    all_of_many_masks_are_told,
]);

async fn all_of_many_volumes_are_listed_once_and_found_one_by_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = many(&mut array, stage.options.many).await?;
    let expected: BTreeSet<VolumeKey> = made.iter().map(|volume| volume.id.clone()).collect();
    equal("the different ids", expected.len(), made.len())?;
    array
        .until("the list", &format!("all of {} volumes", made.len()), async |array: &mut Array<'_>| {
            let listed = array.session.volumes(None).await?;
            let own: Vec<_> = listed.into_iter().filter(|volume| expected.contains(&volume.id)).collect();
            Ok(Look::at(own.len() == expected.len(), own.len()))
        })
        .await?;
    for volume in made.iter().step_by((made.len() / 10).max(1)) {
        let found = array.session.volumes(Some(&Search::new("id", volume.id.as_str()))).await?;
        equal("a search among many", found.as_slice(), std::slice::from_ref(volume))?;
    }
    for volume in &made {
        array.delete(volume).await?;
    }
    array
        .until("the list after all were deleted", "none of them", async |array: &mut Array<'_>| {
            let listed = array.session.volumes(None).await?;
            let left = listed.iter().filter(|volume| expected.contains(&volume.id)).count();
            Ok(Look::at(left == 0, left))
        })
        .await
}

async fn all_of_many_masks_are_told(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[
        Capability::VOLUME_MASK,
        Capability::VOLUME_UNMASK,
        Capability::ACCESS_GROUPS_GRANTED_TO_VOLUME,
        Capability::VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP,
    ])?;
    let volume = array.volume().await?;
    let mut groups = BTreeSet::new();
    for _ in 0..GROUPS.min(stage.options.many) {
        let group = array.group().await?;
        array.session.volume_mask(&group, &volume).await?;
        groups.insert(group.id);
    }
    array
        .until("the groups of one volume", "all of them", async |array: &mut Array<'_>| {
            let seen = array.session.access_groups_granted_to_volume(&volume).await?;
            let seen: BTreeSet<_> = seen.into_iter().map(|group| group.id).collect();
            Ok(Look::at(seen == groups, seen.len()))
        })
        .await
}

/// As many as were asked for, or as patience allows.
async fn many(array: &mut Array<'_>, count: usize) -> Verdict<Vec<Volume>> {
    if count == 0 {
        return skip("none were asked for");
    }
    let (begin, mut made) = (Instant::now(), Vec::new());
    while made.len() < count && begin.elapsed() < PATIENCE {
        let name = array.stage.name();
        made.push(array.volume_named(&name, SIZE).await?);
    }
    if made.len() < FEWEST.min(count) {
        return skip(format!("the array made only {} volumes in {PATIENCE:?}", made.len()));
    }
    Ok(made)
}
