//! Doing things again: a client that lost a reply will.

use std::collections::BTreeSet;

use sanfleet_driver::{Capability, ElementType, ErrorNumber, Provisioning, ReplicateType, Volume, VolumeKey};

use crate::{
    array::Array,
    check::checks,
    expect::{Verdict, equal, refused, that},
    stage::Stage,
};

checks!("idempotence", changes [
    making_a_volume_again_makes_no_second_one,
    deleting_a_volume_again_deletes_no_other,
    cloning_a_volume_again_makes_no_second_one,
    a_record_that_is_out_of_date_still_names_its_volume,
    a_refused_call_changes_nothing,
]);

async fn making_a_volume_again_makes_no_second_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.volume().await?;
    let pool = array.pool(ElementType::VOLUME).await?;
    for _ in 0..3 {
        let again =
            array.session.volume_create(&pool, &made.name, stage.options.size, Provisioning::DEFAULT).await;
        refused("making it again", again, &[ErrorNumber::NameConflict])?;
    }
    super::volume::only_one(&mut array, &made).await
}

async fn deleting_a_volume_again_deletes_no_other(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let first = array.volume().await?;
    array.delete(&first).await?;
    array.until_gone(&first).await?;
    // It may well get what the deleted one had: its number, its place, its name.
    let second = array.volume_named(&first.name, stage.options.size).await?;
    refused("deleting it again", array.session.volume_delete(&first).await, &[ErrorNumber::NotFoundVolume])?;
    array.until_listed(&second).await
}

async fn cloning_a_volume_again_makes_no_second_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind: ReplicateType = super::replicate::any_kind(&array)?;
    let source = array.volume().await?;
    let clone = super::replicate::replicate(&mut array, kind, &source).await?;
    let again = array.session.volume_replicate(None, kind, &source, &clone.name).await;
    refused("cloning it again", again, &[ErrorNumber::NameConflict])?;
    super::volume::only_one(&mut array, &clone).await
}

async fn a_record_that_is_out_of_date_still_names_its_volume(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.volume().await?;
    let stale = Volume { name: "another name".into(), num_of_blocks: Some(1), ..made.clone() };
    array.delete(&stale).await?;
    array.until_gone(&made).await
}

async fn a_refused_call_changes_nothing(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (group, volume) = (array.group().await?, array.volume().await?);
    array.needs(&[Capability::VOLUME_UNMASK])?;
    array.until_listed(&volume).await?;
    let before = own(&mut array).await?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let (initiator, kind) = array.initiator()?;
    let size = stage.options.size;
    refused(
        "a taken name",
        array.session.volume_create(&pool, &volume.name, size, Provisioning::DEFAULT).await,
        &[ErrorNumber::NameConflict],
    )?;
    refused("no mask", array.session.volume_unmask(&group, &volume).await, &[ErrorNumber::NoStateChange])?;
    refused(
        "a taken name",
        array.session.access_group_create(&group.name, &initiator, kind, &array.system).await,
        &[ErrorNumber::NameConflict],
    )?;
    equal("what is ours", own(&mut array).await?, before)?;
    // The initiator of the refused group is free.
    let made = array.session.access_group_create(&stage.name(), &initiator, kind, &array.system).await?;
    that(made.init_ids == [initiator], "a group with that initiator", "made", &made)
}

async fn own(array: &mut Array<'_>) -> Verdict<BTreeSet<(VolumeKey, String)>> {
    let volumes = array.session.volumes(None).await?;
    let own = volumes.into_iter().filter(|volume| array.stage.is_own(&volume.name));
    Ok(own.map(|volume| (volume.id, volume.name)).collect())
}
