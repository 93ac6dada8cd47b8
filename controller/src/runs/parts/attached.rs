//! Steps that take an attachment down: *unmount*, *forget*, *detach*, *unmask*. The volume stays whole and where it is.
//!
//! The host lets go first and the array takes the volume away last, so that no host is left with a device that is gone.

use std::time::Duration;

use sanfleet_driver::AccessGroupId;
use sanfleet_protocol::{
    ArrayId, HostId, Layers, MountPoint, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::PATIENT;
use crate::{
    arrays::AccessGroupName,
    runs::{
        error::StepError,
        params::ParamsError,
        procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
    },
};

/// Somebody who uses the mount point is a person's business: two tries, then say who it is.
pub const BRIEF: Patience = Patience::new(2, 65);
const CHANGE: Duration = Duration::from_secs(30);

/// An attachment, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    pub host: HostId,
    pub mount_point: MountPoint,
    pub array: ArrayId,
    pub volume_id: VolumeId,
    /// What lies between the volume and what is mounted, as on the source.
    pub layers: Layers,
    pub record: v1::Attachment,
}

/// A procedure that takes an attachment down, or several that belong together.
pub trait Detaching: Procedure {
    fn attached(&self) -> &Attached;

    /// All of them, in the order in which they can be unmounted: what lies below another one before that.
    fn all_attached(&self) -> Vec<&Attached> {
        vec![self.attached()]
    }
}

impl Attached {
    pub fn from_message(message: Option<&v1::Attachment>) -> Result<Self, ParamsError> {
        message.cloned().ok_or(ParamsError::Missing { field: "what" })?.try_into()
    }

    pub fn place(&self) -> Place {
        Place { host: self.host.clone(), mount_point: self.mount_point.clone() }
    }
}

impl TryFrom<v1::Attachment> for Attached {
    type Error = ParamsError;

    fn try_from(record: v1::Attachment) -> Result<Self, ParamsError> {
        Ok(Self {
            host: record.host.parse()?,
            mount_point: record.mount_point.parse()?,
            array: record.array.parse()?,
            volume_id: record.volume_id.parse()?,
            layers: Layers::from_message(record.layers.as_ref())?,
            record,
        })
    }
}

pub const fn unmount_step<P: Detaching>() -> Step<P> {
    Step {
        name: "unmount",
        act: |here| boxed(unmount(here)),
        undo: Undo::None("whoever detaches wants it gone; mounting it again would be a surprise"),
        patience: BRIEF,
    }
}

pub const fn forget_step<P: Detaching>() -> Step<P> {
    Step {
        name: "forget",
        act: |here| boxed(forget(here)),
        undo: Undo::None("nothing is mounted there any more that the host could mount at its next start"),
        patience: PATIENT,
    }
}

pub const fn detach_step<P: Detaching>() -> Step<P> {
    Step { name: "detach", act: |here| boxed(detach(here)), undo: Undo::None(GOES_ON), patience: PATIENT }
}

pub const fn unmask_step<P: Detaching>() -> Step<P> {
    Step { name: "unmask", act: |here| boxed(unmask(here)), undo: Undo::None(GOES_ON), patience: PATIENT }
}

pub const GOES_ON: &str = "the volume is untouched; detaching again goes on from here";

pub async fn unmount<P: Detaching>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    for what in here.params.all_attached() {
        let unmount = v1::UnmountVolume {
            volume_id: what.volume_id.to_string(),
            mount_point: what.mount_point.to_string(),
        };
        here.command(&what.host, Action::Unmount(unmount), CHANGE).await?;
    }
    Ok(None)
}

pub async fn forget<P: Detaching>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    for what in here.params.all_attached() {
        let forget = v1::ForgetMount { mount_point: what.mount_point.to_string() };
        here.command(&what.host, Action::ForgetMount(forget), CHANGE).await?;
    }
    Ok(None)
}

pub async fn detach<P: Detaching>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    for what in here.params.all_attached() {
        let detach = v1::DetachVolume { volume_id: what.volume_id.to_string() };
        here.command(&what.host, Action::Detach(detach), CHANGE).await?;
    }
    Ok(None)
}

/// Takes the volume from the group through which this attachment sees it, and from no other.
pub async fn unmask<P: Detaching>(here: Here<'_, P>) -> Result<Option<Output>, StepError> {
    for what in here.params.all_attached() {
        let (array, ours) = (here.array(&what.array)?, AccessGroupName::of(&what.host));
        // The array may have given the volume's own id to another one since: only the identity counts.
        if let Some(volume) = array.find_volume(&what.record.volume, &what.volume_id).await? {
            match what.record.access_group_created {
                // A group of ours may have been removed since and made again, under another id: a move that was taken back does so.
                true => array.unmask_named(&ours, &volume).await?,
                false => {
                    array.unmask(&AccessGroupId::new(what.record.access_group.as_str()), &volume).await?;
                }
            }
        }
        array.release_access_group(&ours).await?;
    }
    Ok(None)
}
