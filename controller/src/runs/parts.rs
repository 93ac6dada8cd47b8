//! Steps that procedures share: each a file with the step, what it does and what takes it back.

use sanfleet_protocol::{ArrayId, HostId, Initiator, Layers, MountPoint, VolumeId, v1};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    procedure::{Patience, Place, Procedure},
};

pub mod access;
pub mod array_volume;
pub mod attached;
pub mod device;
pub mod mount;
pub mod persist;
pub mod target;
pub mod verify;
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

impl Placement {
    /// Whether a volume may be mounted there. The file system's type may be empty where nobody knows it yet.
    pub fn check(&self, file_system: String) -> v1::CheckTarget {
        let (mount_point, read_write) = (self.mount_point.to_string(), self.read_write);
        v1::CheckTarget { mount_point, file_system, read_write, format: false }
    }
}

/// One of the volumes that a procedure puts on hosts.
#[derive(Debug, Clone)]
pub struct Put<'a> {
    pub to: &'a Placement,
    pub volume: MadeVolume,
    pub file_system: String,
    /// What lies between the two on the source of a copy.
    pub layers: Layers,
}

impl Put<'_> {
    /// As agents are told.
    fn layers(&self) -> Option<v1::Layers> {
        (!self.layers.is_none()).then(|| v1::Layers::from(&self.layers))
    }
}

/// A procedure that puts a volume on a host, or several that belong together.
pub trait Placing: Procedure {
    fn placement(&self) -> &Placement;

    /// The volume: the one that the run has made, unless the procedure puts one there that was before.
    fn volume(&self, outputs: &Outputs) -> Result<MadeVolume, StepError> {
        made_volume(outputs)
    }

    /// The type of the file system that is on the volume when it is mounted; empty when nobody knows.
    fn file_system(&self, outputs: &Outputs) -> String;

    /// Whether it makes that file system itself.
    fn formats(&self) -> bool {
        false
    }

    /// What lies between the volume and its file system.
    fn layers(&self) -> Layers {
        Layers::default()
    }

    /// All that it puts on hosts, in the order in which outputs have them.
    fn puts(&self, outputs: &Outputs) -> Result<Vec<Put<'_>>, StepError> {
        let (to, file_system) = (self.placement(), self.file_system(outputs));
        Ok(vec![Put { to, volume: self.volume(outputs)?, file_system, layers: self.layers() }])
    }

    /// The same in the order in which they are mounted: what lies below another one after that.
    fn puts_as_mounted(&self, outputs: &Outputs) -> Result<Vec<Put<'_>>, StepError> {
        let mut puts = self.puts(outputs)?;
        puts.sort_by(|one, other| one.to.mount_point.cmp(&other.to.mount_point));
        Ok(puts)
    }
}

/// The volume that a step before this one has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeVolume {
    /// The array's own id of it.
    pub key: String,
    pub id: VolumeId,
}

/// The volume that a run puts on a host, once it is there; the first of several.
pub fn made_volume(outputs: &Outputs) -> Result<MadeVolume, StepError> {
    match outputs.made() {
        Ok(made) => made_as(&made.volume, &made.volume_id),
        Err(_) => {
            let copied = outputs.copied()?;
            made_as(&copied.volume, &copied.volume_id)
        }
    }
}

/// All volumes that a run has made so far, as far as its steps tell.
pub fn made_volumes(outputs: &Outputs) -> Vec<MadeVolume> {
    let also = outputs.copied().map(|copied| copied.also.as_slice()).unwrap_or_default();
    let also = also.iter().map(|copied| made_as(&copied.volume, &copied.volume_id));
    [made_volume(outputs)].into_iter().chain(also).filter_map(Result::ok).collect()
}

fn made_as(key: &str, id: &str) -> Result<MadeVolume, StepError> {
    let id = id.parse().map_err(|error| StepError::id("volume id", error))?;
    Ok(MadeVolume { key: key.to_owned(), id })
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

    /// The attachment of a volume that was put here, once steps have told which it is and who may see it.
    pub fn attachment(
        &self,
        volume: Result<MadeVolume, StepError>,
        access: Result<&v1::AccessGranted, StepError>,
        volume_name: &str,
    ) -> Option<v1::Attachment> {
        let (volume, access) = (volume.ok()?, access.ok()?);
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
