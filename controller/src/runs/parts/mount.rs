//! *mount*: the volume's file system is mounted on the target host.

use std::time::Duration;

use sanfleet_protocol::v1::{self, command::Action, step_output::Output};

use super::{PATIENT, Placing, made_volume};
use crate::{
    failpoint::hold_at,
    runs::{
        error::StepError,
        procedure::{Here, Step, Undo, boxed},
    },
};

const CHANGE: Duration = Duration::from_secs(30);

pub const fn step<P: Placing>() -> Step<P> {
    Step {
        name: "mount",
        act: |here| boxed(mount(here)),
        undo: Undo::By { act: |here| boxed(undo(here)), says: "unmount" },
        patience: PATIENT,
    }
}

async fn mount<P: Placing>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    let (to, volume) = (here.params.placement(), made_volume(here.outputs)?);
    hold_at("controller.mount.before");
    let mount = v1::MountVolume {
        volume_id: volume.id.to_string(),
        mount_point: to.mount_point.to_string(),
        read_write: to.read_write,
        file_system: here.params.file_system(here.outputs),
    };
    here.command(&to.host, Action::Mount(mount), CHANGE).await?;
    hold_at("controller.mount.after");
    Ok(None)
}

async fn undo<P: Placing>(here: Here<'_, P>) -> Result<(), StepError> {
    let (to, volume) = (here.params.placement(), made_volume(here.outputs)?);
    let unmount =
        v1::UnmountVolume { volume_id: volume.id.to_string(), mount_point: to.mount_point.to_string() };
    here.command(&to.host, Action::Unmount(unmount), CHANGE).await?;
    Ok(())
}
