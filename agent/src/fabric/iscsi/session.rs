//! The sessions of this host, as sysfs shows them. Each has one SCSI target.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use sanfleet_protocol::{IscsiPath, TargetName};

use crate::{
    fabric::scsi::{Target, Unit},
    host::linux::observe::attribute,
};

/// The one that every session has.
const CHANNEL: u32 = 0;

#[derive(Debug, Clone)]
pub struct Session {
    /// `session1`.
    pub name: String,
    pub name_of_target: String,
    /// What was logged in to; where that was a name, what it has led to.
    pub portal: Option<SocketAddr>,
    pub is_up: bool,
    /// Below `/sys/devices/…/host2/session1`.
    pub target: Target,
}

impl Session {
    pub fn all(sysfs: &Path) -> Vec<Self> {
        let names = attribute::names(&sysfs.join("class/iscsi_session"));
        names.into_iter().filter_map(|name| Self::read(sysfs, name)).collect()
    }

    /// The session to this path's target through its portal, be it up or not.
    pub fn to(sysfs: &Path, path: &IscsiPath) -> Option<Self> {
        let is_it = |session: &Self| {
            session.target_name().as_ref() == Some(&path.target) && session.portal == Some(path.portal)
        };
        Self::all(sysfs).into_iter().find(is_it)
    }

    pub fn of_unit(sysfs: &Path, unit: &Unit) -> Option<Self> {
        Self::all(sysfs).into_iter().find(|session| session.has(unit))
    }

    pub fn has(&self, unit: &Unit) -> bool {
        unit.target().directory() == self.target.directory()
    }

    /// `None` for one that vanishes while it is read.
    fn read(sysfs: &Path, name: String) -> Option<Self> {
        let class = sysfs.join("class/iscsi_session").join(&name);
        let directory = class.join("device").canonicalize().ok()?;
        let number = attribute::number(&class.join("target_id")).unwrap_or_default();
        let connections = attribute::names(&sysfs.join("class/iscsi_connection"));
        let prefix = format!("connection{}:", name.strip_prefix("session")?);
        let connections: Vec<PathBuf> = connections
            .iter()
            .filter(|connection| connection.starts_with(&prefix))
            .map(|connection| sysfs.join("class/iscsi_connection").join(connection))
            .collect();
        // Kernels before 5.7 do not tell the state of a connection.
        let is_connected =
            |one: &PathBuf| attribute::text(&one.join("state")).is_none_or(|state| state == "up");
        let is_logged_in = attribute::text(&class.join("state")).as_deref() == Some("LOGGED_IN");
        Some(Self {
            name_of_target: attribute::text(&class.join("targetname"))?,
            portal: connections.iter().find_map(|connection| portal(connection)),
            is_up: is_logged_in && !connections.is_empty() && connections.iter().all(is_connected),
            target: Target::below(directory, CHANNEL, number)?,
            name,
        })
    }

    /// `None` for one that we could not have logged in to.
    pub fn target_name(&self) -> Option<TargetName> {
        self.name_of_target.parse().ok()
    }

    pub fn is_there(&self, sysfs: &Path) -> bool {
        sysfs.join("class/iscsi_session").join(&self.name).exists()
    }
}

fn portal(connection: &Path) -> Option<SocketAddr> {
    let read = |address: &str, port: &str| {
        let address: IpAddr = attribute::text(&connection.join(address))?.parse().ok()?;
        Some(SocketAddr::new(address, attribute::number(&connection.join(port))?))
    };
    read("persistent_address", "persistent_port").or_else(|| read("address", "port"))
}
