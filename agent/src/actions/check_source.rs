//! What is mounted there, which volume is it, and could it be quiesced? Read-only.

use std::path::Path;

use sanfleet_protocol::{HookId, Layers, MountPoint, QuiesceBy, VolumeId, v1, volume_id};
use v1::DeviceKind;

use super::{ActionError, Quiesced, attached};
use crate::{
    config::{Database, DatabaseKind, Hook},
    deadline::Deadline,
    host::{FileSystem, Host, HostError, MountEntry, SysDevice},
    quiesce::{
        QuiesceError, hook, mysql, postgresql,
        word::{self, How},
    },
    report, verify,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub at: MountPoint,
    pub by: QuiesceBy,
    /// What is expected between the volume and what is mounted.
    pub layers: Layers,
}

/// What the agent knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    pub state_dir: &'a Path,
    pub quiesced: &'a Quiesced,
}

pub fn check_source(
    host: &dyn Host,
    request: &Request,
    own: Own<'_>,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let Request { at, by, layers } = request;
    let mounts = host.mounts()?;
    let entry = whole_mount(&mounts, at)?;
    let devices = host.devices()?;
    let device = attached::by_number(&devices, entry.device, at.as_str())?;
    if layers.is_none() {
        refuse_parts(device, at)?;
    }
    if *by != QuiesceBy::None {
        refuse_own(&mounts, entry, own.state_dir)?;
    }
    let ids: Vec<VolumeId> = read_ids(host, &devices, device)?;
    refuse_other_layers(host, &ids, device, request, deadline)?;
    let opened = host.open(device)?;
    let found = opened.file_system()?.unwrap_or_default();
    let file_system = FileSystem { kind: entry.file_system.clone(), ..found };
    let source = v1::SourceChecked {
        volume_ids: ids.iter().map(ToString::to_string).collect(),
        file_system: Some(report::file_system(&file_system, host.usage(at).ok())),
        device: device.name.clone(),
        size_bytes: opened.size_bytes()?,
        application: application(&how(own.quiesced, at, by)?)?,
    };
    Ok(v1::CommandDone { changed: false, detail: Some(v1::command_done::Detail::Source(source)) })
}

/// The one mount at this place, when it is of a whole file system.
pub fn whole_mount<'a>(mounts: &'a [MountEntry], at: &MountPoint) -> Result<&'a MountEntry, ActionError> {
    let here: Vec<&MountEntry> = mounts.iter().filter(|entry| entry.mount_point == at.as_path()).collect();
    let invalid = |why: String| Err(ActionError::Invalid(format!("{at} {why}")));
    match here.as_slice() {
        [] => invalid("is not a mount point".to_owned()),
        [entry] if entry.root != Path::new("/") => invalid(format!(
            "shows only {} of its file system (a bind mount or a subvolume); give the mount point of the whole",
            entry.root.display()
        )),
        [entry] => Ok(entry),
        several => invalid(format!("has {} file systems mounted on top of each other", several.len())),
    }
}

/// A copy of the volume must be a copy of what is mounted, all of it.
fn refuse_parts(device: &SysDevice, at: &MountPoint) -> Result<(), ActionError> {
    let name = &device.name;
    let why = match device.kind {
        DeviceKind::Disk | DeviceKind::Multipath | DeviceKind::Loop | DeviceKind::Nvme => return Ok(()),
        DeviceKind::Partition => {
            let disk = device.parent.as_deref().unwrap_or("a disk");
            format!("is on {name}, a partition of {disk}, where the whole volume was expected")
        }
        DeviceKind::DeviceMapper => format!(
            "is on {name}, a device-mapper device (LVM, dm-crypt), where the whole volume was expected"
        ),
        DeviceKind::Md => format!("is on {name}, a RAID of several devices; only one volume can be copied"),
        DeviceKind::Unspecified => format!("is on {name}, a device of a kind that we do not know"),
    };
    Err(ActionError::Invalid(format!("{at} {why}")))
}

/// What is copied is the volume with all that is on it: what is mounted must be found in the copy the same way.
fn refuse_other_layers(
    host: &dyn Host,
    ids: &[VolumeId],
    mounted: &SysDevice,
    request: &Request,
    deadline: Deadline,
) -> Result<(), ActionError> {
    let Request { at, layers, .. } = request;
    if layers.is_none() {
        return Ok(());
    }
    let volume =
        volume_id::preferred(ids).ok_or_else(|| ActionError::Invalid(format!("{at} is on no volume")))?;
    let found = verify::within(host, verify::verify(host, volume)?, layers)?;
    if found.number() != mounted.number {
        let (found, name) = (found.device().name(), &mounted.name);
        return Err(ActionError::Invalid(format!(
            "{at} is on {name}, and {layers} of volume {volume} is {found}"
        )));
    }
    let Some(lvm) = &layers.lvm else { return Ok(()) };
    match host.physical_volumes(&lvm.group, deadline)? {
        1 => Ok(()),
        several => Err(ActionError::Invalid(format!(
            "{at} is in volume group {}, which is spread over {several} devices; only a group on one volume can be copied",
            lvm.group
        ))),
    }
}

/// Holding still what the agent itself writes to would hold the agent still.
pub fn refuse_own(mounts: &[MountEntry], entry: &MountEntry, state_dir: &Path) -> Result<(), ActionError> {
    let at = entry.mount_point.display();
    if entry.mount_point == Path::new("/") {
        return Err(ActionError::Invalid("the root file system cannot be quiesced".to_owned()));
    }
    let own = mounts
        .iter()
        .filter(|mount| state_dir.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.as_os_str().len());
    match own {
        Some(own) if own.device == entry.device => Err(ActionError::Invalid(format!(
            "{at} holds the agent's own state directory {}; quiescing it would block the agent itself",
            state_dir.display()
        ))),
        _ => Ok(()),
    }
}

