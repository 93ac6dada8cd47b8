//! An array as the catalog knows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sanfleet_driver::{PoolId, VolumeKey};
use sanfleet_protocol::{ArrayId, Initiator, VolumeId};

use crate::matching::VolumeRef;

#[derive(Debug, Clone)]
pub struct ArrayRecord {
    pub name: ArrayId,
    /// Without any password.
    pub uri: String,
    /// The scheme of the URI: which driver it has.
    pub kind: String,
    /// The newest listing that succeeded.
    pub state: Option<Arc<ArrayState>>,
    /// Why the newest one did not, if so.
    pub error: Option<String>,
}

impl ArrayRecord {
    pub fn is_simulated(&self) -> bool {
        self.kind == "sim"
    }
}

/// One listing of an array.
#[derive(Debug, Clone, Default)]
pub struct ArrayState {
    /// What the driver says of itself: description and version.
    pub driver: String,
    pub systems: usize,
    pub pools: Vec<PoolRecord>,
    pub volumes: BTreeMap<VolumeKey, VolumeRecord>,
}

#[derive(Debug, Clone)]
pub struct PoolRecord {
    pub id: PoolId,
    pub name: String,
    pub total_bytes: u64,
    pub free_bytes: u64,
}

#[derive(Debug, Clone)]
pub struct VolumeRecord {
    pub key: VolumeRef,
    pub name: String,
    /// `None` for a volume whose array gives no id that a host could see: it can be listed, never attached.
    pub id: Option<VolumeId>,
    pub size_bytes: u64,
    pub pool: String,
    /// The initiators it is masked to.
    pub masked_to: BTreeSet<Initiator>,
}
