//! Making the file system on a copy reachable where a partition table or LVM lies between.

use sanfleet_protocol::{Layers, VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{deadline::Deadline, host::Host, ledger::Ledger, verify};

/// Fine when the copy's layers have their own identity and the device is there. `of_source` is how they are on the source.
pub fn open_layers(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    of_source: &Layers,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let copy = attached::find(host, ledger, volume)?;
    attached::remember(host, ledger, &copy)?;
    refuse_late(deadline, "the change of what lies between volume and file system")?;
    let changed = host.open_layers(&copy, of_source, deadline)?;
    drop(verify::within(host, copy, &of_source.on_copy(volume))?);
    Ok(done(changed))
}
