//! iSCSI, by open-iscsi: one volume's unit is brought in over the first portal that answers, or with multipathd over all of them, and
//! taken away again.
//!
//! Sessions are logged in to with manual scanning, and one unit of one session is scanned: a session that scanned by itself
//! would bring in whatever the target shows. What is so is read from sysfs and not from how `iscsiadm` ended. This module
//! refuses to log out of a session that it did not log in to, or that has any unit left.

use std::{path::PathBuf, thread, time::Duration};

use sanfleet_protocol::{TargetPath, VolumeId, volume_id};

use super::{Fabric, Wanted};
use crate::{
    config::Iscsi,
    deadline::Deadline,
    host::{HostError, OpenDevice},
    verify::VerifiedDevice,
};

mod lock;
mod lun;
pub mod machine;
mod map;
mod multipath;
mod record;
mod session;
#[cfg(test)]
mod tests;
mod unmapped;

use lock::SessionLock;
use machine::Machine;
use map::Map;
use record::Record;
use session::{Session, Unit};

/// How long a login may take before the next portal is tried: both of iscsid's attempts (see [`record`]), and some more.
const LOGIN_WITHIN: Duration = Duration::from_secs(12);
/// How long the disk of a unit may take to be there after the unit is, and to be gone.
const DISK_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

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
    machine: M,
}

impl<M: Machine> IscsiFabric<M> {
    pub fn new(places: Places, settings: Iscsi, machine: M) -> Self {
        Self { places, settings, machine }
    }

    /// The units here that are the volume already. One that was it, and is another volume now, is dropped: as long as the kernel shows
    /// its old ids it stands for the volume.
    fn here(&self, volume: &VolumeId, deadline: Deadline) -> Result<Vec<Unit>, HostError> {
        let mut here = Vec::new();
        for session in Session::all(&self.places.sysfs_root) {
            for unit in session.units().into_iter().filter(|unit| unit.cached_ids().contains(volume)) {
                match self.look(volume, &unit) {
                    Ok(Look::Volume(_)) => here.push(unit),
                    // It is down, and others may do.
                    Err(error) if self.settings.multipath => {
                        tracing::warn!(%unit, %error, "a path to a volume does not answer");
                    }
                    Err(error) => return Err(error),
                    Ok(Look::Unmapped(_)) if self.settings.multipath => {
                        tracing::warn!(%unit, "a path to a volume leads nowhere any more");
                    }
                    Ok(Look::Other { device, .. } | Look::Unmapped(device)) => {
                        self.drop_and_leave(&session, &unit, device.as_ref(), deadline)?;
                    }
                }
            }
        }
        Ok(here)
    }

    fn drop_and_leave(
        &self,
        session: &Session,
        unit: &Unit,
        device: &dyn OpenDevice,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        let lock = self.lock(session, deadline)?;
        self.drop_other(unit, device, deadline)?;
        self.leave(session, lock.as_ref(), deadline);
        Ok(())
    }

