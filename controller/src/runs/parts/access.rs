//! *mask*: the target host may see the volume, and nobody else.

use sanfleet_protocol::v1::{self, step_output::Output};

use super::{PATIENT, Placing, made_volume};
use crate::{
    arrays::AccessGroupName,
    failpoint::hold_at,
    runs::{
        error::StepError,
        procedure::{Here, Step, Undo, boxed},
    },
};

pub const fn step<P: Placing>() -> Step<P> {
    Step {
        name: "mask",
        act: |here| boxed(mask(here)),
        undo: Undo::By {
            act: |here| boxed(undo(here)),
            says: "unmask, remove the access group if nothing else uses it",
        },
        patience: PATIENT,
    }
}

async fn mask<P: Placing>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    let (to, volume) = (here.params.placement(), made_volume(here.outputs)?);
    let array = here.array(&to.array)?;
    let volume = array.volume_must_be(&volume.key, &volume.id).await?;
    let grant = array.ensure_access_group(&AccessGroupName::of(&to.host), &to.initiator).await?;
    array.mask(&grant.group, &volume).await?;
    hold_at("controller.mask.after");
    Ok(Some(Output::Access(v1::AccessGranted {
        access_group: grant.group.id.to_string(),
        created: grant.ours,
    })))
}

async fn undo<P: Placing>(here: Here<'_, P>) -> Result<(), StepError> {
    let (to, volume) = (here.params.placement(), made_volume(here.outputs)?);
    let array = here.array(&to.array)?;
    if let Some(volume) = array.find_volume(&volume.key, &volume.id).await? {
        array.unmask_everywhere(&volume).await?;
    }
    Ok(array.release_access_group(&AccessGroupName::of(&to.host)).await?)
}
