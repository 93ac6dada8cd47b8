//! Steps that procedures share: each a file with the step, what it does and what takes it back.

use sanfleet_protocol::{ArrayId, HostId, Initiator, MountPoint, VolumeId, v1};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    procedure::{Patience, Place, Procedure},
};

pub mod access;
pub mod device;
pub mod mount;
pub mod target;
pub mod volume;

/// For what may have to wait for a machine to come back.
pub const PATIENT: Patience = Patience::new(40, 60);

/// Where a volume is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub host: HostId,
    pub mount_point: MountPoint,
    pub read_write: bool,
    pub array: ArrayId,
    pub initiator: Initiator,
    /// As agents name it: loop, iscsi…
    pub fabric: String,
}

/// A procedure that puts one volume on one host.
pub trait Placing: Procedure {
    fn placement(&self) -> &Placement;

    /// The type of the file system that is on the volume when it is mounted; empty when nobody knows.
    fn file_system(&self, outputs: &Outputs) -> String;
}

/// The volume that a step before this one has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeVolume {
    /// The array's own id of it.
    pub key: String,
    pub id: VolumeId,
}

/// The volume that a run puts on a host, once it is there.
pub fn made_volume(outputs: &Outputs) -> Result<MadeVolume, StepError> {
    let (key, id) = match outputs.made() {
        Ok(made) => (&made.volume, &made.volume_id),
        Err(_) => {
            let copied = outputs.copied()?;
            (&copied.volume, &copied.volume_id)
        }
    };
    let id = id.parse().map_err(|error| StepError::id("volume id", error))?;
    Ok(MadeVolume { key: key.clone(), id })
}

impl Placement {
    pub fn place(&self) -> Place {
        Place { host: self.host.clone(), mount_point: self.mount_point.clone() }
    }

    pub fn to_message(&self) -> v1::Placement {
        v1::Placement {
            host: self.host.to_string(),
            mount_point: self.mount_point.to_string(),
            read_write: self.read_write,
            array: self.array.to_string(),
            initiator: self.initiator.to_string(),
            fabric: self.fabric.clone(),
        }
    }

    pub fn from_message(message: Option<&v1::Placement>) -> Result<Self, ParamsError> {
        let message = message.ok_or(ParamsError::Missing { field: "to" })?;
        Ok(Self {
            host: message.host.parse()?,
            mount_point: message.mount_point.parse()?,
            read_write: message.read_write,
            array: message.array.parse()?,
            initiator: message.initiator.parse()?,
            fabric: message.fabric.clone(),
        })
    }

    /// The attachment of a volume that was put here.
    pub fn attachment(&self, outputs: &Outputs, volume_name: &str) -> Option<v1::Attachment> {
        let (volume, access) = (made_volume(outputs).ok()?, outputs.access().ok()?);
        Some(v1::Attachment {
            host: self.host.to_string(),
            mount_point: self.mount_point.to_string(),
            read_write: self.read_write,
            array: self.array.to_string(),
            volume: volume.key,
            volume_id: volume.id.to_string(),
            volume_name: volume_name.to_owned(),
            access_group: access.access_group.clone(),
            access_group_created: access.created,
            fabric: self.fabric.clone(),
            ..v1::Attachment::default()
        })
    }
}
