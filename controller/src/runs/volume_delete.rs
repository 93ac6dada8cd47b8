//! *Volume delete*: a volume that nobody uses goes: check → delete.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, VolumeId,
    v1::{self, step_output::Output},
};

use super::{
    error::StepError,
    params::ParamsError,
    parts::{PATIENT, array_volume::ArrayVolume},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeDelete {
    pub volume: ArrayVolume,
}

impl Procedure for VolumeDelete {
    const NAME: &'static str = "volume delete";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "check",
            act: |here| boxed(check(here)),
            undo: Undo::None("it only looks"),
            patience: Patience::new(3, 60),
        },
        Step {
            name: "delete",
            act: |here| boxed(delete(here)),
            undo: Undo::None("a deleted volume cannot be brought back, and was asked to go"),
            patience: Patience { silence: Duration::from_secs(300), ..PATIENT },
        },
    ];

    type Message = v1::VolumeDeleteParams;

    fn to_message(&self) -> v1::VolumeDeleteParams {
        v1::VolumeDeleteParams { volume: Some(self.volume.to_message()) }
    }

    fn from_message(message: &v1::VolumeDeleteParams) -> Result<Self, ParamsError> {
        Ok(Self { volume: ArrayVolume::from_message(message.volume.as_ref())? })
    }

    fn title(&self) -> String {
        format!("{}/{}", self.volume.array(), self.volume.name)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.volume.array().clone())
    }

    /// None: nobody has it mounted, or it is not deleted.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.volume.id.clone()]
    }
}

/// Somebody may have begun to use it since the plan was made. The array is asked itself; of the hosts, the newest reports.
async fn check(here: Here<'_, VolumeDelete>) -> Result<Option<Output>, StepError> {
    let volume = &here.params.volume;
    let mut users = here.register.using(&volume.id, here.run);
    users.extend(here.world.catalog.read().users(&volume.at));
    let array = here.array(volume.array())?;
    if let Some(found) = array.find_volume(volume.key(), &volume.id).await? {
        users.extend(array.users(&found).await?);
    }
    users.dedup();
    match users.is_empty() {
        true => Ok(None),
        false => Err(StepError::Refused(format!("{} is used: {}", volume.name, users.join("; ")))),
    }
}

async fn delete(here: Here<'_, VolumeDelete>) -> Result<Option<Output>, StepError> {
    let volume = &here.params.volume;
    here.array(volume.array())?.delete_volume(volume.key(), &volume.id).await?;
    Ok(None)
}
