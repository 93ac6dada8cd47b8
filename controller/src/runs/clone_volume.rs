//! *Clone*: a space-efficient copy of a volume on one host: check → make → mask → attach → mount.

use futures::future::BoxFuture;
use sanfleet_driver::Volume;
use sanfleet_protocol::{ArrayId, HostId, MountPoint, VolumeId, v1};

use super::{
    outputs::Outputs,
    params::ParamsError,
    parts::{Placement, Placing, access, device, mount, target, volume},
    procedure::{Place, Procedure, Step},
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
}

impl Procedure for CloneVolume {
    const NAME: &'static str = "clone";
    const STEPS: &'static [Step<Self>] =
        &[target::step(), volume::step(), access::step(), device::step(), mount::step()];

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

    fn places(&self) -> Vec<Place> {
        vec![self.to.place()]
    }

    fn attaches(&self, outputs: &Outputs) -> Option<v1::Attachment> {
        let attachment = self.to.attachment(outputs, &self.volume_name)?;
        let Some((host, at)) = &self.source else { return Some(attachment) };
        let (source_host, source_mount_point) = (host.to_string(), at.to_string());
        Some(v1::Attachment { source_host, source_mount_point, ..attachment })
    }
}

impl Placing for CloneVolume {
    fn placement(&self) -> &Placement {
        &self.to
    }

    fn file_system(&self, _: &Outputs) -> String {
        self.file_system.clone()
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
