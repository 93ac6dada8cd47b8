//! *Backup detach*: takes an attachment down without a trace: unmount → detach → unmask → delete.
//!
//! It only goes forward. Whoever asks for it wants the copy gone, so nothing here has an undo: when a step fails, the run
//! says where it stopped, and the same request made again goes on from there.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, HostId, MountPoint, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::{
    error::StepError,
    params::ParamsError,
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};
use crate::arrays::{AccessGroupName, ArrayHandle};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupDetach {
    pub host: HostId,
    pub mount_point: MountPoint,
    pub volume_id: VolumeId,
    pub attachment: v1::Attachment,
}

/// Somebody who uses the mount point is a person's business: two tries, then say who it is.
const BRIEF: Patience = Patience::new(2, 65);
const PATIENT: Patience = Patience::new(40, 60);
const CHANGE: Duration = Duration::from_secs(30);

impl Procedure for BackupDetach {
    const NAME: &'static str = "backup detach";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "unmount",
            act: |here| boxed(unmount(here)),
            undo: Undo::None("whoever detaches wants it gone; mounting it again would be a surprise"),
            patience: BRIEF,
        },
        Step {
            name: "detach",
            act: |here| boxed(detach(here)),
            undo: Undo::None("the volume is untouched; detaching again goes on from here"),
            patience: PATIENT,
        },
        Step {
            name: "unmask",
            act: |here| boxed(unmask(here)),
            undo: Undo::None("the volume is untouched; detaching again goes on from here"),
            patience: PATIENT,
        },
        Step {
            name: "delete",
            act: |here| boxed(delete(here)),
            undo: Undo::None("a deleted copy cannot be brought back, and was asked to go"),
            patience: PATIENT,
        },
    ];

    type Message = v1::BackupDetachParams;

    fn to_message(&self) -> v1::BackupDetachParams {
        v1::BackupDetachParams { attachment: self.attachment.id.clone(), what: Some(self.attachment.clone()) }
    }

    fn from_message(message: &v1::BackupDetachParams) -> Result<Self, ParamsError> {
        message.what.clone().ok_or(ParamsError::Missing { field: "what" })?.try_into()
    }

    fn title(&self) -> String {
        format!("{}:{}", self.host, self.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        self.attachment.array.parse().ok()
    }

    fn places(&self) -> Vec<Place> {
        vec![Place { host: self.host.clone(), mount_point: self.mount_point.clone() }]
    }

    fn removes(&self) -> Option<&v1::Attachment> {
        Some(&self.attachment)
    }
}

impl TryFrom<v1::Attachment> for BackupDetach {
    type Error = ParamsError;

    fn try_from(attachment: v1::Attachment) -> Result<Self, ParamsError> {
        Ok(Self {
            host: attachment.host.parse()?,
            mount_point: attachment.mount_point.parse()?,
            volume_id: attachment.volume_id.parse()?,
            attachment,
        })
    }
}

type At<'a> = Here<'a, BackupDetach>;

async fn unmount(here: At<'_>) -> Result<Option<Output>, StepError> {
    let unmount = v1::UnmountVolume {
        volume_id: here.params.volume_id.to_string(),
        mount_point: here.params.mount_point.to_string(),
    };
    here.command(&here.params.host, Action::Unmount(unmount), CHANGE).await?;
    Ok(None)
}

async fn detach(here: At<'_>) -> Result<Option<Output>, StepError> {
    let detach = v1::DetachVolume { volume_id: here.params.volume_id.to_string() };
    here.command(&here.params.host, Action::Detach(detach), CHANGE).await?;
    Ok(None)
}

async fn unmask(here: At<'_>) -> Result<Option<Output>, StepError> {
    let array = array(&here)?;
    // The array may have given the copy's own id to another volume since: only the identity counts.
    let copy = array.find_volume(&here.params.attachment.volume, &here.params.volume_id).await?;
    if let Some(copy) = copy {
        array.unmask_everywhere(&copy).await?;
    }
    array.release_access_group(&AccessGroupName::of(&here.params.host)).await?;
    Ok(None)
}

async fn delete(here: At<'_>) -> Result<Option<Output>, StepError> {
    let array = array(&here)?;
    array.delete_volume(&here.params.attachment.volume, &here.params.volume_id).await?;
    Ok(None)
}

fn array(here: &At<'_>) -> Result<ArrayHandle, StepError> {
    let name = here.params.attachment.array.parse().map_err(|error| StepError::id("array", error))?;
    Ok(here.array(&name)?)
}
