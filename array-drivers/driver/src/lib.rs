//! The array model, the driver trait, and both ends of the libStorageMgmt plug-in protocol.
//!
//! A driver implements [`ArrayDriver`] and hands itself to [`run_plugin`]; a controller talks to any driver, ours or another's,
//! through `client::Session`. Both ends share one table of calls, one frame and one model.
//! This crate knows the protocol and no array: it keeps no state, retries nothing, and decides nothing about volumes.

mod call;
mod capability;
#[cfg(feature = "client")]
pub mod client;
mod driver;
mod error;
mod frame;
mod inherited;
mod job;
mod message;
mod model;
mod number;
mod plugin;
mod search;
mod serve;
mod uri;

pub use capability::{Capabilities, Capability};
pub use driver::{ArrayDriver, PluginInfo};
pub use error::{ErrorNumber, LsmError};
pub use frame::{FrameBuffer, FrameError, MAX_FRAME, encode_frame};
pub use job::{JobItem, JobOr, JobState, JobStatus};
pub use model::{
    AccessGroup, AccessGroupId, AdminState, ElementType, InitiatorType, JobId, Pool, PoolId, PoolStatus,
    PortType, Provisioning, ReplicateType, System, SystemId, SystemMode, SystemStatus, TargetPort,
    TargetPortId, UnsupportedActions, Volume, VolumeKey,
};
pub use plugin::run_plugin;
pub use search::{Search, Searchable};
pub use serve::{Ended, ServeError, serve};
pub use uri::{Uri, UriError};
