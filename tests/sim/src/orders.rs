//! What an operator may ask for, as a plan would make it.

use std::time::Duration;

use sanfleet_controller::{
    plan::backup_detach,
    runs::{
        AnyProcedure, BackupAttach, CloneVolume, Copying, Limits, Placement, Provision, Rollout, Target,
        Template,
    },
};
use sanfleet_protocol::{ArrayId, FileSystemId, FileSystemKind, Label, QuiesceBy, v1};
use uuid::Uuid;

use crate::{
    LOOP,
    array::Source,
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
    }
}

/// With those that were made with it.
pub fn detach(all: &[v1::Attachment], attachment: &v1::Attachment) -> AnyProcedure {
    let detach = backup_detach::params(all, attachment).expect("an attachment can be read");
    AnyProcedure::BackupDetach(detach)
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
