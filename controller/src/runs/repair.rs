//! *Repair*: one thing that a finding names is put right: a device is taken from a host, a mapping or a copy from an array.
//!
//! It only takes away, and only what it has just seen to be used by nobody. Every step asks again, the agent or the array, and
//! refuses where the world is not as the finding says.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, HostId, Initiator, VolumeId,
    v1::{self, command::Action, repair_params, step_output::Output},
};

use super::{
    error::StepError,
    params::ParamsError,
    parts::{PATIENT, array_volume::ArrayVolume},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};
use crate::arrays::AccessGroupName;

/// What is put right.
#[derive(Debug, Clone, PartialEq)]
pub enum Repair {
    /// A copy that nobody knows of is deleted.
    DeleteCopy(ArrayVolume),
    /// A mapping that nobody asked for is taken away, and the host's device of it before.
    Unmask { volume: ArrayVolume, host: HostId, initiators: Vec<Initiator> },
    /// A device that was left behind is removed from its host.
    Detach { host: HostId, volume_id: VolumeId },
}

/// Somebody who uses the device is a person's business: two tries, then say who it is.
const BRIEF: Patience = Patience::new(2, 65);
const CHANGE: Duration = Duration::from_secs(30);

impl Procedure for Repair {
    const NAME: &'static str = "repair";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "detach",
            act: |here| boxed(detach(here)),
            undo: Undo::None("the volume is untouched; a device that is wanted comes back with a rescan"),
            patience: BRIEF,
        },
        Step {
            name: "unmask",
            act: |here| boxed(unmask(here)),
            undo: Undo::None("nobody asked for the mapping, and the volume is untouched"),
            patience: PATIENT,
        },
        Step {
            name: "delete",
            act: |here| boxed(delete(here)),
            undo: Undo::None("a deleted copy cannot be brought back; nobody could use it"),
            patience: PATIENT,
        },
    ];

    type Message = v1::RepairParams;

    fn to_message(&self) -> v1::RepairParams {
        use repair_params::Repair as Message;
        let repair = match self {
            Self::DeleteCopy(volume) => Message::DeleteCopy(volume.to_message()),
            Self::Unmask { volume, host, initiators } => Message::Unmask(v1::UnmaskParams {
                volume: Some(volume.to_message()),
                host: host.to_string(),
                initiators: initiators.iter().map(ToString::to_string).collect(),
            }),
            Self::Detach { host, volume_id } => {
                Message::Detach(v1::DetachParams { host: host.to_string(), volume_id: volume_id.to_string() })
            }
        };
        v1::RepairParams { repair: Some(repair) }
    }

    fn from_message(message: &v1::RepairParams) -> Result<Self, ParamsError> {
        use repair_params::Repair as Message;
        Ok(match message.repair.as_ref().ok_or(ParamsError::Missing { field: "repair" })? {
            Message::DeleteCopy(volume) => Self::DeleteCopy(ArrayVolume::from_message(Some(volume))?),
            Message::Unmask(unmask) => Self::Unmask {
                volume: ArrayVolume::from_message(unmask.volume.as_ref())?,
                host: unmask.host.parse()?,
                initiators: unmask.initiators.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            },
            Message::Detach(detach) => {
                Self::Detach { host: detach.host.parse()?, volume_id: detach.volume_id.parse()? }
            }
        })
    }

    fn title(&self) -> String {
        match self {
            Self::DeleteCopy(volume) => format!("delete {} of array {}", volume.name, volume.array()),
            Self::Unmask { volume, host, .. } => {
                format!("hide {} of array {} from {host}", volume.name, volume.array())
            }
            Self::Detach { host, volume_id } => format!("remove the device of {volume_id} from {host}"),
        }
    }

    fn array(&self) -> Option<ArrayId> {
        match self {
            Self::DeleteCopy(volume) | Self::Unmask { volume, .. } => Some(volume.array().clone()),
            Self::Detach { .. } => None,
        }
    }

    /// It frees what is mounted nowhere.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        match self {
            Self::DeleteCopy(volume) | Self::Unmask { volume, .. } => vec![volume.id.clone()],
            Self::Detach { volume_id, .. } => vec![volume_id.clone()],
        }
    }
}

type At<'a> = Here<'a, Repair>;

/// The agent refuses while anything on the host uses the device.
async fn detach(here: At<'_>) -> Result<Option<Output>, StepError> {
    let (host, volume_id) = match here.params {
        Repair::DeleteCopy(_) => return Ok(None),
        Repair::Unmask { volume, host, .. } => (host, &volume.id),
        Repair::Detach { host, volume_id } => (host, volume_id),
    };
    let detach = v1::DetachVolume { volume_id: volume_id.to_string() };
    here.command(host, Action::Detach(detach), CHANGE).await?;
    Ok(None)
}

async fn unmask(here: At<'_>) -> Result<Option<Output>, StepError> {
    let Repair::Unmask { volume, host, initiators } = here.params else { return Ok(None) };
    let (array, group) = (here.array(volume.array())?, AccessGroupName::of(host));
    if let Some(found) = array.find_volume(volume.key(), &volume.id).await? {
        array.unmask_from(&group, initiators, &found).await?;
    }
    array.release_access_group(&group).await?;
    Ok(None)
}

async fn delete(here: At<'_>) -> Result<Option<Output>, StepError> {
    let Repair::DeleteCopy(volume) = here.params else { return Ok(None) };
    let array = here.array(volume.array())?;
    let Some(found) = array.find_volume(volume.key(), &volume.id).await? else { return Ok(None) };
    if found.name != volume.name {
        return Err(StepError::Refused(format!(
            "volume {} is named {} now, not {}",
            volume.key(),
            found.name,
            volume.name
        )));
    }
    let shown = array.masked_to(&found).await?;
    if !shown.is_empty() {
        return Err(StepError::Refused(format!("{} is masked to {} now", volume.name, shown.join(", "))));
    }
    array.delete_volume(volume.key(), &volume.id).await?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use sanfleet_driver::VolumeKey;

    use super::*;
    use crate::matching::VolumeRef;

    #[test]
    fn what_the_journal_has_of_a_repair_is_read_back() {
        let id: VolumeId = "naa.602534e0000000000000000000000001".parse().unwrap();
        let at = VolumeRef { array: "lab".parse().unwrap(), volume: VolumeKey::new("v1") };
        let volume = ArrayVolume { at, id: id.clone(), name: "copy".into(), size_bytes: 1 << 30 };
        let host: HostId = "db1".parse().unwrap();
        let initiators = vec!["iqn.2026-11.example:db1".parse().unwrap()];
        for repair in [
            Repair::DeleteCopy(volume.clone()),
            Repair::Unmask { volume, host: host.clone(), initiators },
            Repair::Detach { host, volume_id: id },
        ] {
            assert_eq!(Repair::from_message(&repair.to_message()).unwrap(), repair);
        }
    }
}
