//! *check*: the target host is there and could mount something at the mount point. It comes first, so that what cannot end well
//! is not begun.

use std::time::Duration;

use sanfleet_protocol::v1::{self, command::Action, step_output::Output};

use super::Placing;
use crate::runs::{
    error::StepError,
    procedure::{Here, Patience, Step, Undo, boxed},
};

/// A host that takes longer is not fit to be touched.
const LOOK: Duration = Duration::from_secs(10);

pub const fn step<P: Placing>() -> Step<P> {
    Step {
        name: "check",
        act: |here| boxed(check(here)),
        undo: Undo::None("it only looks"),
        patience: Patience::new(2, 30),
    }
}

async fn check<P: Placing>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    let (params, to) = (here.params, here.params.placement());
    let format = params.formats();
    let check = v1::CheckTarget { format, ..to.check(params.file_system(here.outputs)) };
    here.command(&to.host, Action::CheckTarget(check), LOOK).await?;
    Ok(None)
}
