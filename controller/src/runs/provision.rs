//! *Provision*: a new volume with a new, empty file system on one host: check → make → mask → attach → format → mount → persist.

use std::time::Duration;

use futures::future::BoxFuture;
use sanfleet_driver::{Provisioning, Volume};
use sanfleet_protocol::{
    ArrayId, FileSystemId, FileSystemKind, Label, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    parts::{Placement, Placing, access, device, made_volume, mount, persist, target, volume},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};
use crate::arrays::{ArrayError, ArrayHandle};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    pub to: Placement,
    /// The array's own id of the pool.
    pub pool: String,
    pub size_bytes: u64,
    /// Minted before the run begins; ends in digits of the run's id.
    pub volume_name: String,
    pub thin: bool,
    pub file_system: FileSystemKind,
    pub label: Label,
    /// Minted before the run begins, so that formatting twice is formatting once.
    pub uuid: FileSystemId,
    /// Mounted again at every start of the host.
    pub persist: bool,
}

/// Making a file system on a large volume takes its time.
const FORMAT: Duration = Duration::from_secs(300);

impl Procedure for Provision {
    const NAME: &'static str = "provision";
    const STEPS: &'static [Step<Self>] = &[
        target::step(),
        volume::step(),
        access::step(),
        device::step(),
        Step {
            name: "format",
            act: |here| boxed(format(here)),
            undo: Undo::None("the volume was made by this run and is deleted whole"),
            patience: Patience { silence: FORMAT.saturating_mul(2), ..Patience::new(5, 900) },
        },
        mount::step(),
        persist::step(),
    ];

    type Message = v1::ProvisionParams;

    fn to_message(&self) -> v1::ProvisionParams {
        v1::ProvisionParams {
            to: Some(self.to.to_message()),
            pool: self.pool.clone(),
            size_bytes: self.size_bytes,
            volume_name: self.volume_name.clone(),
            thin: self.thin,
            file_system: self.file_system.to_string(),
            label: self.label.to_string(),
            uuid: self.uuid.to_string(),
            persist: self.persist,
        }
    }

    fn from_message(message: &v1::ProvisionParams) -> Result<Self, ParamsError> {
        let file_system: FileSystemKind = message.file_system.parse()?;
        Ok(Self {
            to: Placement::from_message(message.to.as_ref())?,
            pool: message.pool.clone(),
            size_bytes: message.size_bytes,
            volume_name: message.volume_name.clone(),
            thin: message.thin,
            file_system,
            label: Label::new(file_system, &message.label)?,
            uuid: message.uuid.parse()?,
            persist: message.persist,
        })
    }

    fn title(&self) -> String {
        let (to, size) = (&self.to, sanfleet_protocol::size::shown(self.size_bytes));
        format!("{size} {} → {}:{}", self.file_system, to.host, to.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.to.array.clone())
    }

    fn makes(&self) -> Vec<(&ArrayId, &str)> {
        vec![(&self.to.array, &self.volume_name)]
    }

    fn places(&self) -> Vec<Place> {
        vec![self.to.place()]
    }

    /// It has only the one that it makes.
    fn volumes(&self) -> Vec<VolumeId> {
        Vec::new()
    }

    fn attaches(&self, outputs: &Outputs) -> Vec<v1::Attachment> {
        self.to.attachment(self.volume(outputs), outputs.access(), &self.volume_name).into_iter().collect()
    }
}

impl Placing for Provision {
    fn placement(&self) -> &Placement {
        &self.to
    }

    fn file_system(&self, _: &Outputs) -> String {
        self.file_system.to_string()
    }

    fn formats(&self) -> bool {
        true
    }
}

impl persist::Persisting for Provision {
    fn persisted(&self) -> Option<(FileSystemKind, FileSystemId)> {
        self.persist.then_some((self.file_system, self.uuid))
    }
}

impl volume::Making for Provision {
    fn volume_name(&self) -> &str {
        &self.volume_name
    }

    fn make<'a>(&'a self, array: &'a ArrayHandle) -> BoxFuture<'a, Result<Volume, ArrayError>> {
        let provisioning = if self.thin { Provisioning::THIN } else { Provisioning::DEFAULT };
        Box::pin(array.create_volume(&self.pool, &self.volume_name, self.size_bytes, provisioning))
    }
}

/// The agent formats only what it has just read as blank. That this run made the volume is why it may be asked to at all.
async fn format(here: Here<'_, Provision>) -> Result<Option<Output>, StepError> {
    let params = here.params;
    let format = v1::FormatVolume {
        volume_id: made_volume(here.outputs)?.id.to_string(),
        file_system: params.file_system.to_string(),
        label: params.label.to_string(),
        uuid: params.uuid.to_string(),
    };
    here.command(&params.to.host, Action::Format(format), FORMAT).await?;
    Ok(None)
}
