//! *Adopt*: an attachment that was made by hand is taken into account. It looks, and changes nothing: volume → access.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    parts::{MadeVolume, Placement, array_volume::ArrayVolume},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopt {
    pub volume: ArrayVolume,
    /// Where it is mounted, and by which initiator it is seen there.
    pub at: Placement,
}

const LOOKS: Undo<Adopt> = Undo::None("it only looks");
const PATIENCE: Patience = Patience::new(3, 60);
const LOOK: Duration = Duration::from_secs(10);

impl Procedure for Adopt {
    const NAME: &'static str = "adopt";
    const STEPS: &'static [Step<Self>] = &[
        Step { name: "volume", act: |here| boxed(volume(here)), undo: LOOKS, patience: PATIENCE },
        Step { name: "access", act: |here| boxed(access(here)), undo: LOOKS, patience: PATIENCE },
    ];

    type Message = v1::AdoptParams;

    fn to_message(&self) -> v1::AdoptParams {
        v1::AdoptParams { volume: Some(self.volume.to_message()), at: Some(self.at.to_message()) }
    }

    fn from_message(message: &v1::AdoptParams) -> Result<Self, ParamsError> {
        Ok(Self {
            volume: ArrayVolume::from_message(message.volume.as_ref())?,
            at: Placement::from_message(message.at.as_ref())?,
        })
    }

    fn title(&self) -> String {
        let (volume, at) = (&self.volume, &self.at);
        format!("{}/{} at {}:{}", volume.array(), volume.name, at.host, at.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.volume.array().clone())
    }

    fn places(&self) -> Vec<Place> {
        vec![self.at.place()]
    }

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.volume.id.clone()]
    }

    fn attaches(&self, outputs: &Outputs) -> Vec<v1::Attachment> {
        let volume = MadeVolume { key: self.volume.key().to_owned(), id: self.volume.id.clone() };
        self.at.attachment(Ok(volume), outputs.access(), &self.volume.name).into_iter().collect()
    }
}

type At<'a> = Here<'a, Adopt>;

/// It is what is mounted there, by its own word.
async fn volume(here: At<'_>) -> Result<Option<Output>, StepError> {
    let (volume, at) = (&here.params.volume, &here.params.at);
    let check = v1::CheckVolume {
        volume_id: volume.id.to_string(),
        mount_point: at.mount_point.to_string(),
        deep: false,
    };
    here.command(&at.host, Action::CheckVolume(check), LOOK).await?;
    Ok(None)
}

/// The host sees it through a group that holds nobody else: what is taken from that group later is taken from this host.
async fn access(here: At<'_>) -> Result<Option<Output>, StepError> {
    let (volume, at) = (&here.params.volume, &here.params.at);
    let array = here.array(volume.array())?;
    let found = array.volume_must_be(volume.key(), &volume.id).await?;
    let group = array.access_of(&at.initiator, &found).await?;
    let access_group = group.id.to_string();
    Ok(Some(Output::Access(v1::AccessGranted { access_group, created: false, also: Vec::new() })))
}
