//! iSCSI, by open-iscsi: a target is logged in to before its unit is scanned for, and out of when it has no unit left.
//!
//! Sessions are logged in to with manual scanning: a session that scanned by itself would bring in whatever the target shows. What is
//! so is read from sysfs and not from how `iscsiadm` ended. This module refuses to log out of a session that it did not log in to, or
//! that has any unit left.

use std::{path::PathBuf, time::Duration};

use sanfleet_protocol::{IscsiPath, TargetPath, VolumeId};

use super::{
    Wanted, nowhere,
    scsi::{DISK_WITHIN, Transport, Unit, Units, until},
};
use crate::{config::Iscsi, deadline::Deadline, host::HostError};

mod iscsiadm;
mod lock;
mod record;
mod session;
#[cfg(test)]
mod tests;

pub use iscsiadm::Iscsiadm;
use lock::SessionLock;
use record::Record;
use session::Session;

/// How long a login may take before the next portal is tried: both of iscsid's attempts (see [`record`]), and some more.
const LOGIN_WITHIN: Duration = Duration::from_secs(12);

/// Where the fabric is on this machine.
#[derive(Debug, Clone)]
pub struct Places {
    pub sysfs_root: PathBuf,
    /// Where open-iscsi may keep its node records.
    pub nodes: Vec<PathBuf>,
    /// Our locks, which a restart of the host must empty as it does the list of sessions.
    pub locks: PathBuf,
}

#[derive(Debug)]
pub struct IscsiFabric<M> {
    places: Places,
    settings: Iscsi,
    units: Units<M>,
}

impl<M: Iscsiadm> IscsiFabric<M> {
    pub fn new(places: Places, settings: Iscsi, machine: M) -> Self {
        let units = Units { sysfs: places.sysfs_root.clone(), machine, multipath: settings.multipath };
        Self { places, settings, units }
    }

    /// The lock of a session that is there; none for one that we could not have logged in to.
    fn lock(&self, session: &Session, deadline: Deadline) -> Result<Option<SessionLock>, HostError> {
        match (session.target_name(), session.portal) {
            (Some(target), Some(portal)) => {
                SessionLock::take(&self.places.locks, &target, portal, deadline).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The session to the target through this portal, which is logged in to when there is none.
    fn session(
        &self,
        path: &IscsiPath,
        lock: &SessionLock,
        deadline: Deadline,
    ) -> Result<Session, HostError> {
        let within = deadline.earlier(Deadline::after(LOGIN_WITHIN));
        let patience = within.left();
        let no_session = |source| HostError::NoSession {
            target: path.target.to_string(),
            portal: path.portal,
            source: Box::new(source),
        };
        let find = || Session::to(&self.places.sysfs_root, path);
        // One that is down comes up again, or it does not: a second one beside it would not help.
        let is_new = find().is_none();
        let told = if is_new { self.log_in(path, within) } else { Ok(()) };
        // What iscsiadm could not log in to does not come up by itself.
        let wait = if told.is_ok() { within } else { Deadline::after(Duration::ZERO) };
        match (until(wait, || find().filter(|session| session.is_up)), told) {
            (Some(session), _) => {
                if is_new {
                    lock.own(&session.name)?;
                }
                Ok(session)
            }
            (None, Err(error @ (HostError::Tool { .. } | HostError::Timeout { .. }))) => {
                Err(no_session(error))
            }
            (None, Err(error)) => Err(error),
            (None, Ok(())) => {
                let source = HostError::Timeout { what: "the target".to_owned(), after: patience };
                Err(no_session(source))
            }
        }
    }

    fn log_in(&self, path: &IscsiPath, deadline: Deadline) -> Result<(), HostError> {
        let (target, portal) = (path.target.as_str(), path.portal.to_string());
        let node = ["-m", "node", "-T", target, "-p", &portal];
        let record = match Record::find(&self.places.nodes, path) {
            Some(record) => record,
            None => {
                self.units.machine.iscsiadm(&[&node[..], &["-o", "new"]].concat(), deadline)?;
                Record::find(&self.places.nodes, path).ok_or_else(|| HostError::NotFound {
                    what: format!("the node record that iscsiadm made for {target} at {portal}"),
                })?
            }
        };
        record.set(self.settings.chap.as_ref())?;
        self.units.machine.iscsiadm(&[&node[..], &["--login"]].concat(), deadline)
    }

    /// Logs out of a session that we logged in to, when it has no unit left. One that stays does no harm, and is used again.
    fn leave(&self, session: &Session, lock: Option<&SessionLock>, deadline: Deadline) {
        let Some(lock) = lock.filter(|lock| lock.owns(&session.name) && session.target.units().is_empty())
        else {
            return;
        };
        let Some(portal) = session.portal.map(|portal| portal.to_string()) else { return };
        let arguments = ["-m", "node", "-T", &session.name_of_target, "-p", &portal, "--logout"];
        let told = self.units.machine.iscsiadm(&arguments, deadline.earlier(Deadline::after(LOGIN_WITHIN)));
        let is_gone = || (!session.is_there(&self.places.sysfs_root)).then_some(());
        match until(Deadline::after(DISK_WITHIN), is_gone) {
            Some(()) => lock.disown(),
            None => {
                let error = told.err().map(|error| error.to_string()).unwrap_or_default();
                tracing::warn!(
                    session = session.name,
                    target = session.name_of_target,
                    error,
                    "it is still logged in"
                );
            }
        }
    }
}

impl<M: Iscsiadm> Transport for IscsiFabric<M> {
    type Machine = M;
    type Way = IscsiPath;

    const FABRIC: &'static str = "iscsi";
    const BELONGS_TO: &'static str = "an iSCSI session";

    fn units(&self) -> &Units<M> {
        &self.units
    }

    fn has(&self, unit: &Unit) -> bool {
        let above = unit.target().directory().file_name().unwrap_or_default();
        above.to_string_lossy().starts_with("session")
    }

    fn all(&self) -> Vec<Unit> {
        let sessions = Session::all(&self.places.sysfs_root);
        sessions.iter().flat_map(|session| session.target.units()).collect()
    }

    fn ways(&self, wanted: Wanted<'_>) -> Result<Vec<IscsiPath>, HostError> {
        let own = |path: &TargetPath| match path {
            TargetPath::Iscsi(path) => Some(path.clone()),
            TargetPath::Fc(_) => None,
        };
        let ways: Vec<IscsiPath> = wanted.paths.iter().filter_map(own).collect();
        match ways.is_empty() {
            true => Err(nowhere(wanted.volume, Self::FABRIC, "a portal, a target and a unit")),
            false => Ok(ways),
        }
    }

    fn bring(&self, volume: &VolumeId, path: &IscsiPath, deadline: Deadline) -> Result<bool, HostError> {
        let lock = SessionLock::take(&self.places.locks, &path.target, path.portal, deadline)?;
        let session = self.session(path, &lock, deadline)?;
        let found = self.units.scan(volume, path, (&session.target, path.lun), deadline);
        if !matches!(found, Ok(true)) {
            self.leave(&session, Some(&lock), deadline);
        }
        found
    }

    fn taking(
        &self,
        unit: &Unit,
        deadline: Deadline,
        take: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let session = Session::of_unit(&self.places.sysfs_root, unit);
        let lock = session.as_ref().map(|session| self.lock(session, deadline)).transpose()?.flatten();
        take()?;
        if let Some(session) = session {
            self.leave(&session, lock.as_ref(), deadline);
        }
        Ok(())
    }
}
