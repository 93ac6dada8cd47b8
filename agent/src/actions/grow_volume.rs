//! Seeing that a volume has grown, on every path.

use std::time::Duration;

use sanfleet_protocol::{VolumeId, v1};

use super::{ActionError, attached, await_volume::wait_for, grown, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, HostError},
    ledger::Ledger,
    verify::VerifiedDevice,
};

/// Some paths show their new size only some time after they were asked.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// Fine when every path has the size already. A map grows only when all of its paths have: of paths with different sizes
/// some would fail where others write.
pub fn grow_volume(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    wanted: u64,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let device = attached::find(host, ledger, volume)?;
    if let Some(path) = device.silent().first() {
        let why =
            format!("is a path of volume {volume} and does not answer: a map grows when all of its paths do");
        return Err(HostError::Invalid { what: path.clone(), why }.into());
    }
    let before = device.device().size_bytes()?;
    if common_size(&device, wanted).is_ok_and(|size| size == before) {
        return Ok(grown(before, before));
    }
    refuse_late(deadline, "the growth of the volume")?;
    host.reread_size(&device)?;
    let shown = deadline.earlier(Deadline::after(SHOWN_WITHIN));
    let size = wait_for(shown, || Ok(common_size(&device, wanted)?))?;
    if device.device().size_bytes()? != size {
        host.resize_map(&device, deadline)?;
    }
    let after = device.device().size_bytes()?;
    match after == size {
        true => Ok(grown(before, after)),
        false => Err(HostError::Invalid {
            what: device.device().name(),
            why: format!("has {after} bytes after all of its paths have {size}"),
        }
        .into()),
    }
}

/// The size that every path has, when it is what is wanted or more; the error names the path that differs.
fn common_size(device: &VerifiedDevice, wanted: u64) -> Result<u64, HostError> {
    let paths: Vec<_> = match device.paths() {
        [] => vec![device.device()],
        paths => paths.iter().map(AsRef::as_ref).collect(),
    };
    let mut common = None;
    for path in paths {
        let size = path.size_bytes()?;
        let other = *common.get_or_insert(size);
        if size < wanted || size != other {
            let expected = wanted.max(other);
            return Err(HostError::Invalid {
                what: path.name(),
                why: format!(
                    "is a path of volume {} and shows {size} bytes, not {expected}",
                    device.volume()
                ),
            });
        }
    }
    Ok(common.unwrap_or_default())
}
