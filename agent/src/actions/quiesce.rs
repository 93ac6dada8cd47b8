//! Holding an application still.

use std::{path::Path, time::Duration};

use sanfleet_protocol::{MountPoint, QuiesceBy, VolumeId, v1};

use super::{ActionError, Errand, Workshop, attached, check_source};
use crate::{host::MountEntry, quiesce::Order};

/// A volume that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    pub volume: VolumeId,
    pub at: MountPoint,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where the application is.
    pub main: Mounted,
    /// What else of it is frozen together with that.
    pub also: Vec<Mounted>,
    pub by: QuiesceBy,
    pub dead_man: Duration,
}

/// Proves that what is mounted there are the volumes, and holds them still.
pub fn quiesce(
    workshop: &Workshop,
    request: Request,
    errand: Errand,
) -> Result<v1::CommandDone, ActionError> {
    let Request { main, also, by, dead_man } = request;
    if dead_man.is_zero() || dead_man > workshop.max_dead_man {
        return Err(ActionError::Invalid(format!(
            "a dead-man's limit of {} ms is not between 1 and {} ms",
            dead_man.as_millis(),
            workshop.max_dead_man.as_millis()
        )));
    }
    let host = workshop.host.as_ref();
    let mounts = host.mounts()?;
    for Mounted { volume, at } in [&main].into_iter().chain(&also) {
        let entry = check_source::whole_mount(&mounts, at)?;
        check_source::refuse_own(&mounts, entry, &workshop.state_dir)?;
        drop(attached::mounted(host, &mounts, volume, at)?);
    }
    let how = check_source::how(&workshop.quiesced, &main.at, &by)?;
    let all = [main.at].into_iter().chain(also.into_iter().map(|one| one.at)).collect();
    let Errand { run, issued_at_unix_ms, deadline } = errand;
    let order = Order::new(run, issued_at_unix_ms, how, last_mounted_first(&mounts, all)?, dead_man);
    let quiesce_us = workshop.quiesces.quiesce(&order, deadline)?;
    sanfleet_failpoint::reach("agent.quiesce.held");
    let quiesced = v1::Quiesced { quiesce_us };
    Ok(v1::CommandDone { changed: true, detail: Some(v1::command_done::Detail::Quiesced(quiesced)) })
}

/// The order in which they can be frozen without one waiting for another: what a file system is stored on was mounted before it.
fn last_mounted_first(
    mounts: &[MountEntry],
    mut all: Vec<MountPoint>,
) -> Result<(MountPoint, Vec<MountPoint>), ActionError> {
    let mounted = |at: &Path| mounts.iter().position(|entry| entry.mount_point == at);
    all.sort_by_key(|at| std::cmp::Reverse(mounted(at.as_path())));
    if let Some(twice) = all.iter().zip(all.iter().skip(1)).find(|(one, next)| one == next) {
        return Err(ActionError::Invalid(format!("{} is to be held still twice", twice.0)));
    }
    let mut all = all.into_iter();
    let first = all.next().ok_or_else(|| ActionError::Invalid("nothing is to be held still".to_owned()))?;
    Ok((first, all.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::DeviceNumber;

    fn table(mount_points: &[&str]) -> Vec<MountEntry> {
        let entry = |(minor, at): (u32, &&str)| MountEntry {
            mount_point: at.into(),
            device: DeviceNumber { major: 8, minor },
            file_system: "ext4".into(),
            read_only: false,
            root: "/".into(),
        };
        (1..).zip(mount_points).map(entry).collect()
    }

    #[test]
    fn what_was_mounted_last_is_frozen_first_whatever_it_was_asked_in() {
        let at = |text: &str| text.parse::<MountPoint>().unwrap();
        // A nested one, and one on a file of another that is mounted beside it.
        let mounts = table(&["/", "/srv", "/srv/db", "/a-file-of-srv"]);
        let wanted = (at("/a-file-of-srv"), vec![at("/srv/db"), at("/srv")]);
        for asked in [["/srv", "/srv/db", "/a-file-of-srv"], ["/a-file-of-srv", "/srv", "/srv/db"]] {
            assert_eq!(last_mounted_first(&mounts, asked.map(at).to_vec()).unwrap(), wanted);
        }
        assert!(last_mounted_first(&mounts, vec![at("/srv"), at("/srv/db"), at("/srv")]).is_err());
    }
}
