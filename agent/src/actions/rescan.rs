//! Looking for one volume on one fabric, and for no other.

use sanfleet_protocol::v1;

use super::{ActionError, done, refuse_late};
use crate::{deadline::Deadline, fabric::Wanted, host::Host};

/// Fine when the volume is there already, or not offered yet: that it is there is another command's question.
pub fn rescan(
    host: &dyn Host,
    fabric: &str,
    wanted: Wanted<'_>,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    if !host.fabrics().iter().any(|known| known == fabric) {
        let known = host.fabrics().join(", ");
        return Err(ActionError::Invalid(format!(
            "this host is on no fabric {fabric:?} (it is on: {known})"
        )));
    }
    refuse_late(deadline, "the rescan")?;
    Ok(done(host.rescan(fabric, wanted, deadline)?))
}
