//! Fabrics: the ways from this host's initiators to the arrays' targets.
//!
//! A fabric makes one volume's device appear and disappear again. It refuses to bring in volumes that nobody asked for.

use sanfleet_protocol::VolumeId;

use crate::{host::HostError, verify::VerifiedDevice};

pub mod loopback;

pub trait Fabric {
    /// As in the commands: `loop`, `iscsi`, `nvme-tcp`, `fc`.
    fn name(&self) -> &'static str;

    /// Makes one volume's device appear if the fabric offers it to this host; true when something changed.
    fn rescan(&self, volume: &VolumeId) -> Result<bool, HostError>;

    /// Flushes the device and removes it with all of its paths. The volume stays.
    fn detach(&self, device: VerifiedDevice) -> Result<(), HostError>;
}
