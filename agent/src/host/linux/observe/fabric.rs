//! Over which fabric a device came, where sysfs tells.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use sanfleet_protocol::{Initiator, v1::DeviceKind};

use super::{attribute, block::BlockNode};
use crate::host::linux::LinuxHostOptions;

/// The simulated fabric.
pub const LOOP: &str = "loop";
pub const ISCSI: &str = "iscsi";
const FIBRE_CHANNEL: &str = "fc";
const NVME_TCP: &str = "nvme-tcp";

/// The fabrics on which this agent can make a volume appear.
pub fn fabrics(options: &LinuxHostOptions) -> Vec<String> {
    let simulated = options.loop_fabric.as_ref().map(|_| LOOP);
    let iscsi = options.iscsi.as_ref().map(|_| ISCSI);
    let fc = options.fc.as_ref().map(|_| FIBRE_CHANNEL);
    simulated.into_iter().chain(iscsi).chain(fc).map(str::to_owned).collect()
}

/// The fabric of a real device; `None` for a local one.
pub fn of(node: &BlockNode, kind: DeviceKind) -> Option<String> {
    let fabric = match kind {
        DeviceKind::Nvme => (nvme_transport(node)? == "tcp").then_some(NVME_TCP),
        DeviceKind::Disk => scsi_transport(&node.directory),
        _ => None,
    };
    fabric.map(str::to_owned)
}

/// The iSCSI and FC transport classes put a directory of their own between the SCSI host and its target:
/// `host2/session1/target2:0:0`, `host3/rport-3:0-2/target3:0:0`.
fn scsi_transport(directory: &Path) -> Option<&'static str> {
    directory.components().find_map(|component| {
        let name = component.as_os_str().to_str()?;
        let numbered = |prefix: &str| {
            name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        if numbered("session") {
            Some(ISCSI)
        } else if numbered("rport-") {
            Some(FIBRE_CHANNEL)
        } else {
            None
        }
    })
}

/// A namespace's `device` is its controller, or with native multipath the subsystem, which links to its controllers.
fn nvme_transport(node: &BlockNode) -> Option<String> {
    let device = node.path("device");
    attribute::text(&device.join("transport")).or_else(|| {
        let controllers = attribute::names(&device);
        let mut controllers = controllers.iter().filter(|name| name.starts_with("nvme"));
        controllers.find_map(|name| attribute::text(&device.join(name).join("transport")))
    })
}

/// The directory of the LUN that a loop device's backing file was published as, if that was for one of our own
/// initiators: `<root>/<initiator>/lun-<n>/disk`. A file that was unpublished since reads `… (deleted)` and is none.
pub fn published_lun(root: &Path, own: &[Initiator], backing_file: &[u8]) -> Option<PathBuf> {
    let backing_file = backing_file.strip_suffix(b"\n").unwrap_or(backing_file);
    let file = Path::new(OsStr::from_bytes(backing_file));
    // The kernel shows the real path, so a fabric that is configured through a symbolic link is looked for there too.
    let real = root.canonicalize().ok();
    let inside =
        [Some(root), real.as_deref()].into_iter().flatten().find_map(|root| file.strip_prefix(root).ok())?;
    let parts: Vec<&str> = inside
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let [initiator, lun, "disk"] = parts.as_slice() else { return None };
    lun.strip_prefix("lun-")?.parse::<u64>().ok()?;
    own.contains(&initiator.parse().ok()?).then(|| root.join(initiator).join(lun))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "iqn.2026-01.example:backup1";

    fn lun(backing_file: &str) -> Option<PathBuf> {
        published_lun(Path::new("/run/fabric"), &[OURS.parse().unwrap()], backing_file.as_bytes())
    }

    #[test]
    fn a_loop_device_on_a_file_published_for_us_is_a_lun() {
        let expected = PathBuf::from(format!("/run/fabric/{OURS}/lun-7"));
        assert_eq!(lun(&format!("/run/fabric/{OURS}/lun-7/disk\n")), Some(expected));
    }

    #[test]
    fn a_file_of_another_initiator_or_out_of_place_is_none() {
        for other in [
            "/run/fabric/iqn.2026-01.example:db1/lun-7/disk",
            "/run/fabric/iqn.2026-01.example:backup1/lun-7/disk (deleted)",
            "/run/fabric/iqn.2026-01.example:backup1/lun-x/disk",
            "/run/fabric/iqn.2026-01.example:backup1/lun-7/other/disk",
            "/run/fabric/../fabric/iqn.2026-01.example:backup1/lun-7/disk",
            "/elsewhere/iqn.2026-01.example:backup1/lun-7/disk",
            "",
        ] {
            assert_eq!(lun(other), None, "{other}");
        }
    }
}
