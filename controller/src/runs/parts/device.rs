//! *attach*: the volume's device is there on the target host, and can be read.

use std::time::Duration;

use sanfleet_protocol::{
    HostId,
    v1::{self, command::Action, command_done::Detail, step_output::Output},
};

use super::{MadeVolume, PATIENT, Placement, Placing, Put};
use crate::runs::{
    error::StepError,
    procedure::{Here, Step, Undo, boxed},
};

const CHANGE: Duration = Duration::from_secs(30);
/// How long a new device may take to appear.
const APPEAR: Duration = Duration::from_secs(20);
/// What an answer may take longer than that.
const ANSWER: Duration = Duration::from_secs(10);

pub const fn step<P: Placing>() -> Step<P> {
    Step {
        name: "attach",
        act: |here| boxed(attach(here)),
        undo: Undo::By { act: |here| boxed(undo(here)), says: "flush and remove the device" },
        patience: PATIENT,
    }
}

async fn attach<P: Placing>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    let mut found = None;
    for put in here.params.puts(here.outputs)? {
        let device = find(&here, &put).await?;
        found.get_or_insert(device);
    }
    Ok(found.map(Output::Device))
}

/// Has the host of this place find the volume, and what its file system is on.
pub async fn find<P>(here: &Here<'_, P>, put: &Put<'_>) -> Result<v1::DevicePresent, StepError> {
    let Put { to, volume, .. } = put;
    let volume_id = volume.id.to_string();
    let paths = paths(here, to, volume).await?;
    let rescan = v1::Rescan { fabric: to.fabric.clone(), volume_id: volume_id.clone(), paths };
    here.command(&to.host, Action::Rescan(rescan), CHANGE).await?;
    let timeout_ms = u32::try_from(APPEAR.as_millis()).unwrap_or(u32::MAX);
    let wait = v1::AwaitVolume { volume_id: volume_id.clone(), timeout_ms };
    let boot = boot_of(here, &to.host);
    let done = match here.command(&to.host, Action::AwaitVolume(wait), APPEAR + ANSWER).await {
        // What the rescan had brought in went with the power; another one brings it in again.
        Err(error) if boot_of(here, &to.host) != boot => {
            return Err(StepError::NotVerified(format!("{error}; the host was started again meanwhile")));
        }
        answer => answer?,
    };
    let Some(Detail::Device(device)) = done.detail else {
        return Err(StepError::NotVerified(format!("host {} did not name the device", to.host)));
    };
    if let Some(layers) = put.layers() {
        let open = v1::OpenLayers { volume_id, layers: Some(layers) };
        here.command(&to.host, Action::OpenLayers(open), CHANGE).await?;
    }
    Ok(device)
}

/// Which start of the host the newest report of it is from.
fn boot_of<P>(here: &Here<'_, P>, host: &HostId) -> Option<String> {
    let catalog = here.world.catalog.read();
    Some(catalog.host(host)?.inventory.as_ref()?.report.boot_id.clone())
}

/// Where the array shows the volume to this host; nothing for a fabric that finds it by itself.
async fn paths<P>(
    here: &Here<'_, P>,
    to: &Placement,
    volume: &MadeVolume,
) -> Result<Vec<v1::TargetPath>, StepError> {
    if to.fabric == "loop" {
        return Ok(Vec::new());
    }
    let array = here.array(&to.array)?;
    let record = array.volume_must_be(&volume.key, &volume.id).await?;
    let paths = array.paths(&to.fabric, &to.initiator, &record).await?;
    Ok(paths.iter().map(v1::TargetPath::from).collect())
}

async fn undo<P: Placing>(here: Here<'_, P>) -> Result<(), StepError> {
    for put in here.params.puts(here.outputs)? {
        let volume_id = put.volume.id.to_string();
        here.command(&put.to.host, Action::Detach(v1::DetachVolume { volume_id }), CHANGE).await?;
    }
    Ok(())
}
