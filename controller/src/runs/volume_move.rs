//! *Volume move*: an attachment goes from one host to another: check → unmount → forget → detach → unmask on the old one,
//! *clean*, and then mask → attach → mount on the new one. The undo puts it back.
//!
//! The new host gets nothing before the old one is proven to be without it: two hosts that write to one file system
//! destroy it.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, Layers, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    parts::{
        MadeVolume, PATIENT, Placement, Placing, Put, access,
        attached::{Attached, BRIEF, Detaching, detach, forget_step, unmask, unmount},
        device, mount, target,
    },
    procedure::{Here, Place, Procedure, Step, Undo, boxed},
};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeMove {
    /// Boxed, or every procedure would take as much room as this one.
    pub what: Box<Attached>,
    /// Where it was, for the way back.
    pub from: Placement,
    pub to: Placement,
    /// What it carries; empty when no host has reported it.
    pub file_system: String,
}

const CHANGE: Duration = Duration::from_secs(30);

impl Procedure for VolumeMove {
    const NAME: &'static str = "volume move";
    const STEPS: &'static [Step<Self>] = &[
        target::step(),
        Step {
            name: "unmount",
            act: |here| boxed(unmount(here)),
            undo: Undo::By { act: |here| boxed(mount_again(here)), says: "mount it on the old host again" },
            patience: BRIEF,
        },
        forget_step(),
        Step {
            name: "detach",
            act: |here| boxed(detach(here)),
            undo: Undo::By { act: |here| boxed(find_again(here)), says: "find it on the old host again" },
            patience: PATIENT,
        },
        Step {
            name: "unmask",
            act: |here| boxed(unmask(here)),
            undo: Undo::By { act: |here| boxed(mask_again(here)), says: "let the old host see it again" },
            patience: PATIENT,
        },
        Step {
            name: "clean",
            act: |here| boxed(clean(here)),
            undo: Undo::None("it only looks"),
            patience: PATIENT,
        },
        access::step(),
        device::step(),
        mount::step(),
    ];

    type Message = v1::VolumeMoveParams;

    fn to_message(&self) -> v1::VolumeMoveParams {
        v1::VolumeMoveParams {
            what: Some(Box::new(self.what.record.clone())),
            from: Some(self.from.to_message()),
            to: Some(self.to.to_message()),
            file_system: self.file_system.clone(),
        }
    }

    fn from_message(message: &v1::VolumeMoveParams) -> Result<Self, ParamsError> {
        Ok(Self {
            what: Box::new(Attached::from_message(message.what.as_deref())?),
            from: Placement::from_message(message.from.as_ref())?,
            to: Placement::from_message(message.to.as_ref())?,
            file_system: message.file_system.clone(),
        })
    }

    fn title(&self) -> String {
        let (from, to) = (&self.from, &self.to);
        format!("{}:{} → {}:{}", from.host, from.mount_point, to.host, to.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.to.array.clone())
    }

    fn places(&self) -> Vec<Place> {
        vec![self.from.place(), self.to.place()]
    }

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.what.volume_id.clone()]
    }

    /// The same attachment in another place: how it came to be is not forgotten.
    fn attaches(&self, outputs: &Outputs) -> Vec<v1::Attachment> {
        let record = &self.what.record;
        let moved = self.to.attachment(self.volume(outputs), outputs.access(), &record.volume_name);
        let moved = moved.map(|moved| v1::Attachment {
            source_host: record.source_host.clone(),
            source_mount_point: record.source_mount_point.clone(),
            procedure: record.procedure.clone(),
            layers: record.layers.clone(),
            ..moved
        });
        moved.into_iter().collect()
    }

    fn removes(&self) -> Vec<&v1::Attachment> {
        vec![&self.what.record]
    }
}

impl Detaching for VolumeMove {
    fn attached(&self) -> &Attached {
        &self.what
    }
}

impl Placing for VolumeMove {
    fn placement(&self) -> &Placement {
        &self.to
    }

    fn volume(&self, _: &Outputs) -> Result<MadeVolume, StepError> {
        Ok(self.moved())
    }

    fn file_system(&self, _: &Outputs) -> String {
        self.file_system.clone()
    }

    fn layers(&self) -> Layers {
        self.what.layers.clone()
    }
}

impl VolumeMove {
    fn moved(&self) -> MadeVolume {
        MadeVolume { key: self.what.record.volume.clone(), id: self.what.volume_id.clone() }
    }

    /// Where it was.
    fn put_back(&self) -> Put<'_> {
        let (file_system, layers) = (self.file_system.clone(), self.what.layers.clone());
        Put { to: &self.from, volume: self.moved(), file_system, layers }
    }
}

type At<'a> = Here<'a, VolumeMove>;

/// The array shows it to nobody, and the old host, asked after that, has no device of it: a scan that was under way could
/// have brought one back.
async fn clean(here: At<'_>) -> Result<Option<Output>, StepError> {
    let (what, volume) = (&here.params.what, here.params.moved());
    let array = here.array(&what.array)?;
    let found = array.volume_must_be(&volume.key, &volume.id).await?;
    let shown = array.masked_to(&found).await?;
    if !shown.is_empty() {
        return Err(StepError::Refused(format!(
            "{} is still shown to {}: nobody else may see it while it moves",
            what.record.volume_name,
            shown.join(", ")
        )));
    }
    let detach = v1::DetachVolume { volume_id: volume.id.to_string() };
    let done = here.command(&what.host, Action::Detach(detach), CHANGE).await?;
    match done.changed {
        false => Ok(None),
        true => Err(StepError::NotVerified(format!("host {} had a device of it again", what.host))),
    }
}

async fn mask_again(here: At<'_>) -> Result<(), StepError> {
    access::grant(&here, &here.params.from, &here.params.moved()).await.map(drop)
}

async fn find_again(here: At<'_>) -> Result<(), StepError> {
    device::find(&here, &here.params.put_back()).await.map(drop)
}

async fn mount_again(here: At<'_>) -> Result<(), StepError> {
    mount::put(&here, here.params.put_back()).await
}
