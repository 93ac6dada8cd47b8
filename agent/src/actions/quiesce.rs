//! Holding an application still.

use std::time::Duration;

use sanfleet_protocol::{MountPoint, VolumeId, v1};

use super::{ActionError, Errand, Workshop, attached, check_source};
use crate::quiesce::{Order, word::Method};

#[derive(Debug, Clone)]
pub struct Request {
    pub volume: VolumeId,
    pub at: MountPoint,
    pub method: Method,
    pub dead_man: Duration,
}

/// Proves that what is mounted there is the volume, and holds it still.
pub fn quiesce(
    workshop: &Workshop,
    request: Request,
    errand: Errand,
) -> Result<v1::CommandDone, ActionError> {
    let Request { volume, at, method, dead_man } = request;
    if dead_man.is_zero() || dead_man > workshop.max_dead_man {
        return Err(ActionError::Invalid(format!(
            "a dead-man's limit of {} ms is not between 1 and {} ms",
            dead_man.as_millis(),
            workshop.max_dead_man.as_millis()
        )));
    }
    let host = workshop.host.as_ref();
    let mounts = host.mounts()?;
    let entry = check_source::whole_mount(&mounts, &at)?;
    check_source::refuse_own(&mounts, entry, &workshop.state_dir)?;
    drop(attached::mounted(host, &mounts, &volume, &at)?);
    let database =
        method.database().map(|kind| check_source::configured(&workshop.databases, &at, kind)).transpose()?;
    let Errand { run, issued_at_unix_ms, deadline } = errand;
    let order = Order { run, issued_at_unix_ms, mount_point: at, method, dead_man, database };
    let quiesce_us = workshop.quiesces.quiesce(&order, deadline)?;
    sanfleet_failpoint::reach("agent.quiesce.held");
    let quiesced = v1::Quiesced { quiesce_us };
    Ok(v1::CommandDone { changed: true, detail: Some(v1::command_done::Detail::Quiesced(quiesced)) })
}
