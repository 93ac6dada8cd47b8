//! *make*: the volume that a run puts on a host is there, made by this very run.
//!
//! Its name was minted with the run and ends in random digits of the run's id, so that nobody else has a volume of that name.
//! What is found under it on a later try is what an earlier one made before its answer was lost.

use std::time::Duration;

use futures::future::BoxFuture;
use sanfleet_driver::Volume;
use sanfleet_protocol::v1::{self, step_output::Output};

use super::Placing;
use crate::{
    arrays::{ArrayError, ArrayHandle},
    failpoint::hold_at,
    runs::{
        error::StepError,
        procedure::{Here, Patience, Step, Undo, boxed},
    },
};

/// Arrays may take long to copy.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(900), ..Patience::new(10, 1_800) };

/// A procedure that makes the volume that it puts on a host.
pub trait Making: Placing {
    fn volume_name(&self) -> &str;

    /// Makes it on the array, and nothing else.
    fn make<'a>(&'a self, array: &'a ArrayHandle) -> BoxFuture<'a, Result<Volume, ArrayError>>;
}

pub const fn step<P: Making>() -> Step<P> {
    Step {
        name: "make",
        act: |here| boxed(make(here)),
        undo: Undo::By { act: |here| boxed(undo(here)), says: "delete the volume" },
        patience: PATIENCE,
    }
}

async fn make<P: Making>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    let (params, name) = (here.params, here.params.volume_name());
    let array = here.array(&params.placement().array)?;
    let earlier = match here.attempt {
        1 => None,
        _ => array.find_volume_named(name).await?,
    };
    hold_at("controller.make.before");
    let volume = match earlier {
        Some(volume) => volume,
        None => params.make(&array).await?,
    };
    hold_at("controller.make.after");
    let Some(id) = volume.volume_id() else {
        return Err(StepError::Refused(format!(
            "array {} gives volume {name} no id that a host could see",
            array.name()
        )));
    };
    Ok(Some(Output::Made(v1::VolumeMade {
        volume: volume.id.to_string(),
        volume_id: id.to_string(),
        size_bytes: volume.size_bytes().unwrap_or_default(),
    })))
}

async fn undo<P: Making>(here: Here<'_, P>) -> Result<(), StepError> {
    let array = here.array(&here.params.placement().array)?;
    // The step may have failed or been cut off before it could tell what it made; the name tells.
    Ok(array.delete_volume_named(here.params.volume_name()).await?)
}
