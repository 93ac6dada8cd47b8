//! Nothing lives in a driver's process: a new one sees everything.

use sanfleet_driver::Capability;

use super::{access_group, mask, snapshot};
use crate::{
    check::checks,
    expect::{Verdict, equal},
    stage::Stage,
};

checks!("restart", changes [
    a_new_session_sees_the_volumes_of_an_old_one,
    a_new_session_sees_groups_and_masks_of_an_old_one,
    a_new_session_sees_file_systems_and_snapshots_of_an_old_one,
    a_new_session_claims_what_the_old_one_did,
]);

async fn a_new_session_sees_the_volumes_of_an_old_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.volume().await?;
    array.session.close().await?;
    stage.array().await?.until_listed(&made).await
}

async fn a_new_session_sees_groups_and_masks_of_an_old_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[
        Capability::VOLUME_MASK,
        Capability::VOLUME_UNMASK,
        Capability::VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP,
        Capability::ACCESS_GROUPS_GRANTED_TO_VOLUME,
    ])?;
    let (group, volume) = (array.group().await?, array.volume().await?);
    array.session.volume_mask(&group, &volume).await?;
    array.session.close().await?;
    let mut later = stage.array().await?;
    mask::until_shown(&mut later, &group, &volume, true).await?;
    access_group::until_listed(&mut later, &group).await
}

async fn a_new_session_sees_file_systems_and_snapshots_of_an_old_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let fs = array.file_system().await?;
    let made = array.snapshot(&fs).await?;
    array.session.close().await?;
    snapshot::until_listed(&mut stage.array().await?, &fs, &made, true).await
}

async fn a_new_session_claims_what_the_old_one_did(stage: &Stage) -> Verdict {
    let array = stage.array().await?;
    let before = array.capabilities.clone();
    array.session.close().await?;
    equal("the capabilities", stage.array().await?.capabilities, before)
}
