//! What is left of an attachment after it should be gone: counted on the array, on the hosts and in the kernel.

use std::path::Path;

use serde::Serialize;

use crate::{disk, fleet::Fleet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// Volumes that a run made.
    pub volumes: usize,
    /// Mappings of such volumes, and access groups of ours.
    pub mappings: usize,
    /// Loop devices on volumes of the target host.
    pub loop_devices: usize,
    /// Mounts on the target host below the folder where copies are mounted.
    pub mounts: usize,
    /// Processes that hold an application still.
    pub processes: usize,
}

impl Leftovers {
    pub const NONE: Self = Self { volumes: 0, mappings: 0, loop_devices: 0, mounts: 0, processes: 0 };
}

/// Counts what runs could have left behind. Whatever they make has a name that begins with `sanfleet-`.
pub async fn count(fleet: &Fleet, mounted_below: &Path) -> anyhow::Result<Leftovers> {
    let ours = |name: &str| name.starts_with("sanfleet-");
    let array = &fleet.array;
    let volumes = array.volumes().await?.iter().filter(|volume| ours(&volume.name)).count();
    let mappings =
        array.mappings().await?.iter().filter(|(group, volume)| ours(group) || ours(volume)).count();
    let groups = array.access_groups().await?.iter().filter(|group| ours(group)).count();
    Ok(Leftovers {
        volumes,
        mappings: mappings + groups,
        loop_devices: disk::loops_below(&array.fabric.join(fleet.backup1.initiator())).len(),
        mounts: fleet.backup1.mounts_below(mounted_below).len(),
        processes: fleet.db1.processes("quiesce-guard").len(),
    })
}
