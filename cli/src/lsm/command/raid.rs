//! How volumes and pools are laid out over disks, and volumes made of whole disks.

use sanfleet_driver::{Disk, DiskStatus, ErrorNumber};

use crate::lsm::{
    args::{PoolMemberInfo, VolumeRaidCreate, VolumeRaidCreateCap, VolumeRaidInfo},
    console::Console,
    layout::{PoolRow, RaidCreateRow, RaidRow},
    stop::Stop,
};

pub async fn volume_info(console: &mut Console<'_>, args: VolumeRaidInfo) -> Result<(), Stop> {
    let volume = console.volume(&args.vol).await?;
    let info = console.session.volume_raid_info(&volume).await?;
    console.out.show(&[RaidRow { volume_id: volume.id, info }])
}

pub async fn pool_member_info(console: &mut Console<'_>, args: PoolMemberInfo) -> Result<(), Stop> {
    let pool = console.pool(&args.pool).await?;
    let info = console.session.pool_member_info(&pool).await?;
    console.out.show(&[PoolRow { pool_id: pool.id, info }])
}

pub async fn create_cap(console: &mut Console<'_>, args: VolumeRaidCreateCap) -> Result<(), Stop> {
    let system = console.system(&args.sys).await?;
    let info = console.session.volume_raid_create_cap_get(&system).await?;
    console.out.show(&[RaidCreateRow { system_id: system.id, info }])
}

/// Strip size 0 leaves the choice to the array.
pub async fn create(console: &mut Console<'_>, args: VolumeRaidCreate) -> Result<(), Stop> {
    let disks = free_disks(console, &args.disk.0).await?;
    if !args.raid_type.takes_disks(disks.len()) {
        let name = args.raid_type.name().unwrap_or("this RAID type");
        let why = format!("{name} cannot be made of {} disks", disks.len());
        return Err(Stop::refused(ErrorNumber::InvalidArgument, why));
    }
    let strip_size = args.strip_size.map_or(0, |size| size.0);
    let volume = console.session.volume_raid_create(&args.name, args.raid_type, &disks, strip_size).await?;
    console.show_volumes(vec![volume])
}

async fn free_disks(console: &mut Console<'_>, ids: &[String]) -> Result<Vec<Disk>, Stop> {
    let all = console.session.disks(None).await?;
    let missing: Vec<&str> =
        ids.iter().filter(|id| !all.iter().any(|disk| disk.id.as_str() == *id)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Stop::refused(
            ErrorNumber::NotFoundDisk,
            format!("Disk ID {} not found", missing.join(", ")),
        ));
    }
    let chosen: Vec<Disk> =
        all.into_iter().filter(|disk| ids.iter().any(|id| disk.id.as_str() == id)).collect();
    let busy: Vec<&str> = chosen
        .iter()
        .filter(|disk| !disk.status.contains(DiskStatus::FREE))
        .map(|disk| disk.id.as_str())
        .collect();
    if !busy.is_empty() {
        return Err(Stop::refused(ErrorNumber::DiskNotFree, format!("Disk {} is not free", busy.join(", "))));
    }
    Ok(chosen)
}
