//! *Backup detach*: takes an attachment down without a trace: unmount → forget → detach → unmask →
//! delete.
//!
//! It only goes forward. Whoever asks for it wants the copy gone, so nothing here has an undo: when a step fails, the run
//! says where it stopped, and the same request made again goes on from there.

use std::collections::BTreeSet;

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
    /// Those that were made with it, and go with it.
    pub also: Vec<Attached>,
}

impl BackupDetach {
    pub fn all(&self) -> impl Iterator<Item = &Attached> {
        [&self.what].into_iter().chain(&self.also)
    }
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
        let also = self.also.iter().map(|one| one.record.clone()).collect();
        v1::BackupDetachParams { attachment: record.id.clone(), what: Some(record), also }
    }

    fn from_message(message: &v1::BackupDetachParams) -> Result<Self, ParamsError> {
        let also =
            message.also.iter().map(|one| Attached::try_from(one.clone())).collect::<Result<_, _>>()?;
        Ok(Self { what: Attached::from_message(message.what.as_ref())?, also })
    }

    fn title(&self) -> String {
        let places: Vec<String> = self.all().map(|one| format!("{}:{}", one.host, one.mount_point)).collect();
        places.join(", ")
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.what.array.clone())
    }

    fn arrays(&self) -> Vec<ArrayId> {
        let arrays: BTreeSet<&ArrayId> = self.all().map(|one| &one.array).collect();
        arrays.into_iter().cloned().collect()
    }

    fn places(&self) -> Vec<Place> {
        self.all().map(Attached::place).collect()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        self.all().map(|one| one.volume_id.clone()).collect()
    }

    fn removes(&self) -> Vec<&v1::Attachment> {
        self.all().map(|one| &one.record).collect()
    }
}

impl Detaching for BackupDetach {
    fn attached(&self) -> &Attached {
        &self.what
    }

    fn all_attached(&self) -> Vec<&Attached> {
        let mut all: Vec<&Attached> = self.all().collect();
        all.sort_by(|one, other| other.mount_point.cmp(&one.mount_point));
        all
    }
}

type At<'a> = Here<'a, BackupDetach>;

/// Nobody may see what is about to be deleted.
async fn unmask(here: At<'_>) -> Result<Option<Output>, StepError> {
    for what in here.params.all() {
        let array = here.array(&what.array)?;
        // The array may have given the copy's own id to another volume since: only the identity counts.
        let copy = array.find_volume(&what.record.volume, &what.volume_id).await?;
        if let Some(copy) = copy {
            array.unmask_everywhere(&copy).await?;
        }
        array.release_access_group(&AccessGroupName::of(&what.host)).await?;
    }
    Ok(None)
}

async fn delete(here: At<'_>) -> Result<Option<Output>, StepError> {
    for what in here.params.all() {
        here.array(&what.array)?.delete_volume(&what.record.volume, &what.volume_id).await?;
    }
    Ok(None)
}
