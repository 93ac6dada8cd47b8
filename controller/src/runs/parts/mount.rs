//! *mount*: the volume's file system is mounted on the target host.

use std::time::Duration;

use sanfleet_protocol::v1::{self, command::Action, command_done::Detail, step_output::Output};

use super::{MadeVolume, PATIENT, Placement, Placing, Put};
use crate::{
    failpoint::hold_at,
    plan::refuse_second_writer,
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
    for wanted in here.params.puts_as_mounted(here.outputs)? {
        if wanted.to.read_write {
            let (volume, host) = (std::slice::from_ref(&wanted.volume.id), &wanted.to.host);
            refuse_second_writer(&here.world.catalog.read(), volume, host)?;
        }
        hold_at("controller.mount.before");
        put(&here, wanted).await?;
        hold_at("controller.mount.after");
    }
    Ok(None)
}

/// Mounts the volume at its place.
pub async fn put<P>(here: &Here<'_, P>, wanted: Put<'_>) -> Result<(), StepError> {
    let layers = wanted.layers();
    let Put { to, volume, file_system, .. } = wanted;
    let file_system = match file_system.is_empty() {
        true => found_on(here, to, &volume).await?,
        false => file_system,
    };
    let mount = v1::MountVolume {
        volume_id: volume.id.to_string(),
        mount_point: to.mount_point.to_string(),
        read_write: to.read_write,
        file_system,
        layers,
    };
    here.command(&to.host, Action::Mount(mount), CHANGE).await?;
    Ok(())
}

/// What is on the volume, as the host reads it: of a source that no host sees nobody knows it before.
async fn found_on<P>(here: &Here<'_, P>, to: &Placement, volume: &MadeVolume) -> Result<String, StepError> {
    let check = v1::CheckVolume { volume_id: volume.id.to_string(), ..Default::default() };
    match here.command(&to.host, Action::CheckVolume(check), CHANGE).await?.detail {
        Some(Detail::Volume(v1::VolumeChecked { file_system: Some(found), .. })) => Ok(found.r#type),
        _ => Err(StepError::NotVerified(format!("host {} did not say what it read", to.host))),
    }
}

async fn undo<P: Placing>(here: Here<'_, P>) -> Result<(), StepError> {
    for Put { to, volume, .. } in here.params.puts_as_mounted(here.outputs)?.into_iter().rev() {
        let (volume_id, mount_point) = (volume.id.to_string(), to.mount_point.to_string());
        let unmount = v1::UnmountVolume { volume_id, mount_point };
        here.command(&to.host, Action::Unmount(unmount), CHANGE).await?;
    }
    Ok(())
}
