//! Arrays: each with a pool of sessions with its driver, which runs and looking share.
//!
//! A driver that crashes, hangs or talks nonsense costs its own call and nothing else. The controller never speaks to an
//! array itself.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use sanfleet_driver::{LsmError, client::ClientError};
use sanfleet_protocol::{ArrayId, VolumeId};
use tokio::sync::Notify;

mod access;
mod definition;
mod handle;
mod look;
mod volumes;

pub use access::{AccessGroupName, Grant};
pub use definition::{ArrayDefinition, DefinitionError};
pub use handle::ArrayHandle;
pub use look::Looker;

/// Why a call to an array has no good result.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    #[error("no array is named {0}")]
    Unknown(ArrayId),
    #[error("array {array}, {what}")]
    Driver {
        array: ArrayId,
        what: &'static str,
        #[source]
        source: ClientError,
    },
    /// The array's own id now stands for another volume than it did.
    #[error("array {array}: {volume} is volume {found}, not {wanted}")]
    WrongVolume { array: ArrayId, volume: String, wanted: VolumeId, found: String },
    #[error("array {array}: access group {group} has initiators of other hosts: {others}")]
    ForeignInitiators { array: ArrayId, group: String, others: String },
    #[error("array {array} did not do it: {what}")]
    NotVerified { array: ArrayId, what: String },
}

impl ArrayError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Driver { source, .. } => source.is_retryable(),
            Self::NotVerified { .. } => true,
            Self::Unknown(_) | Self::WrongVolume { .. } | Self::ForeignInitiators { .. } => false,
        }
    }

    /// What the array itself said, when it was the array.
    pub fn by_array(&self) -> Option<&LsmError> {
        match self {
            Self::Driver { source: ClientError::Array(error), .. } => Some(error),
            _ => None,
        }
    }
}

/// All arrays of this controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Arrays {
    driver_dir: PathBuf,
    known: Arc<RwLock<BTreeMap<ArrayId, ArrayHandle>>>,
    look_again: Arc<Notify>,
}

impl Arrays {
    /// `driver_dir` holds the executables `<kind>_lsmplugin`.
    pub fn new(driver_dir: PathBuf) -> Self {
        Self { driver_dir, known: Arc::default(), look_again: Arc::default() }
    }

    /// Makes an array known. Nothing is started before it is used.
    pub fn add(&self, definition: ArrayDefinition) -> ArrayHandle {
        let handle = self.unknown(definition);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(handle.name().clone(), handle.clone());
        handle
    }

    pub fn get(&self, array: &ArrayId) -> Result<ArrayHandle, ArrayError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(array).cloned().ok_or_else(|| ArrayError::Unknown(array.clone()))
    }

    /// An array to try before it is made known.
    pub fn unknown(&self, definition: ArrayDefinition) -> ArrayHandle {
        ArrayHandle::new(definition, &self.driver_dir)
    }

    /// Has every array listed again soon, because we changed something.
    pub fn look_again(&self) {
        self.look_again.notify_waiters();
    }

    pub(crate) fn look_again_signal(&self) -> Arc<Notify> {
        Arc::clone(&self.look_again)
    }
}
