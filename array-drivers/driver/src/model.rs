//! The records of the protocol: each travels as a JSON object whose `class` names it.
//!
//! What a peer leaves out although it may, or sends as null, reads as empty; keys we do not know are passed over. What we write
//! is what the strictest peer takes: every mandatory key, no null where a C client would follow it.

mod access_group;
mod battery;
mod block_range;
mod cache;
mod count;
mod disk;
mod file_system;
mod id;
mod nfs_export;
mod pool;
mod raid;
mod system;
mod target_port;
mod text;
mod volume;

pub use access_group::{AccessGroup, InitiatorType};
pub use battery::{Battery, BatteryStatus, BatteryType};
pub use block_range::BlockRange;
pub use cache::{CacheInfo, PhysicalDiskCache, ReadCache, WriteCachePolicy, WriteCacheStatus};
pub use disk::{Disk, DiskStatus, DiskType, LinkType, Rpm};
pub use file_system::{FileSystem, Snapshot};
pub use id::{
    AccessGroupId, BatteryId, DiskId, FileSystemId, JobId, NfsExportId, PoolId, SnapshotId, SystemId,
    TargetPortId, VolumeKey,
};
pub use nfs_export::{AnonymousId, NfsExport};
pub use pool::{ElementType, Pool, PoolStatus, UnsupportedActions};
pub use raid::{MemberType, PoolMemberInfo, RaidCreateCapabilities, RaidInfo, RaidType};
pub use system::{System, SystemMode, SystemStatus};
pub use target_port::{PortType, TargetPort};
pub(crate) use volume::STAND_IN;
pub use volume::{AdminState, Provisioning, ReplicateType, Volume, VolumeCreateFlags};
