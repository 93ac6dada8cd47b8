//! Waiting until a volume is there and can be read.

use std::{iter, thread, time::Duration};

use sanfleet_protocol::{VolumeId, v1};

use super::{ActionError, attached};
use crate::{deadline::Deadline, host::Host, ledger::Ledger, verify::VerifyError};

const LOOK_FIRST_AFTER: Duration = Duration::from_millis(10);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(250);

/// Looks again and again, until there is a result or no time any more.
pub fn wait_for<T>(
    deadline: Deadline,
    mut look: impl FnMut() -> Result<T, ActionError>,
) -> Result<T, ActionError> {
    let mut pauses = pauses();
    loop {
        match look() {
            Err(error) if may_pass(&error) && !deadline.has_passed() => {}
            outcome => return outcome,
        }
        thread::sleep(pauses.next().unwrap_or_default().min(deadline.left()));
    }
}

/// A device that proves to be another volume is an error at once; one that is missing, or a multipath map that is not complete,
/// is waited for.
pub fn may_pass(error: &ActionError) -> bool {
    matches!(
        error,
        ActionError::Verify(
            VerifyError::NotFound { .. } | VerifyError::Ambiguous { .. } | VerifyError::Host(_)
        ) | ActionError::Host(_)
    )
}

/// How long to wait before each further look.
pub fn pauses() -> impl Iterator<Item = Duration> {
    iter::successors(Some(LOOK_FIRST_AFTER), |pause| Some((*pause * 2).min(LOOK_AT_LEAST_EVERY)))
}

/// One look whether a device proves to be the volume and a read past the cache succeeds. Who asks for it looks again.
pub fn look(host: &dyn Host, ledger: &Ledger, volume: &VolumeId) -> Result<v1::CommandDone, ActionError> {
    let device = attached::find(host, ledger, volume)?;
    device.device().read_first_block()?;
    let size_bytes = device.device().size_bytes()?;
    attached::remember(host, ledger, &device)?;
    let present = v1::DevicePresent { device: device.device().name(), size_bytes };
    Ok(v1::CommandDone { changed: false, detail: Some(v1::command_done::Detail::Device(present)) })
}
