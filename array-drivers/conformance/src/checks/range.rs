//! Copying pieces of volumes.

use sanfleet_driver::{BlockRange, Capability, ErrorNumber, ReplicateType, Volume};

use crate::{
    array::Array,
    check::checks,
    expect::{Verdict, refused, skip, that},
    ghost,
    stage::Stage,
};

checks!("range", reads [
    the_block_of_a_range_is_told_per_system,
], changes [
    a_range_goes_from_one_volume_to_another,
    a_range_goes_from_one_place_of_a_volume_to_another,
    a_range_beyond_the_end_is_refused,
    a_range_onto_itself_is_refused,
    a_range_of_nothing_is_refused,
]);

async fn the_block_of_a_range_is_told_per_system(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_COPY_RANGE_BLOCK_SIZE])?;
    let system = array.system.clone();
    let size = array.session.volume_replicate_range_block_size(&system).await?;
    that(size.is_power_of_two(), "the block of a range", "a power of two", size)?;
    let nowhere = array.session.volume_replicate_range_block_size(&ghost::system()).await;
    refused("the block of a range on no system", nowhere, &[ErrorNumber::NotFoundSystem])
}

async fn a_range_goes_from_one_volume_to_another(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = kind(&array)?;
    let (source, target) = (array.volume().await?, array.volume().await?);
    let ranges = [range(0, 8, 8), range(64, 0, 8)];
    let job = array.session.volume_replicate_range(kind, &source, &target, &ranges).await?;
    array.done(job).await
}

async fn a_range_goes_from_one_place_of_a_volume_to_another(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = kind(&array)?;
    let volume = array.volume().await?;
    let job = array.session.volume_replicate_range(kind, &volume, &volume, &[range(0, 16, 8)]).await?;
    array.done(job).await
}

async fn a_range_beyond_the_end_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = kind(&array)?;
    let (source, target) = (array.volume().await?, array.volume().await?);
    let beyond = blocks(&mut array, &source).await?;
    for bad in [range(beyond, 0, 1), range(0, beyond, 1), range(0, 0, beyond + 1), range(u64::MAX, 0, 2)] {
        refuses(&mut array, kind, &source, &target, bad).await?;
    }
    Ok(())
}

async fn a_range_onto_itself_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = kind(&array)?;
    let volume = array.volume().await?;
    refuses(&mut array, kind, &volume, &volume, range(0, 4, 8)).await
}

async fn a_range_of_nothing_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = kind(&array)?;
    let (source, target) = (array.volume().await?, array.volume().await?);
    refuses(&mut array, kind, &source, &target, range(0, 0, 0)).await
}

async fn refuses(
    array: &mut Array<'_>,
    kind: ReplicateType,
    source: &Volume,
    target: &Volume,
    bad: BlockRange,
) -> Verdict {
    let outcome = array.session.volume_replicate_range(kind, source, target, &[bad]).await;
    refused(&format!("the range {bad:?}"), outcome, &[ErrorNumber::InvalidArgument])
}

fn kind(array: &Array<'_>) -> Verdict<ReplicateType> {
    array.needs(&[Capability::VOLUME_COPY_RANGE, Capability::VOLUME_COPY_RANGE_BLOCK_SIZE])?;
    match [
        (ReplicateType::COPY, Capability::VOLUME_COPY_RANGE_COPY),
        (ReplicateType::CLONE, Capability::VOLUME_COPY_RANGE_CLONE),
    ]
    .into_iter()
    .find(|(_, capability)| array.claims(*capability))
    {
        Some((kind, _)) => Ok(kind),
        None => skip("no kind of range copy is claimed"),
    }
}

async fn blocks(array: &mut Array<'_>, volume: &Volume) -> Verdict<u64> {
    let system = array.system.clone();
    let block = array.session.volume_replicate_range_block_size(&system).await?;
    match volume.size_bytes() {
        Some(size) => Ok(size / block.max(1)),
        None => skip("the array does not tell the size"),
    }
}

fn range(src_block: u64, dest_block: u64, block_count: u64) -> BlockRange {
    BlockRange { src_block, dest_block, block_count }
}
