//! *Backup detach*: takes an attachment down without a trace: unmount → forget → detach → unmask →
//! delete.
//!
//! It only goes forward. Whoever asks for it wants the copy gone, so nothing here has an undo: when a step fails, the run
//! says where it stopped, and the same request made again goes on from there.

use sanfleet_protocol::{
    ArrayId, VolumeId,
    v1::{self, step_output::Output},
};

use super::{
    error::StepError,
    params::ParamsError,
    parts::{
        PATIENT,
        attached::{Attached, Detaching, GOES_ON, detach_step, forget_step, unmount_step},
    },
    procedure::{Here, Place, Procedure, Step, Undo, boxed},
};
use crate::arrays::AccessGroupName;

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupDetach {
    pub what: Attached,
}

impl Procedure for BackupDetach {
    const NAME: &'static str = "backup detach";
    const STEPS: &'static [Step<Self>] = &[
        unmount_step(),
        forget_step(),
        detach_step(),
        Step {
            name: "unmask",
            act: |here| boxed(unmask(here)),
            undo: Undo::None(GOES_ON),
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
        let record = self.what.record.clone();
        v1::BackupDetachParams { attachment: record.id.clone(), what: Some(record) }
    }

    fn from_message(message: &v1::BackupDetachParams) -> Result<Self, ParamsError> {
        Ok(Self { what: Attached::from_message(message.what.as_ref())? })
    }

    fn title(&self) -> String {
        format!("{}:{}", self.what.host, self.what.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.what.array.clone())
    }

    fn places(&self) -> Vec<Place> {
        vec![self.what.place()]
    }

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.what.volume_id.clone()]
    }

    fn removes(&self) -> Option<&v1::Attachment> {
        Some(&self.what.record)
    }
}

impl Detaching for BackupDetach {
    fn attached(&self) -> &Attached {
        &self.what
    }
}

type At<'a> = Here<'a, BackupDetach>;

/// Nobody may see what is about to be deleted.
async fn unmask(here: At<'_>) -> Result<Option<Output>, StepError> {
    let what = &here.params.what;
    let array = here.array(&what.array)?;
    // The array may have given the copy's own id to another volume since: only the identity counts.
    let copy = array.find_volume(&what.record.volume, &what.volume_id).await?;
    if let Some(copy) = copy {
        array.unmask_everywhere(&copy).await?;
    }
    array.release_access_group(&AccessGroupName::of(&what.host)).await?;
    Ok(None)
}

async fn delete(here: At<'_>) -> Result<Option<Output>, StepError> {
    let what = &here.params.what;
    here.array(&what.array)?.delete_volume(&what.record.volume, &what.volume_id).await?;
    Ok(None)
}
