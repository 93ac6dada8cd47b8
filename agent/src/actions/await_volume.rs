//! Waiting until a volume is there and can be read.

use std::{thread, time::Duration};

use sanfleet_protocol::{VolumeId, v1};

use super::{ActionError, attached};
use crate::{deadline::Deadline, host::Host, ledger::Ledger, verify::VerifyError};

const LOOK_FIRST_AFTER: Duration = Duration::from_millis(10);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(250);

/// Waits until a device proves to be the volume and a read past the cache succeeds.
pub fn await_volume(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    wait_for(deadline, || look(host, ledger, volume))
}

/// Looks again and again. A device that proves to be another volume is an error at once; one that is missing, or a multipath
/// map that is not complete, is waited for.
pub fn wait_for<T>(
    deadline: Deadline,
    mut look: impl FnMut() -> Result<T, ActionError>,
) -> Result<T, ActionError> {
    let mut pause = LOOK_FIRST_AFTER;
    loop {
        let error = match look() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let may_pass = matches!(
            error,
            ActionError::Verify(
                VerifyError::NotFound { .. } | VerifyError::Ambiguous { .. } | VerifyError::Host(_)
            ) | ActionError::Host(_)
        );
        if !may_pass || deadline.has_passed() {
            return Err(error);
        }
        thread::sleep(pause.min(deadline.left()));
        pause = (pause * 2).min(LOOK_AT_LEAST_EVERY);
    }
}

fn look(host: &dyn Host, ledger: &Ledger, volume: &VolumeId) -> Result<v1::CommandDone, ActionError> {
    let device = attached::find(host, ledger, volume)?;
    device.device().read_first_block()?;
    let size_bytes = device.device().size_bytes()?;
    attached::remember(host, ledger, &device)?;
    let present = v1::DevicePresent { device: device.device().name(), size_bytes };
    Ok(v1::CommandDone { changed: false, detail: Some(v1::command_done::Detail::Device(present)) })
}