    /// The lock of a session that is there; none for one that we could not have logged in to.
    fn lock(&self, session: &Session, deadline: Deadline) -> Result<Option<SessionLock>, HostError> {
        match (session.name_of_target(), session.portal) {
            (Some(target), Some(portal)) => {
                SessionLock::take(&self.places.locks, &target, portal, deadline).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Over the first path where it is shown, or with multipathd over each; false when it is shown nowhere.
    fn bring_over(&self, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError> {
        let (mut is_here, mut failed) = (false, None);
        for path in wanted.paths {
            let found = refuse_late(path, deadline).and_then(|()| self.bring(wanted.volume, path, deadline));
            match found {
                Ok(true) if !self.settings.multipath => return Ok(true),
                Ok(found) => is_here |= found,
                Err(error @ HostError::OtherVolume { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(%path, %error, "a path to a volume is of no use");
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) if !is_here => Err(error),
            _ => Ok(is_here),
        }
    }

    /// Brings the volume in over one path; false when it is not shown there.
    fn bring(&self, volume: &VolumeId, path: &TargetPath, deadline: Deadline) -> Result<bool, HostError> {
        let lock = SessionLock::take(&self.places.locks, &path.target, path.portal, deadline)?;
        let session = self.session(path, &lock, deadline)?;
        let found = self.scan(volume, path, &session, deadline);
        if !matches!(found, Ok(true)) {
            self.leave(&session, Some(&lock), deadline);
        }
        found
    }

    /// Has the kernel look for one unit, and keeps what it finds when that is the volume.
    fn scan(
        &self,
        volume: &VolumeId,
        path: &TargetPath,
        session: &Session,
        deadline: Deadline,
    ) -> Result<bool, HostError> {
        for form in lun::forms(path.lun) {
            refuse_late(path, deadline)?;
            let unit = session.unit(form);
            if unit.is_there() {
                match self.look(volume, &unit)? {
                    Look::Volume(_) => return Ok(true),
                    // What was here has gone or been replaced, or our volume came in its place.
                    Look::Other { device, .. } | Look::Unmapped(device) => {
                        self.drop_other(&unit, device.as_ref(), deadline)?;
                    }
                }
            }
            self.machine.write(&session.ear(&self.places.sysfs_root), &unit.scan_words())?;
            if unit.is_there() {
                return self.keep_or_refuse(volume, path, &unit, deadline).map(|()| true);
            }
        }
        Ok(false)
    }

    /// The session to the target through this portal, which is logged in to when there is none.
    fn session(
        &self,
        path: &TargetPath,
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

    fn log_in(&self, path: &TargetPath, deadline: Deadline) -> Result<(), HostError> {
        let (target, portal) = (path.target.as_str(), path.portal.to_string());
        let node = ["-m", "node", "-T", target, "-p", &portal];
        let record = match Record::find(&self.places.nodes, path) {
            Some(record) => record,
            None => {
                self.machine.iscsiadm(&[&node[..], &["-o", "new"]].concat(), deadline)?;
                Record::find(&self.places.nodes, path).ok_or_else(|| HostError::NotFound {
                    what: format!("the node record that iscsiadm made for {target} at {portal}"),
                })?
            }
        };
        record.set(self.settings.chap.as_ref())?;
        self.machine.iscsiadm(&[&node[..], &["--login"]].concat(), deadline)
    }

    /// Asks the unit's disk, as soon as it is there, which volume it is.
    fn look(&self, volume: &VolumeId, unit: &Unit) -> Result<Look, HostError> {
        let within = Deadline::after(DISK_WITHIN);
        let open = || match unit.disk().map(|disk| self.machine.open(&disk)) {
            // Its node is made a moment later.
            None | Some(Err(HostError::NotFound { .. })) => None,
            Some(outcome) => Some(outcome),
        };
        let device = until(within, open).ok_or_else(|| HostError::Timeout {
            what: format!("the disk of {unit}"),
            after: DISK_WITHIN,
        })??;
        let ids = match device.identify() {
            Err(HostError::Unmapped { .. }) => return Ok(Look::Unmapped(device)),
            answer => answer?,
        };
        let is_volume = volume_id::same_volume(&ids, std::slice::from_ref(volume));
        // The kernel finds a volume by what it cached: with old ids, size or partitions the disk is of no use.
        match is_volume && unit.cached_ids().contains(volume) {
            true => Ok(Look::Volume(device)),
            false => Ok(Look::Other { device, found: ids }),
        }
    }

    /// After a scan that made the unit: a volume that nobody asked for goes again.
    fn keep_or_refuse(
        &self,
        volume: &VolumeId,
        path: &TargetPath,
        unit: &Unit,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        let (device, found) = match self.look(volume, unit)? {
            Look::Volume(_) => return Ok(()),
            Look::Other { device, found } => (device, found),
            Look::Unmapped(device) => (device, Vec::new()),
        };
        self.drop_other(unit, device.as_ref(), deadline)?;
        let found = volume_id::preferred(&found)
            .map_or_else(|| "a unit without an id".to_owned(), |id| format!("volume {id}"));
        Err(HostError::OtherVolume { what: format!("{path}"), wanted: volume.clone(), found })
    }

    /// Writes back what is dirty and takes the volume's unit away; an error when anybody uses its disk.
    fn remove(&self, unit: &Unit, device: &dyn OpenDevice) -> Result<(), HostError> {
        let claim = self.machine.claim(device)?;
        self.machine.flush(&claim)?;
        sanfleet_failpoint::reach("agent.iscsi.flushed");
        self.delete(unit, &device.name())
    }

    /// Takes a unit away that is not the volume that it was: what is still dirty of the old one must not be written to it.
    fn drop_other(&self, unit: &Unit, device: &dyn OpenDevice, deadline: Deadline) -> Result<(), HostError> {
        if self.settings.multipath {
            self.release(&device.name(), deadline)?;
        }
        let _claim = self.machine.claim(device)?;
        self.machine.write(&unit.state(), "offline")?;
        self.delete(unit, &device.name())
    }

    fn delete(&self, unit: &Unit, disk: &str) -> Result<(), HostError> {
        self.machine.write(&unit.delete(), "1")?;
        match until(Deadline::after(DISK_WITHIN), || (!unit.is_there()).then_some(())) {
            Some(()) => Ok(()),
            None => Err(HostError::Busy {
                what: disk.to_owned(),
                by: format!("the kernel, which still shows {unit} after it was removed"),
            }),
        }
    }

    /// Logs out of a session that we logged in to, when it has no unit left. One that stays does no harm, and is used again.
    fn leave(&self, session: &Session, lock: Option<&SessionLock>, deadline: Deadline) {
        let Some(lock) = lock.filter(|lock| lock.owns(&session.name) && !session.has_units()) else { return };
        let Some(portal) = session.portal.map(|portal| portal.to_string()) else { return };
        let arguments = ["-m", "node", "-T", &session.target, "-p", &portal, "--logout"];
        let told = self.machine.iscsiadm(&arguments, deadline.earlier(Deadline::after(LOGIN_WITHIN)));
        let is_gone = || (!session.is_there(&self.places.sysfs_root)).then_some(());
        match until(Deadline::after(DISK_WITHIN), is_gone) {
            Some(()) => lock.disown(),
            None => {
                let error = told.err().map(|error| error.to_string()).unwrap_or_default();
                tracing::warn!(
                    session = session.name,
                    target = session.target,
                    error,
                    "it is still logged in"
                );
            }
        }
    }
}

/// What a unit is.
enum Look {
    Volume(Box<dyn OpenDevice>),
    /// Another volume, or ours while the kernel still shows what was there before.
    Other {
        device: Box<dyn OpenDevice>,
        found: Vec<VolumeId>,
    },
    /// The target has no such unit any more.
    Unmapped(Box<dyn OpenDevice>),
}

impl<M: Machine> Fabric for IscsiFabric<M> {
    fn name(&self) -> &'static str {
        "iscsi"
    }

    fn brought(&self, device: &VerifiedDevice) -> bool {
        let sysfs = &self.places.sysfs_root;
        let is_unit = |disk: &String| Unit::of_disk(sysfs, disk).is_some();
        match Map::of_device(sysfs, device.number()) {
            Some(map) => map.paths.iter().all(is_unit),
            None => Unit::of_device(sysfs, device.number()).is_some(),
        }
    }

    fn rescan(&self, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError> {
        let here = self.here(wanted.volume, deadline)?;
        if !here.is_empty() && !self.settings.multipath {
            return Ok(false);
        }
        if here.is_empty() && wanted.paths.is_empty() {
            return Err(nowhere(wanted.volume));
        }
        match self.settings.multipath {
            true => self.bring_all(wanted, &here, deadline),
            false => self.bring_over(wanted, deadline),
        }
    }

    fn detach(&self, device: VerifiedDevice, deadline: Deadline) -> Result<(), HostError> {
        let sysfs = &self.places.sysfs_root;
        if let Some(map) = Map::of_device(sysfs, device.number()) {
            return self.detach_map(&map, device, deadline);
        }
        let found = Unit::of_device(sysfs, device.number())
            .and_then(|unit| Some((Session::of_unit(sysfs, &unit)?, unit)));
        let Some((session, unit)) = found else {
            let what = device.device().name();
            return Err(HostError::Invalid { what, why: "is not of an iSCSI session".to_owned() });
        };
        let lock = self.lock(&session, deadline)?;
        self.remove(&unit, device.device())?;
        drop(device);
        self.leave(&session, lock.as_ref(), deadline);
        Ok(())
    }

    fn drop_unmapped(&self, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError> {
        let left = self.left_of(volume)?;
        for left in &left {
            self.drop_left(left, deadline)?;
        }
        Ok(!left.is_empty())
    }
}

fn nowhere(volume: &VolumeId) -> HostError {
    HostError::Invalid {
        what: format!("volume {volume}"),
        why: "cannot be looked for over iscsi without being told a portal, a target and a unit".to_owned(),
    }
}

/// A command that was answered with a timeout must not act afterwards.
fn refuse_late(path: &TargetPath, deadline: Deadline) -> Result<(), HostError> {
    match deadline.has_passed() {
        true => Err(HostError::Timeout { what: format!("the way to {path}"), after: Duration::ZERO }),
        false => Ok(()),
    }
}

/// Looks again and again until there is something, or no time any more.
fn until<T>(deadline: Deadline, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        match look() {
            Some(found) => return Some(found),
            None if deadline.has_passed() => return None,
            None => thread::sleep(LOOK_EVERY),
        }
    }
}
