//! One file a noun. Each command looks up what it was told, asks the array, and shows the answer.

mod access_group;
mod export;
mod fs;
mod job;
mod list;
mod local;
mod plugin;
mod raid;
mod range;
mod snapshot;
mod system;
mod volume;

pub use local::run_here;
pub use plugin::list as list_plugins;

use super::{args::Command, console::Console, stop::Stop, sysfs::Folder};

/// Carries out a command that needs an array.
pub async fn run(console: &mut Console<'_>, command: Command) -> Result<(), Stop> {
    match command {
        Command::List(args) => list::list(console, args).await,
        Command::JobStatus(args) => job::status(console, args).await,
        Command::PluginInfo(_) => plugin::info(console).await,
        Command::Capabilities(args) => system::capabilities(console, args).await,
        Command::SystemReadCachePctUpdate(args) => system::read_cache_pct_update(console, args).await,

        Command::VolumeCreate(args) => volume::create(console, args).await,
        Command::VolumeDelete(args) => volume::delete(console, args).await,
        Command::VolumeResize(args) => volume::resize(console, args).await,
        Command::VolumeReplicate(args) => volume::replicate(console, args).await,
        Command::VolumeDependants(args) => volume::dependants(console, args).await,
        Command::VolumeDependantsRm(args) => volume::dependants_rm(console, args).await,
        Command::VolumeAccessGroup(args) => volume::access_groups(console, args).await,
        Command::VolumeMask(args) => volume::mask(console, args).await,
        Command::VolumeUnmask(args) => volume::unmask(console, args).await,
        Command::VolumeEnable(args) => volume::enable(console, args).await,
        Command::VolumeDisable(args) => volume::disable(console, args).await,
        Command::VolumeIdentLedOn(args) => volume::ident_led_on(console, args).await,
        Command::VolumeIdentLedOff(args) => volume::ident_led_off(console, args).await,
        Command::VolumeCacheInfo(args) => volume::cache_info(console, args).await,
        Command::VolumePhyDiskCacheUpdate(args) => volume::phy_disk_cache_update(console, args).await,
        Command::VolumeReadCachePolicyUpdate(args) => volume::read_cache_policy_update(console, args).await,
        Command::VolumeWriteCachePolicyUpdate(args) => volume::write_cache_policy_update(console, args).await,
        Command::VolumeReplicateRange(args) => range::replicate(console, args).await,
        Command::VolumeReplicateRangeBlockSize(args) => range::block_size(console, args).await,
        Command::VolumeRaidInfo(args) => raid::volume_info(console, args).await,
        Command::VolumeRaidCreate(args) => raid::create(console, args).await,
        Command::VolumeRaidCreateCap(args) => raid::create_cap(console, args).await,
        Command::PoolMemberInfo(args) => raid::pool_member_info(console, args).await,

        Command::AccessGroupCreate(args) => access_group::create(console, args).await,
        Command::AccessGroupAdd(args) => access_group::add(console, args).await,
        Command::AccessGroupRemove(args) => access_group::remove(console, args).await,
        Command::AccessGroupDelete(args) => access_group::delete(console, args).await,
        Command::AccessGroupVolumes(args) => access_group::volumes(console, args).await,
        Command::IscsiChap(args) => access_group::iscsi_chap(console, args).await,

        Command::FsCreate(args) => fs::create(console, args).await,
        Command::FsDelete(args) => fs::delete(console, args).await,
        Command::FsResize(args) => fs::resize(console, args).await,
        Command::FsClone(args) => fs::clone(console, args).await,
        Command::FileClone(args) => fs::clone_file(console, args).await,
        Command::FsDependants(args) => fs::dependants(console, args).await,
        Command::FsDependantsRm(args) => fs::dependants_rm(console, args).await,
        Command::FsSnapCreate(args) => snapshot::create(console, args).await,
        Command::FsSnapDelete(args) => snapshot::delete(console, args).await,
        Command::FsSnapRestore(args) => snapshot::restore(console, args).await,
        Command::FsExport(args) => export::export(console, args).await,
        Command::FsUnexport(args) => export::unexport(console, args).await,

        here @ (Command::LocalDiskList(_)
        | Command::LocalDiskIdentLedOn(_)
        | Command::LocalDiskIdentLedOff(_)
        | Command::LocalDiskFaultLedOn(_)
        | Command::LocalDiskFaultLedOff(_)
        | Command::LocalLedSlotList(_)
        | Command::LocalLedSlotSet(_)) => run_here(&console.out, &Folder::root(), &here).unwrap_or(Ok(())),
    }
}
