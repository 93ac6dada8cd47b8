//! Who else may write to a volume: of two hosts that do, each takes the other's blocks for its own.

use sanfleet_protocol::{HostId, VolumeId};

use super::PlanError;
use crate::catalog::Catalog;

/// Refuses a read-write mount on `host` of the volume that has these ids, while another host has it mounted read-write.
pub fn refuse_second_writer(catalog: &Catalog, ids: &[VolumeId], host: &HostId) -> Result<(), PlanError> {
    let others = catalog.writers(ids).into_iter().filter(|writer| writer.host != *host);
    let by: Vec<String> = others.map(|writer| format!("{}:{}", writer.host, writer.mount_point)).collect();
    match (by.is_empty(), ids.first()) {
        (false, Some(id)) => Err(PlanError::SecondWriter { volume: id.clone(), host: host.clone(), by }),
        _ => Ok(()),
    }
}
