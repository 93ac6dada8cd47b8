//! A piece of one volume that goes to a place in another.

use serde::{Deserialize, Serialize};

/// In blocks of the array's `volume_replicate_range_block_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct BlockRange {
    pub src_block: u64,
    pub dest_block: u64,
    pub block_count: u64,
}
