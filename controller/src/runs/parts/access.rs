//! *mask*: the target host may see the volume, and nobody else.

use sanfleet_protocol::v1::{self, step_output::Output};

use super::{MadeVolume, PATIENT, Placement, Placing, Put};
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
    hold_at("controller.mask.before");
    let mut granted = Vec::new();
    for put in here.params.puts(here.outputs)? {
        granted.push(grant(&here, put.to, &put.volume).await?);
    }
    hold_at("controller.mask.after");
    let mut granted = granted.into_iter();
    let first = granted.next().map(|first| v1::AccessGranted { also: granted.collect(), ..first });
    Ok(first.map(Output::Access))
}

/// Lets the host of this place see the volume.
pub async fn grant<P>(
    here: &Here<'_, P>,
    to: &Placement,
    volume: &MadeVolume,
) -> Result<v1::AccessGranted, StepError> {
    let array = here.array(&to.array)?;
    let volume = array.volume_must_be(&volume.key, &volume.id).await?;
    let grant = array.ensure_access_group(&AccessGroupName::of(&to.host), &to.initiator).await?;
    array.mask(&grant.group, &volume).await?;
    let access_group = grant.group.id.to_string();
    Ok(v1::AccessGranted { access_group, created: grant.ours, also: Vec::new() })
}

/// Whoever else sees it goes on seeing it: that is nothing that this run has done.
async fn undo<P: Placing>(here: Here<'_, P>) -> Result<(), StepError> {
    for Put { to, volume, .. } in here.params.puts(here.outputs)? {
        let array = here.array(&to.array)?;
        if let Some(volume) = array.find_volume(&volume.key, &volume.id).await? {
            array.unmask_initiator(&to.initiator, &volume).await?;
        }
        array.release_access_group(&AccessGroupName::of(&to.host)).await?;
    }
    Ok(())
}
