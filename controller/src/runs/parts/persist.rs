//! *persist*: the file system is mounted again at every start of the host.

use std::time::Duration;

use sanfleet_protocol::{
    FileSystemId, FileSystemKind,
    v1::{self, command::Action, step_output::Output},
};

use super::{PATIENT, Placing, made_volume};
use crate::runs::{
    error::StepError,
    procedure::{Here, Step, Undo, boxed},
};

const CHANGE: Duration = Duration::from_secs(30);

/// A procedure that may leave a mount for good.
pub trait Persisting: Placing {
    /// What the unit goes by; `None` when the mount is for this time only.
    fn persisted(&self) -> Option<(FileSystemKind, FileSystemId)>;
}

pub const fn step<P: Persisting>() -> Step<P> {
    Step {
        name: "persist",
        act: |here| boxed(persist(here)),
        undo: Undo::By { act: |here| boxed(undo(here)), says: "remove the mount unit" },
        patience: PATIENT,
    }
}

async fn persist<P: Persisting>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    let Some((file_system, uuid)) = here.params.persisted() else { return Ok(None) };
    let to = here.params.placement();
    let persist = v1::PersistMount {
        volume_id: made_volume(here.outputs)?.id.to_string(),
        mount_point: to.mount_point.to_string(),
        file_system: file_system.to_string(),
        uuid: uuid.to_string(),
        read_write: to.read_write,
    };
    here.command(&to.host, Action::PersistMount(persist), CHANGE).await?;
    Ok(None)
}

async fn undo<P: Persisting>(here: Here<'_, P>) -> Result<(), StepError> {
    if here.params.persisted().is_some() {
        let to = here.params.placement();
        let forget = v1::ForgetMount { mount_point: to.mount_point.to_string() };
        here.command(&to.host, Action::ForgetMount(forget), CHANGE).await?;
    }
    Ok(())
}
