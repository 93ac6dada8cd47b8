//! Showing volumes to initiators, and no longer.

use sanfleet_driver::{AccessGroup, Capability, ErrorNumber, Volume};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, refused, that},
    stage::Stage,
};

checks!("mask", changes [
    a_new_volume_is_shown_to_nobody,
    a_masked_volume_is_told_from_both_sides,
    an_unmasked_volume_is_told_by_neither_side,
    masking_twice_is_no_change,
    unmasking_what_is_not_masked_is_no_change,
    a_masked_volume_is_not_deleted,
    a_group_with_masked_volumes_is_not_deleted,
    one_volume_is_shown_to_two_groups,
    one_group_is_shown_two_volumes,
    chap_is_set_and_taken_back,
]);

async fn both(stage: &Stage) -> Verdict<(Array<'_>, AccessGroup, Volume)> {
    let mut array = stage.array().await?;
    array.needs(&[
        Capability::VOLUME_MASK,
        Capability::VOLUME_UNMASK,
        Capability::VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP,
        Capability::ACCESS_GROUPS_GRANTED_TO_VOLUME,
    ])?;
    let (group, volume) = (array.group().await?, array.volume().await?);
    Ok((array, group, volume))
}

async fn a_new_volume_is_shown_to_nobody(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    until_shown(&mut array, &group, &volume, false).await?;
    that(
        array.session.access_groups_granted_to_volume(&volume).await?.is_empty(),
        "a new volume",
        "shown to nobody",
        (),
    )
}

async fn a_masked_volume_is_told_from_both_sides(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    array.session.volume_mask(&group, &volume).await?;
    until_shown(&mut array, &group, &volume, true).await
}

async fn an_unmasked_volume_is_told_by_neither_side(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    array.session.volume_mask(&group, &volume).await?;
    array.session.volume_unmask(&group, &volume).await?;
    until_shown(&mut array, &group, &volume, false).await
}

async fn masking_twice_is_no_change(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    array.session.volume_mask(&group, &volume).await?;
    refused(
        "masking again",
        array.session.volume_mask(&group, &volume).await,
        &[ErrorNumber::NoStateChange],
    )?;
    until_shown(&mut array, &group, &volume, true).await
}

async fn unmasking_what_is_not_masked_is_no_change(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    let outcome = array.session.volume_unmask(&group, &volume).await;
    refused("unmasking what is not masked", outcome, &[ErrorNumber::NoStateChange])
}

async fn a_masked_volume_is_not_deleted(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    array.session.volume_mask(&group, &volume).await?;
    let outcome = array.session.volume_delete(&volume).await;
    refused("deleting a masked volume", outcome, &[ErrorNumber::IsMasked])?;
    array.until_listed(&volume).await?;
    until_shown(&mut array, &group, &volume, true).await
}

async fn a_group_with_masked_volumes_is_not_deleted(stage: &Stage) -> Verdict {
    let (mut array, group, volume) = both(stage).await?;
    array.session.volume_mask(&group, &volume).await?;
    let outcome = array.session.access_group_delete(&group).await;
    refused("deleting a group with masked volumes", outcome, &[ErrorNumber::IsMasked])?;
    until_shown(&mut array, &group, &volume, true).await
}

async fn one_volume_is_shown_to_two_groups(stage: &Stage) -> Verdict {
    let (mut array, one, volume) = both(stage).await?;
    let other = array.group().await?;
    array.session.volume_mask(&one, &volume).await?;
    array.session.volume_mask(&other, &volume).await?;
    until_shown(&mut array, &one, &volume, true).await?;
    until_shown(&mut array, &other, &volume, true).await?;
    array.session.volume_unmask(&one, &volume).await?;
    until_shown(&mut array, &one, &volume, false).await?;
    until_shown(&mut array, &other, &volume, true).await
}

async fn one_group_is_shown_two_volumes(stage: &Stage) -> Verdict {
    let (mut array, group, one) = both(stage).await?;
    let other = array.volume().await?;
    array.session.volume_mask(&group, &one).await?;
    array.session.volume_mask(&group, &other).await?;
    array.session.volume_unmask(&group, &one).await?;
    until_shown(&mut array, &group, &one, false).await?;
    until_shown(&mut array, &group, &other, true).await
}

async fn chap_is_set_and_taken_back(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array
        .needs(&[Capability::VOLUME_ISCSI_CHAP_AUTHENTICATION, Capability::ACCESS_GROUP_CREATE_ISCSI_IQN])?;
    let group = array.group().await?;
    let initiator = group.init_ids.first().cloned().unwrap_or_default();
    let (user, secret) = (Some("conformance"), Some("a secret of 16 b"));
    array.session.iscsi_chap_auth(&initiator, user, secret, None, None).await?;
    equal("taking it back", array.session.iscsi_chap_auth(&initiator, None, None, None, None).await?, ())
}

/// Waits for both sides to tell the same.
pub(super) async fn until_shown(
    array: &mut Array<'_>,
    group: &AccessGroup,
    volume: &Volume,
    shown: bool,
) -> Verdict {
    let (group, volume) = (group.clone(), volume.clone());
    let expected = if shown { "both sides tell of the mask" } else { "neither side tells of a mask" };
    array
        .until("the volumes of the group and the groups of the volume", expected, async |array| {
            let volumes = array.session.volumes_accessible_by_access_group(&group).await?;
            let groups = array.session.access_groups_granted_to_volume(&volume).await?;
            let by_group = volumes.iter().any(|seen| seen.id == volume.id);
            let by_volume = groups.iter().any(|seen| seen.id == group.id);
            Ok(Look::at(by_group == shown && by_volume == shown, (volumes, groups)))
        })
        .await
}
