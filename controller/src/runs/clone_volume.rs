//! *Clone*: a space-efficient copy of a volume on one host: check → make → mask → attach → identify → mount →
//! persist.

use std::time::Duration;

use futures::future::BoxFuture;
use sanfleet_driver::Volume;
use sanfleet_protocol::{
    ArrayId, FileSystemId, FileSystemKind, HostId, Layers, MountPoint, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    parts::{Placement, Placing, access, device, made_volume, mount, persist, target, volume},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};
use crate::arrays::{ArrayError, ArrayHandle, MAKE};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneVolume {
    pub to: Placement,
    /// The array's own id of the source.
    pub source_volume: String,
    pub source_id: VolumeId,
    /// Minted before the run begins; ends in digits of the run's id.
    pub volume_name: String,
    /// What the source carries; empty when no host has reported it.
    pub file_system: String,
    /// Where the source is mounted, when it was named so.
    pub source: Option<(HostId, MountPoint)>,
    /// The UUID that the copy's file system gets, minted before the run begins, instead of the source's.
    pub identity: Option<NewIdentity>,
    /// Mounted again at every start of the host. Only with an identity of its own.
    pub persist: bool,
    /// When it is taken down by itself, in milliseconds since 1970; 0 for never.
    pub expires_at_unix_ms: i64,
    /// What lies between the source and its file system.
    pub layers: Layers,
}

/// A copy that stays must not be taken for its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdentity {
    pub file_system: FileSystemKind,
    pub own: FileSystemId,
    pub of_source: FileSystemId,
}

/// A log may have to be replayed first.
const RENAME: Duration = Duration::from_secs(120);

impl Procedure for CloneVolume {
    const NAME: &'static str = "clone";
    const STEPS: &'static [Step<Self>] = &[
        target::step(),
        volume::step(),
        access::step(),
        device::step(),
        Step {
            name: "identify",
            act: |here| boxed(identify(here)),
            undo: Undo::None("the copy was made by this run and is deleted whole"),
            patience: Patience { silence: RENAME.saturating_mul(2), ..Patience::new(5, 600) },
        },
        mount::step(),
        persist::step(),
    ];

    type Message = v1::CloneVolumeParams;

    fn to_message(&self) -> v1::CloneVolumeParams {
        let (source_host, source_mount_point) = match &self.source {
            Some((host, at)) => (host.to_string(), at.to_string()),
            None => Default::default(),
        };
        v1::CloneVolumeParams {
            to: Some(self.to.to_message()),
            source_volume: self.source_volume.clone(),
            source_volume_id: self.source_id.to_string(),
            volume_name: self.volume_name.clone(),
            file_system: self.file_system.clone(),
            source_host,
            source_mount_point,
            uuid: self.identity.as_ref().map(|identity| identity.own.to_string()).unwrap_or_default(),
            source_uuid: self.identity.as_ref().map(|one| one.of_source.to_string()).unwrap_or_default(),
            persist: self.persist,
            expires_at_unix_ms: self.expires_at_unix_ms,
            layers: self.layers_message(),
        }
    }

    fn from_message(message: &v1::CloneVolumeParams) -> Result<Self, ParamsError> {
        let source = match message.source_host.is_empty() {
            true => None,
            false => Some((message.source_host.parse()?, message.source_mount_point.parse()?)),
        };
        Ok(Self {
            to: Placement::from_message(message.to.as_ref())?,
            source_volume: message.source_volume.clone(),
            source_id: message.source_volume_id.parse()?,
            volume_name: message.volume_name.clone(),
            file_system: message.file_system.clone(),
            source,
            identity: identity(message)?,
            persist: message.persist,
            expires_at_unix_ms: message.expires_at_unix_ms,
            layers: Layers::from_message(message.layers.as_ref())?,
        })
    }

    fn title(&self) -> String {
        let to = &self.to;
        match &self.source {
            Some((host, at)) => format!("{host}:{at} → {}:{}", to.host, to.mount_point),
            None => format!("{}/{} → {}:{}", to.array, self.source_volume, to.host, to.mount_point),
        }
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

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.source_id.clone()]
    }

    fn attaches(&self, outputs: &Outputs) -> Vec<v1::Attachment> {
        let expires_at_unix_ms = self.expires_at_unix_ms;
        let source = self.source.as_ref();
        let (source_host, source_mount_point) =
            source.map(|(host, at)| (host.to_string(), at.to_string())).unwrap_or_default();
        let attachment = self.to.attachment(self.volume(outputs), outputs.access(), &self.volume_name);
        let attachment = attachment.map(|attachment| v1::Attachment {
            expires_at_unix_ms,
            source_host,
            source_mount_point,
            layers: self.layers_message(),
            ..attachment
        });
        attachment.into_iter().collect()
    }
}

impl Placing for CloneVolume {
    fn placement(&self) -> &Placement {
        &self.to
    }

    fn file_system(&self, _: &Outputs) -> String {
        self.file_system.clone()
    }

    fn layers(&self) -> Layers {
        self.layers.clone()
    }
}

impl CloneVolume {
    fn layers_message(&self) -> Option<v1::Layers> {
        (!self.layers.is_none()).then(|| v1::Layers::from(&self.layers))
    }
}

impl persist::Persisting for CloneVolume {
    fn persisted(&self) -> Option<(FileSystemKind, FileSystemId)> {
        let identity = self.identity.as_ref().filter(|_| self.persist)?;
        Some((identity.file_system, identity.own))
    }
}

impl volume::Making for CloneVolume {
    fn volume_name(&self) -> &str {
        &self.volume_name
    }

    fn make<'a>(&'a self, array: &'a ArrayHandle) -> BoxFuture<'a, Result<Volume, ArrayError>> {
        Box::pin(async move {
            let source = array.volume_must_be(&self.source_volume, &self.source_id).await?;
            array.replicate(&source, &self.volume_name, MAKE).await
        })
    }
}

fn identity(message: &v1::CloneVolumeParams) -> Result<Option<NewIdentity>, ParamsError> {
    if message.uuid.is_empty() {
        return Ok(None);
    }
    Ok(Some(NewIdentity {
        file_system: message.file_system.parse()?,
        own: message.uuid.parse()?,
        of_source: message.source_uuid.parse()?,
    }))
}

/// Before it is mounted for the first time, so that nobody ever sees two file systems with one UUID in use.
async fn identify(here: Here<'_, CloneVolume>) -> Result<Option<Output>, StepError> {
    let Some(identity) = &here.params.identity else { return Ok(None) };
    let rename = v1::NewIdentity {
        volume_id: made_volume(here.outputs)?.id.to_string(),
        file_system: identity.file_system.to_string(),
        uuid: identity.own.to_string(),
        replaced_uuid: identity.of_source.to_string(),
        layers: here.params.layers_message(),
    };
    here.command(&here.params.to.host, Action::NewIdentity(rename), RENAME).await?;
    Ok(None)
}
