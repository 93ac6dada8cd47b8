//! What an operator may ask for, as a plan would make it.

use std::{sync::Arc, time::Duration};

use sanfleet_agent::host::Host as _;
use sanfleet_controller::{
    matching::VolumeRef,
    plan::backup_detach,
    runs::{
        Adopt, AnyProcedure, ArrayVolume, Attached, BackupAttach, CloneVolume, Copying, HostRetire, Limits,
        Placement, Provision, Repair, Rollout, SeenVolume, Target, Template, VolumeDelete, VolumeDetach,
        VolumeMove, VolumeResize,
    },
};
use sanfleet_driver::Volume;
use sanfleet_protocol::{ArrayId, FileSystemId, FileSystemKind, Label, Layers, QuiesceBy, v1};
use uuid::Uuid;

use crate::{
    Fleet, LOOP,
    array::{Array, Source},
    host::{HOOK, Host},
};

/// How long an application may be held still.
const DEAD_MAN: Duration = Duration::from_secs(5);
const NEW_BYTES: u64 = 1 << 20;

fn placement(array: &ArrayId, host: &Host, at: &str, read_write: bool) -> Placement {
    Placement {
        host: host.id.clone(),
        mount_point: at.parse().expect("a mount point"),
        read_write,
        array: array.clone(),
        initiator: host.initiator.clone(),
        fabric: LOOP.to_owned(),
    }
}

pub fn attach(source: &Source, host: &Host, at: &str, name: &str) -> AnyProcedure {
    AnyProcedure::BackupAttach(BackupAttach {
        source: source.host.id.clone(),
        main: copying(source, host, at, name),
        also: Vec::new(),
        quiesce: QuiesceBy::Fsfreeze,
        dead_man: DEAD_MAN,
        verify: true,
        expires_at_unix_ms: 0,
    })
}

/// Of an application with two volumes, held still by its hook; the second is mounted below the first.
pub fn attach_both(source: &Source, other: &Source, host: &Host, at: &str, name: &str) -> AnyProcedure {
    assert_eq!(source.host.id, other.host.id, "an application is on one host");
    AnyProcedure::BackupAttach(BackupAttach {
        source: source.host.id.clone(),
        main: copying(source, host, at, name),
        also: vec![copying(other, host, &format!("{at}/below"), &format!("{name}-2"))],
        quiesce: QuiesceBy::Hook(HOOK.parse().expect("a hook's name")),
        dead_man: DEAD_MAN,
        verify: true,
        expires_at_unix_ms: 0,
    })
}

fn copying(source: &Source, host: &Host, at: &str, name: &str) -> Copying {
    Copying {
        source_mount: source.at.clone(),
        to: placement(&source.array, host, at, false),
        name: name.to_owned(),
        resolved: v1::SourceResolved {
            array: source.array.to_string(),
            volume: source.volume.id.to_string(),
            volume_id: source.id.to_string(),
            pool: source.volume.pool_id.to_string(),
            initiator: host.initiator.to_string(),
            fabric: LOOP.to_owned(),
            ..Default::default()
        },
        layers: Layers::default(),
    }
}

/// With those that were made with it.
pub fn detach(all: &[v1::Attachment], attachment: &v1::Attachment) -> AnyProcedure {
    let detach = backup_detach::params(all, attachment).expect("an attachment can be read");
    AnyProcedure::BackupDetach(detach)
}

/// Keeps the volume.
pub fn take_down(attachment: v1::Attachment) -> AnyProcedure {
    let what = Attached::try_from(attachment).expect("an attachment can be read");
    AnyProcedure::VolumeDetach(VolumeDetach { what })
}

/// Another host gets what was attached to this one.
pub fn move_to(attachment: v1::Attachment, from: &Host, to: &Host, at: &str) -> AnyProcedure {
    let what = Attached::try_from(attachment).expect("an attachment can be read");
    let read_write = what.record.read_write;
    AnyProcedure::VolumeMove(VolumeMove {
        from: placement(&what.array, from, what.mount_point.as_str(), read_write),
        to: placement(&what.array, to, at, read_write),
        file_system: Source::KIND.to_owned(),
        what: Box::new(what),
    })
}

fn array_volume(array: &Array, volume: &Volume) -> ArrayVolume {
    ArrayVolume {
        at: VolumeRef { array: array.name.clone(), volume: volume.id.clone() },
        id: volume.volume_id().expect("the simulated array's volumes have ids"),
        name: volume.name.clone(),
        size_bytes: volume.size_bytes().expect("the simulated array's volumes have sizes"),
    }
}

pub fn delete(array: &Array, volume: &Volume) -> AnyProcedure {
    AnyProcedure::VolumeDelete(VolumeDelete { volume: array_volume(array, volume) })
}

