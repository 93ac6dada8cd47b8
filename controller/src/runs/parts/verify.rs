//! *verify*: the volume that was mounted answers, and carries the file system that it should.

use std::time::Duration;

use sanfleet_protocol::v1::{self, command::Action, command_done::Detail, step_output::Output};

use super::{Placing, Put};
use crate::runs::{
    error::StepError,
    procedure::{Here, Patience, Step, Undo, boxed},
};

/// Samples from all over a large device of a slow array take their time.
const READ: Duration = Duration::from_secs(60);

/// A procedure that may be asked to look at what it has made.
pub trait Verifying: Placing {
    fn is_verified(&self) -> bool;
}

pub const fn step<P: Verifying>() -> Step<P> {
    Step {
        name: "verify",
        act: |here| boxed(verify(here)),
        undo: Undo::None("it only looks"),
        patience: Patience::new(3, 200),
    }
}

async fn verify<P: Verifying>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    if !here.params.is_verified() {
        return Ok(None);
    }
    for put in here.params.puts(here.outputs)? {
        look(&here, put).await?;
    }
    Ok(None)
}

async fn look<P>(here: &Here<'_, P>, put: Put<'_>) -> Result<(), StepError> {
    let Put { to, volume, file_system: wanted, .. } = put;
    let check = v1::CheckVolume {
        volume_id: volume.id.to_string(),
        mount_point: to.mount_point.to_string(),
        deep: true,
    };
    let done = here.command(&to.host, Action::CheckVolume(check), READ).await?;
    let Some(Detail::Volume(checked)) = done.detail else {
        return Err(StepError::NotVerified(format!("host {} did not say what it read", to.host)));
    };
    let found = checked.file_system.unwrap_or_default();
    if !wanted.is_empty() && found.r#type != wanted {
        return Err(StepError::Refused(format!(
            "the copy carries {:?}, its source {wanted:?}",
            found.r#type
        )));
    }
    Ok(())
}
