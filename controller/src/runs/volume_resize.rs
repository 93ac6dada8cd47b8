//! *Volume resize*: a volume is made larger, and then what lies over it on every host that sees it, in that order:
//! check → array → paths → file systems → reported.
//!
//! It only goes forward: a volume that has grown is never made smaller, because a host may have written beyond the old end.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, HostId, MountPoint, VolumeId, size,
    v1::{self, command::Action, step_output::Output},
};

use super::{
    error::StepError,
    params::ParamsError,
    parts::{PATIENT, array_volume::ArrayVolume},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};
use crate::arrays::MAKE;

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeResize {
    /// As it was before.
    pub volume: ArrayVolume,
    pub size_bytes: u64,
    pub hosts: Vec<Seen>,
}

/// A host that sees the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub host: HostId,
    /// Where its file system is mounted read-write, and is grown.
    pub mount_point: Option<MountPoint>,
}

const GROWN: &str = "what has grown is never made smaller; the same request made again goes on from here";
/// How long a path may take to show that it is there.
const LOOK: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
const CHANGE: Duration = Duration::from_secs(60);

impl Procedure for VolumeResize {
    const NAME: &'static str = "volume resize";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "check",
            act: |here| boxed(check(here)),
            undo: Undo::None("it only looks"),
            patience: Patience::new(3, 60),
        },
        Step {
            name: "array",
            act: |here| boxed(grow_on_array(here)),
            undo: Undo::None(GROWN),
            patience: Patience { silence: MAKE, ..Patience::new(10, 1_800) },
        },
        Step {
            name: "paths",
            act: |here| boxed(grow_paths(here)),
            undo: Undo::None(GROWN),
            patience: PATIENT,
        },
        Step {
            name: "file systems",
            act: |here| boxed(grow_file_systems(here)),
            undo: Undo::None(GROWN),
            patience: Patience::new(10, 600),
        },
        Step {
            name: "reported",
            act: |here| boxed(reported(here)),
            undo: Undo::None("it only looks"),
            patience: PATIENT,
        },
    ];

    type Message = v1::VolumeResizeParams;

    fn to_message(&self) -> v1::VolumeResizeParams {
        let hosts = self.hosts.iter().map(|seen| v1::SeenVolume {
            host: seen.host.to_string(),
            mount_point: seen.mount_point.as_ref().map(ToString::to_string).unwrap_or_default(),
        });
        v1::VolumeResizeParams {
            volume: Some(self.volume.to_message()),
            size_bytes: self.size_bytes,
            hosts: hosts.collect(),
        }
    }

    fn from_message(message: &v1::VolumeResizeParams) -> Result<Self, ParamsError> {
        let hosts = message.hosts.iter().map(|seen| {
            let mount_point = match seen.mount_point.as_str() {
                "" => None,
                at => Some(at.parse()?),
            };
            Ok(Seen { host: seen.host.parse()?, mount_point })
        });
        Ok(Self {
            volume: ArrayVolume::from_message(message.volume.as_ref())?,
            size_bytes: message.size_bytes,
            hosts: hosts.collect::<Result<_, ParamsError>>()?,
        })
    }

    fn title(&self) -> String {
        format!("{}/{} to {}", self.volume.array(), self.volume.name, size::shown(self.size_bytes))
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.volume.array().clone())
    }

    fn places(&self) -> Vec<Place> {
        self.mounted().map(|(host, at)| Place { host: host.clone(), mount_point: at.clone() }).collect()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.volume.id.clone()]
    }
}

impl VolumeResize {
    fn mounted(&self) -> impl Iterator<Item = (&HostId, &MountPoint)> {
        self.hosts.iter().filter_map(|seen| Some((&seen.host, seen.mount_point.as_ref()?)))
    }
}

type At<'a> = Here<'a, VolumeResize>;

/// Every path on every host answers before anything grows: one that does not would be left behind.
async fn check(here: At<'_>) -> Result<Option<Output>, StepError> {
    let volume = &here.params.volume;
    here.array(volume.array())?.volume_must_be(volume.key(), &volume.id).await?;
    for seen in &here.params.hosts {
        let timeout_ms = u32::try_from(LOOK.as_millis()).unwrap_or(u32::MAX);
        let look = v1::AwaitVolume { volume_id: volume.id.to_string(), timeout_ms };
        here.command(&seen.host, Action::AwaitVolume(look), LOOK + ANSWER).await?;
    }
    Ok(None)
}

async fn grow_on_array(here: At<'_>) -> Result<Option<Output>, StepError> {
    let (volume, size_bytes) = (&here.params.volume, here.params.size_bytes);
    here.array(volume.array())?.grow_volume(volume.key(), &volume.id, size_bytes).await?;
    Ok(None)
}

async fn grow_paths(here: At<'_>) -> Result<Option<Output>, StepError> {
    let (volume_id, size_bytes) = (here.params.volume.id.to_string(), here.params.size_bytes);
    for seen in &here.params.hosts {
        let grow = v1::GrowVolume { volume_id: volume_id.clone(), size_bytes };
        here.command(&seen.host, Action::GrowVolume(grow), CHANGE).await?;
    }
    Ok(None)
}

async fn grow_file_systems(here: At<'_>) -> Result<Option<Output>, StepError> {
    let volume_id = here.params.volume.id.to_string();
    for (host, at) in here.params.mounted() {
        let grow = v1::GrowFileSystem { volume_id: volume_id.clone(), mount_point: at.to_string() };
        here.command(host, Action::GrowFileSystem(grow), CHANGE).await?;
    }
    Ok(None)
}

/// The growth is pending until the hosts themselves say that they see it.
async fn reported(here: At<'_>) -> Result<Option<Output>, StepError> {
    let params = here.params;
    let behind = here.world.catalog.read().behind(&params.volume.at, params.size_bytes);
    for host in &behind {
        here.command(host, Action::ReportNow(v1::ReportNow {}), ANSWER).await?;
    }
    match behind.is_empty() {
        true => Ok(None),
        false => {
            let behind: Vec<&str> = behind.iter().map(HostId::as_str).collect();
            let why = format!("host {} has not yet reported the new size", behind.join(", "));
            Err(StepError::NotVerified(why))
        }
    }
}