/// What an application uses becomes as large as this, on every host that sees it.
pub fn resize(fleet: &Fleet, source: &Source, size_bytes: u64) -> AnyProcedure {
    let seen = |host: &Arc<Host>| {
        let device = host.device(&source.id)?;
        let mounts = host.sim.mounts().expect("a simulated host lists its mounts").into_iter();
        let mut written = mounts.filter(|mount| mount.device == device.number && !mount.read_only);
        let at =
            written.next().map(|mount| mount.mount_point.to_string_lossy().parse().expect("a mount point"));
        Some(SeenVolume { host: host.id.clone(), mount_point: at })
    };
    let (volume, hosts) = (array_volume(fleet.array(&source.array), &source.volume), fleet.hosts.values());
    AnyProcedure::VolumeResize(VolumeResize { volume, size_bytes, hosts: hosts.filter_map(seen).collect() })
}

/// What somebody has mounted there, read-write.
pub fn adopt(array: &Array, volume: &Volume, host: &Host, at: &str) -> AnyProcedure {
    let volume = array_volume(array, volume);
    AnyProcedure::Adopt(Adopt { volume, at: placement(&array.name, host, at, true) })
}

/// With all that is attached to it.
pub fn retire(host: &Host, attachments: Vec<v1::Attachment>) -> AnyProcedure {
    let on_host = attachments.into_iter().filter(|one| one.host == host.id.as_str());
    let attachments: Vec<Attached> =
        on_host.map(|one| Attached::try_from(one).expect("an attachment can be read")).collect();
    let mut arrays: Vec<ArrayId> = attachments.iter().map(|one| one.array.clone()).collect();
    arrays.sort();
    arrays.dedup();
    let (host, initiators) = (host.id.clone(), vec![host.initiator.clone()]);
    AnyProcedure::HostRetire(HostRetire { host, attachments, initiators, arrays })
}

/// A copy that no run knows of is deleted.
pub fn delete_copy(array: &Array, volume: &Volume) -> AnyProcedure {
    AnyProcedure::Repair(Repair::DeleteCopy(array_volume(array, volume)))
}

/// A volume that no run has shown to this host is hidden from it.
pub fn hide(array: &Array, volume: &Volume, host: &Host) -> AnyProcedure {
    let (volume, initiators) = (array_volume(array, volume), vec![host.initiator.clone()]);
    AnyProcedure::Repair(Repair::Unmask { volume, host: host.id.clone(), initiators })
}

/// A device that no run needs is removed from this host.
pub fn remove_device(volume: &Volume, host: &Host) -> AnyProcedure {
    let volume_id = volume.volume_id().expect("the simulated array's volumes have ids");
    AnyProcedure::Repair(Repair::Detach { host: host.id.clone(), volume_id })
}

/// On the pool of this source.
pub fn provision(source: &Source, host: &Host, at: &str, name: &str) -> AnyProcedure {
    AnyProcedure::Provision(Provision {
        to: placement(&source.array, host, at, true),
        pool: source.volume.pool_id.to_string(),
        size_bytes: NEW_BYTES,
        volume_name: name.to_owned(),
        thin: false,
        file_system: FileSystemKind::Ext4,
        label: Label::new(FileSystemKind::Ext4, "new").expect("a label"),
        uuid: FileSystemId::new(Uuid::from_u128(
            name.bytes().fold(1, |sum, byte| sum * 31 + u128::from(byte)),
        )),
        persist: false,
    })
}

pub fn clone(source: &Source, host: &Host, at: &str, name: &str) -> AnyProcedure {
    AnyProcedure::CloneVolume(clone_of(source, host, at, name))
}

fn clone_of(source: &Source, host: &Host, at: &str, name: &str) -> CloneVolume {
    CloneVolume {
        to: placement(&source.array, host, at, false),
        source_volume: source.volume.id.to_string(),
        source_id: source.id.clone(),
        volume_name: name.to_owned(),
        file_system: Source::KIND.to_owned(),
        source: Some((source.host.id.clone(), source.at.clone())),
        identity: None,
        persist: false,
        expires_at_unix_ms: 0,
        layers: Layers::default(),
    }
}

/// A clone to each of these hosts, all at once; none may fail.
pub fn roll_out(source: &Source, hosts: &[&Host], at: &str, name: &str) -> AnyProcedure {
    let first = hosts.first().expect("somewhere to go");
    let target = |host: &&Host| Target {
        host: host.id.clone(),
        initiator: host.initiator.clone(),
        fabric: LOOP.to_owned(),
    };
    AnyProcedure::Rollout(Rollout {
        template: Template::CloneVolume(clone_of(source, first, at, name)),
        targets: hosts.iter().map(target).collect(),
        limits: Limits { canary: 0, batch: 0, batch_percent: 0, max_failures: 0 },
    })
}
