//! *Volume detach*: takes an attachment down and keeps its volume: unmount → forget → detach → unmask.
//!
//! It only goes forward: when a step fails, the run says where it stopped, and the same request made again goes on from
//! there.

use sanfleet_protocol::{ArrayId, VolumeId, v1};

use super::{
    params::ParamsError,
    parts::attached::{Attached, Detaching, detach_step, forget_step, unmask_step, unmount_step},
    procedure::{Place, Procedure, Step},
};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeDetach {
    pub what: Attached,
}

impl Procedure for VolumeDetach {
    const NAME: &'static str = "volume detach";
    const STEPS: &'static [Step<Self>] = &[unmount_step(), forget_step(), detach_step(), unmask_step()];

    type Message = v1::VolumeDetachParams;

    fn to_message(&self) -> v1::VolumeDetachParams {
        v1::VolumeDetachParams { what: Some(self.what.record.clone()) }
    }

    fn from_message(message: &v1::VolumeDetachParams) -> Result<Self, ParamsError> {
        Ok(Self { what: Attached::from_message(message.what.as_ref())? })
    }

    fn title(&self) -> String {
        format!("{}:{}", self.what.host, self.what.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.what.array.clone())
    }

    fn places(&self) -> Vec<Place> {
        vec![self.what.place()]
    }

    fn volumes(&self) -> Vec<VolumeId> {
        vec![self.what.volume_id.clone()]
    }

    fn removes(&self) -> Vec<&v1::Attachment> {
        vec![&self.what.record]
    }
}

impl Detaching for VolumeDetach {
    fn attached(&self) -> &Attached {
        &self.what
    }
}
