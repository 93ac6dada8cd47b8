//! The ports that this host sees on its Fibre Channel fabrics, as sysfs shows them: `fc_remote_ports`, each below one of `fc_host`.
//!
//! The same port of an array is here once for each port of this host that sees it.

use std::{fmt, path::Path};

use sanfleet_protocol::Wwpn;

use crate::{
    fabric::scsi::{Target, Unit},
    host::linux::observe::attribute,
};

/// Of a host as of a remote port. With all else, be it `Blocked`, `Linkdown` or `Marginal`, the port is not relied upon.
const ONLINE: &str = "Online";

/// A port that is a SCSI target.
#[derive(Debug, Clone)]
pub struct RemotePort {
    pub name: Wwpn,
    /// It and our own port are online.
    pub is_up: bool,
    /// Below `/sys/devices/…/host3/rport-3:0-2`.
    pub target: Target,
}

impl RemotePort {
    pub fn all(sysfs: &Path) -> Vec<Self> {
        let names = attribute::names(&sysfs.join("class/fc_remote_ports"));
        names.iter().filter_map(|name| Self::read(sysfs, name)).collect()
    }

    /// The port that a unit is behind.
    pub fn of(sysfs: &Path, unit: &Unit) -> Option<Self> {
        let name = unit.target().directory().file_name()?.to_str()?;
        Self::read(sysfs, name)
    }

    /// `None` for a port that vanishes while it is read, and for one that is no SCSI target: its `scsi_target_id` is -1.
    fn read(sysfs: &Path, name: &str) -> Option<Self> {
        let class = sysfs.join("class/fc_remote_ports").join(name);
        let directory = class.join("device").canonicalize().ok()?;
        let number = attribute::number(&class.join("scsi_target_id"))?;
        let target = Target::below(directory, channel(name)?, number)?;
        let is_online = |port: &Path| attribute::text(&port.join("port_state")).as_deref() == Some(ONLINE);
        Some(Self {
            name: attribute::text(&class.join("port_name"))?.parse().ok()?,
            is_up: is_online(&class) && is_online(&sysfs.join("class/fc_host").join(target.host())),
            target,
        })
    }
}

impl fmt::Display for RemotePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} on {}", self.name, self.target.host())
    }
}

/// `rport-3:0-2`: host 3, channel 0, and a number of the port's that is not its target's.
fn channel(name: &str) -> Option<u32> {
    let (_, rest) = name.strip_prefix("rport-")?.split_once(':')?;
    rest.split_once('-')?.0.parse().ok()
}

pub fn is_of_fc_host(sysfs: &Path, target: &Target) -> bool {
    sysfs.join("class/fc_host").join(target.host()).exists()
}