/// The ids that prove which volume it is, read from the device, or from every path of a multipath map that is not down.
fn read_ids(
    host: &dyn Host,
    devices: &[SysDevice],
    device: &SysDevice,
) -> Result<Vec<VolumeId>, ActionError> {
    let (answers, _) = verify::ask_bottoms(devices, device, |path| Ok(host.open(path)?.identify()?))?;
    let mut common: Option<Vec<VolumeId>> = None;
    for found in answers {
        common = Some(match common {
            None => found.into_iter().filter(VolumeId::is_strong).collect(),
            Some(common) => common.into_iter().filter(|id| found.contains(id)).collect(),
        });
    }
    match common.filter(|ids| !ids.is_empty()) {
        Some(ids) => Ok(ids),
        None => Err(HostError::Invalid {
            what: device.name.clone(),
            why: "gives no id, the same on every path, that proves which volume it is".to_owned(),
        }
        .into()),
    }
}

/// How the application at this mount point is quiesced, from the agent's configuration.
pub fn how(quiesced: &Quiesced, at: &MountPoint, by: &QuiesceBy) -> Result<How, ActionError> {
    Ok(match by {
        QuiesceBy::None => How::None,
        QuiesceBy::Fsfreeze => How::Freeze,
        QuiesceBy::Mysql => How::Mysql(database(&quiesced.databases, at, DatabaseKind::Mysql)?),
        QuiesceBy::Postgresql => {
            How::Postgresql(database(&quiesced.databases, at, DatabaseKind::Postgresql)?)
        }
        QuiesceBy::Hook(name) => How::Hook(hook(&quiesced.hooks, at, name)?),
    })
}

fn database(
    databases: &[Database],
    at: &MountPoint,
    kind: DatabaseKind,
) -> Result<word::Database, ActionError> {
    word::Database::configured(databases, at, kind)?.ok_or_else(|| {
        ActionError::Application(format!(
            "no {kind} database is known on {at}: the agent's configuration has no such [[database]] entry with this \
             mount_point"
        ))
    })
}

fn hook(hooks: &[Hook], at: &MountPoint, name: &HookId) -> Result<Hook, ActionError> {
    match hooks.iter().find(|hook| hook.name == *name) {
        Some(hook) if hook.mount_point == *at => Ok(hook.clone()),
        Some(hook) => Err(ActionError::Application(format!(
            "hook {name} is for {}, as the agent's configuration has it, and not for {at}",
            hook.mount_point
        ))),
        None => Err(ActionError::Application(format!(
            "no hook {name} is known: the agent's configuration has no such [[hook]] entry"
        ))),
    }
}

/// What answers, asked now.
fn application(how: &How) -> Result<String, ActionError> {
    let answer = match how {
        How::None | How::Freeze => Ok(String::new()),
        How::Mysql(database) => mysql::ask(database).map(|server| server.to_string()),
        How::Postgresql(database) => postgresql::ask(database),
        How::Hook(hook) => hook::check(hook).map(|()| format!("hook {}", hook.name)),
    };
    Ok(answer.map_err(QuiesceError::Guard)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Argv, host::DeviceNumber};

    fn mounted(at: &str, minor: u32, root: &str) -> MountEntry {
        MountEntry {
            mount_point: at.into(),
            device: DeviceNumber { major: 8, minor },
            file_system: "ext4".into(),
            read_only: false,
            root: root.into(),
        }
    }

    #[test]
    fn a_part_of_a_file_system_and_a_pile_of_mounts_are_refused() {
        let mounts =
            [mounted("/a", 1, "/"), mounted("/b", 1, "/sub"), mounted("/c", 1, "/"), mounted("/c", 2, "/")];
        let at = |text: &str| text.parse::<MountPoint>().unwrap();
        assert!(whole_mount(&mounts, &at("/a")).is_ok());
        for bad in ["/b", "/c", "/d"] {
            assert_eq!(whole_mount(&mounts, &at(bad)).unwrap_err().kind(), v1::command_error::Kind::Invalid);
        }
    }

    #[test]
    fn a_hook_is_known_by_its_name_and_only_for_its_own_mount_point() {
        let at = |text: &str| text.parse::<MountPoint>().unwrap();
        let argv = || Argv::new(vec!["/bin/true".into()]).unwrap();
        let (before, after) = (argv(), argv());
        let (name, mount_point) = ("app".parse::<HookId>().unwrap(), at("/srv/app"));
        let app = Hook { name, mount_point, before, after, timeout_s: 1, user: None };
        let quiesced = Quiesced { databases: vec![], hooks: vec![app] };
        let asked = |name: &str, place| how(&quiesced, &at(place), &QuiesceBy::Hook(name.parse().unwrap()));
        assert!(matches!(asked("app", "/srv/app"), Ok(How::Hook(_))));
        let error = |name, place| asked(name, place).unwrap_err().to_string();
        assert!(error("app", "/srv").contains("hook app is for /srv/app"), "{}", error("app", "/srv"));
        assert!(error("ap", "/srv/app").contains("no hook ap is known"), "{}", error("ap", "/srv/app"));
    }

    #[test]
    fn the_agent_does_not_hold_itself_still() {
        let mounts = [mounted("/", 1, "/"), mounted("/var", 2, "/"), mounted("/srv", 3, "/")];
        let state = Path::new("/var/lib/sanfleet");
        assert!(refuse_own(&mounts, &mounts[0], state).is_err());
        assert!(refuse_own(&mounts, &mounts[1], state).is_err());
        assert!(refuse_own(&mounts, &mounts[2], state).is_ok());
        assert!(refuse_own(&mounts, &mounts[2], Path::new("/srv/state")).is_err());
    }
}
