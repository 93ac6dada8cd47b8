//! The records of the protocol: each travels as a JSON object whose `class` names it.
//!
//! What a peer leaves out although it may, or sends as null, reads as empty; keys we do not know are passed over. What we write
//! is what the strictest peer takes: every mandatory key, no null where a C client would follow it.

mod access_group;
mod count;
mod id;
mod pool;
mod system;
mod target_port;
mod text;
mod volume;

pub use access_group::{AccessGroup, InitiatorType};
pub use id::{AccessGroupId, JobId, PoolId, SystemId, TargetPortId, VolumeKey};
pub use pool::{ElementType, Pool, PoolStatus, UnsupportedActions};
pub use system::{System, SystemMode, SystemStatus};
pub use target_port::{PortType, TargetPort};
pub use volume::{AdminState, Provisioning, ReplicateType, Volume};
