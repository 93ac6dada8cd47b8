//! Disks, what is made of them, and the lights on them.

use sanfleet_driver::{Capability, Disk, DiskStatus, ErrorNumber, MemberType, RaidType};

use crate::{
    array::Array,
    check::checks,
    expect::{Verdict, equal, refused, skip, that},
    ghost,
    stage::Stage,
};

checks!("disk", reads [
    the_members_of_a_pool_are_listed,
    a_system_tells_how_volumes_can_be_made_of_its_disks,
], changes [
    the_layout_of_a_volume_makes_sense,
    the_light_of_a_volume_goes_on_and_off,
    a_volume_of_disks_that_are_not_there_is_refused,
    a_volume_of_too_few_disks_is_refused,
    a_volume_is_made_of_free_disks_which_are_then_not_free,
]);

async fn the_members_of_a_pool_are_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::POOL_MEMBER_INFO])?;
    let pools = array.session.pools(None).await?;
    let disks = if array.claims(Capability::DISKS) { Some(array.session.disks(None).await?) } else { None };
    for pool in &pools {
        let info = array.session.pool_member_info(pool).await?;
        let is_listed = |id: &String| match (info.member_type, &disks) {
            (MemberType::POOL, _) => pools.iter().any(|pool| pool.id.as_str() == id),
            (MemberType::DISK, Some(disks)) => disks.iter().any(|disk| disk.id.as_str() == id),
            _ => true,
        };
        that(
            info.members.iter().all(is_listed),
            "the members of a pool",
            "disks or pools that are listed",
            &info,
        )?;
    }
    Ok(())
}

async fn a_system_tells_how_volumes_can_be_made_of_its_disks(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RAID_CREATE])?;
    let system = array.system.clone();
    let choices = array.session.volume_raid_create_cap_get(&system).await?;
    that(!choices.raid_types.is_empty(), "the RAID types", "at least one", &choices)?;
    that(choices.strip_sizes.iter().all(|size| *size > 0), "the strip sizes", "bytes", &choices)?;
    let nowhere = array.session.volume_raid_create_cap_get(&ghost::system()).await;
    refused("the choices of no system", nowhere, &[ErrorNumber::NotFoundSystem])
}

async fn the_layout_of_a_volume_makes_sense(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RAID_INFO])?;
    let volume = array.volume().await?;
    let info = array.session.volume_raid_info(&volume).await?;
    let named = info.raid_type.name().is_some();
    let sizes = [info.strip_size, info.disk_count, info.min_io_size, info.opt_io_size];
    that(
        named && sizes.iter().all(|size| *size >= 0),
        "the layout",
        "a known RAID type, and nothing below 0",
        info,
    )?;
    that(
        info.min_io_size <= info.opt_io_size || info.opt_io_size == 0,
        "its I/O sizes",
        "the least at most the best",
        info,
    )
}

async fn the_light_of_a_volume_goes_on_and_off(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_LED])?;
    let volume = array.volume().await?;
    array.session.volume_ident_led_on(&volume).await?;
    equal("switching it off", array.session.volume_ident_led_off(&volume).await?, ())
}

async fn a_volume_of_disks_that_are_not_there_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RAID_CREATE])?;
    let (kind, count) = kind(&mut array).await?;
    let disks = vec![ghost::disk(&array.system); count];
    let outcome = array.session.volume_raid_create(&stage.name(), kind, &disks, 0).await;
    refused(
        "a volume of no disks that are there",
        outcome,
        &[ErrorNumber::NotFoundDisk, ErrorNumber::InvalidArgument],
    )
}

async fn a_volume_of_too_few_disks_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RAID_CREATE, Capability::DISKS])?;
    let free = free(&mut array).await?;
    let Some(disk) = free.first().cloned() else { return skip("no disk is free") };
    let outcome = array.session.volume_raid_create(&stage.name(), RaidType::RAID1, &[disk], 0).await;
    refused("a mirror of one disk", outcome, &[ErrorNumber::InvalidArgument, ErrorNumber::NoSupport])
}

async fn a_volume_is_made_of_free_disks_which_are_then_not_free(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    if !stage.options.disks {
        return skip("taking free disks was not allowed");
    }
    array.needs(&[Capability::VOLUME_RAID_CREATE, Capability::DISKS, Capability::VOLUME_DELETE])?;
    let (kind, count) = kind(&mut array).await?;
    let disks: Vec<Disk> = alike(free(&mut array).await?, count)?;
    let made = array.session.volume_raid_create(&stage.name(), kind, &disks, 0).await?;
    array.until_listed(&made).await?;
    let again = array.session.volume_raid_create(&stage.name(), kind, &disks, 0).await;
    refused("a second volume of the same disks", again, &[ErrorNumber::DiskNotFree])?;
    array.delete(&made).await?;
    let now: Vec<_> = free(&mut array).await?.into_iter().map(|disk| disk.id).collect();
    that(disks.iter().all(|disk| now.contains(&disk.id)), "the disks of a deleted volume", "free again", now)
}

/// The RAID type that takes fewest disks of those that the array offers.
async fn kind(array: &mut Array<'_>) -> Verdict<(RaidType, usize)> {
    let system = array.system.clone();
    let choices = array.session.volume_raid_create_cap_get(&system).await?;
    let fewest = |kind: RaidType| (2..=8).find(|count| kind.takes_disks(*count)).map(|count| (kind, count));
    match choices.raid_types.into_iter().filter_map(fewest).min_by_key(|(_, count)| *count) {
        Some(kind) => Ok(kind),
        None => skip("no RAID type that takes up to eight disks"),
    }
}

async fn free(array: &mut Array<'_>) -> Verdict<Vec<Disk>> {
    let disks = array.session.disks(None).await?;
    Ok(disks.into_iter().filter(|disk| disk.status.contains(DiskStatus::FREE)).collect())
}

/// Arrays mix neither kinds nor sizes; the smallest disks are taken.
fn alike(mut disks: Vec<Disk>, count: usize) -> Verdict<Vec<Disk>> {
    let kind = |disk: &Disk| (disk.num_of_blocks, disk.disk_type, disk.link_type);
    disks.sort_by_key(kind);
    match disks.chunk_by(|a, b| kind(a) == kind(b)).find(|same| same.len() >= count) {
        Some(same) => Ok(same.iter().take(count).cloned().collect()),
        None => skip("there are too few free disks of one kind"),
    }
}
