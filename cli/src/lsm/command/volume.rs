//! Volumes.

use sanfleet_driver::{ErrorNumber, Provisioning, Volume};

use crate::lsm::{
    args::{
        VolumeAccessGroup, VolumeCacheInfo, VolumeCreate, VolumeDelete, VolumeDependants, VolumeDependantsRm,
        VolumeDisable, VolumeEnable, VolumeIdentLedOff, VolumeIdentLedOn, VolumeMask,
        VolumePhyDiskCacheUpdate, VolumeReadCachePolicyUpdate, VolumeReplicate, VolumeResize, VolumeUnmask,
        VolumeWriteCachePolicyUpdate,
    },
    console::Console,
    layout::CacheRow,
    stop::Stop,
};

pub async fn create(console: &mut Console<'_>, args: VolumeCreate) -> Result<(), Stop> {
    let pool = console.pool(&args.pool).await?;
    let provisioning = args.provisioning.unwrap_or(Provisioning::DEFAULT);
    let answer = console.session.volume_create(&pool, &args.name, args.size.0, provisioning).await?;
    let volume = console.made("volume-create", answer).await?;
    console.show_volumes(vec![volume])
}

pub async fn delete(console: &mut Console<'_>, args: VolumeDelete) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    if !console.may_lose_data(true)? {
        return Ok(());
    }
    let job = console.session.volume_delete(&volume).await?;
    console.done("volume-delete", job).await
}

pub async fn resize(console: &mut Console<'_>, args: VolumeResize) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    if volume.size_bytes() == Some(args.size.0) {
        return Err(Stop::refused(ErrorNumber::NoStateChange, "Specified size same as current"));
    }
    if !console.may_lose_data(false)? {
        return Ok(());
    }
    let answer = console.session.volume_resize(&volume, args.size.0).await?;
    let volume = console.made("resize", answer).await?;
    console.show_volumes(vec![volume])
}

pub async fn replicate(console: &mut Console<'_>, args: VolumeReplicate) -> Result<(), Stop> {
    let pool = match args.pool.as_deref().filter(|pool| !pool.is_empty()) {
        Some(pool) => Some(console.pool(pool).await?),
        None => None,
    };
    let source = console.volume(&args.vol).await?;
    let answer = console.session.volume_replicate(pool.as_ref(), args.rep_type, &source, &args.name).await?;
    let volume = console.made("replicate volume", answer).await?;
    console.show_volumes(vec![volume])
}

pub async fn dependants(console: &mut Console<'_>, args: VolumeDependants) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    let has = console.session.volume_child_dependency(&volume).await?;
    console.out.say(truth(has), has)
}

pub async fn dependants_rm(console: &mut Console<'_>, args: VolumeDependantsRm) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    let job = console.session.volume_child_dependency_rm(&volume).await?;
    console.done("volume-dependant-rm", job).await
}

pub async fn access_groups(console: &mut Console<'_>, args: VolumeAccessGroup) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    let groups = console.session.access_groups_granted_to_volume(&volume).await?;
    console.out.show(&groups)
}

pub async fn mask(console: &mut Console<'_>, args: VolumeMask) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    let group = console.access_group(&args.ag).await?;
    Ok(console.session.volume_mask(&group, &volume).await?)
}

pub async fn unmask(console: &mut Console<'_>, args: VolumeUnmask) -> Result<(), Stop> {
    let group = console.access_group(&args.ag).await?;
    let volume = console.volume(&args.vol).await?;
    Ok(console.session.volume_unmask(&group, &volume).await?)
}

pub async fn enable(console: &mut Console<'_>, args: VolumeEnable) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    Ok(console.session.volume_enable(&volume).await?)
}

pub async fn disable(console: &mut Console<'_>, args: VolumeDisable) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    Ok(console.session.volume_disable(&volume).await?)
}

pub async fn ident_led_on(console: &mut Console<'_>, args: VolumeIdentLedOn) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    Ok(console.session.volume_ident_led_on(&volume).await?)
}

pub async fn ident_led_off(console: &mut Console<'_>, args: VolumeIdentLedOff) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    Ok(console.session.volume_ident_led_off(&volume).await?)
}

pub async fn cache_info(console: &mut Console<'_>, args: VolumeCacheInfo) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    show_cache(console, volume).await
}

pub async fn phy_disk_cache_update(
    console: &mut Console<'_>,
    args: VolumePhyDiskCacheUpdate,
) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    console.session.volume_physical_disk_cache_update(&volume, args.policy).await?;
    show_cache(console, volume).await
}

pub async fn read_cache_policy_update(
    console: &mut Console<'_>,
    args: VolumeReadCachePolicyUpdate,
) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    console.session.volume_read_cache_policy_update(&volume, args.policy).await?;
    show_cache(console, volume).await
}

pub async fn write_cache_policy_update(
    console: &mut Console<'_>,
    args: VolumeWriteCachePolicyUpdate,
) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    console.session.volume_write_cache_policy_update(&volume, args.policy).await?;
    show_cache(console, volume).await
}

async fn show_cache(console: &mut Console<'_>, volume: Volume) -> Result<(), Stop> {
    let info = console.session.volume_cache_info(&volume).await?;
    console.out.show(&[CacheRow { volume_id: volume.id, info }])
}

/// As Python says it.
pub(super) fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
