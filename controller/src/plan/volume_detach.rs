//! The plan of *volume detach*.

use sanfleet_protocol::v1;

use super::planned;
use crate::runs::{Procedure, VolumeDetach};

pub fn describe(params: &VolumeDetach) -> v1::Plan {
    let (what, name) = (&params.what, &params.what.record.volume_name);
    let steps = VolumeDetach::STEPS.iter().map(|step| match step.name {
        "unmount" => planned(step, "-", &what.host, format!("unmount {}", what.mount_point)),
        "forget" => {
            planned(step, "-", &what.host, format!("do not mount {} at the next start", what.mount_point))
        }
        "detach" => planned(step, "-", &what.host, format!("flush and remove the device of {name}")),
        _ => planned(step, "-", &what.array, format!("hide {name} from {}; it stays", what.host)),
    });
    v1::Plan {
        procedure: VolumeDetach::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        ..Default::default()
    }
}
