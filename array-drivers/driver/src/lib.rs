//! The array model, the driver trait, and both ends of the libStorageMgmt plug-in protocol.
//!
//! A driver implements [`ArrayDriver`] and hands itself to [`run_plugin`]; a controller talks to any driver, ours or another's,
//! through `client::Session`. Both ends share one table of methods, one frame and one model.
//! This crate knows the protocol and no array: it keeps no state, retries nothing, and decides nothing about volumes.

#[cfg(test)]
extern crate self as sanfleet_driver;

mod capability;
#[cfg(feature = "client")]
pub mod client;
mod error;
mod extension;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod hang_up;
mod inherited;
mod initiator;
mod job;
mod legacy;
mod message;
mod method;
mod model;
mod number;
mod plugin;
mod search;
mod self_check;
mod serve;
mod uri;

pub use capability::{Capabilities, Capability};
pub use error::{ErrorNumber, LsmError};
pub use extension::{
    Change, ChangeKind, Changes, JobFailure, Mapping, Page, Replication, ReplicationState, VolumeDetail,
};
pub use frame::{FrameBuffer, FrameError, MAX_FRAME, encode_frame};
pub use job::{JobItem, JobOr, JobState, JobStatus};
pub use method::{ArrayDriver, Implemented, PluginInfo, is_method};
pub use model::*;
pub use plugin::run_plugin;
pub use sanfleet_driver_macro::array_driver;
pub use search::{Search, Searchable};
pub use serve::{Ended, ServeError, serve};
pub use uri::{Uri, UriError};
