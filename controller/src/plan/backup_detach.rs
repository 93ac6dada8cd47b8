//! The plan of *backup detach*.

use sanfleet_protocol::v1;

use super::{PlanError, attachment, attachment::Which, planned};
use crate::runs::{BackupAttach, BackupDetach, CloneVolume, Procedure};

/// The one copy that is meant.
pub fn choose(attachments: Vec<v1::Attachment>, which: &Which) -> Result<v1::Attachment, PlanError> {
    let one = attachment::choose(attachments, which)?;
    match is_copy(&one) {
        true => Ok(one),
        false => Err(PlanError::NoCopy { id: one.id, what: one.procedure }),
    }
}

/// A copy may go with all that is on it: its source is where it was.
pub fn is_copy(attachment: &v1::Attachment) -> bool {
    [BackupAttach::NAME, CloneVolume::NAME].contains(&attachment.procedure.as_str())
}

pub fn describe(params: &BackupDetach) -> v1::Plan {
    let (attached, what) = (&params.what, &params.what.record);
    let name = &what.volume_name;
    let steps = BackupDetach::STEPS.iter().map(|step| match step.name {
        "unmount" => planned(step, "-", &attached.host, format!("unmount {}", attached.mount_point)),
        "forget" => {
            let what = format!("mount nothing at {} at the next start", attached.mount_point);
            planned(step, "-", &attached.host, what)
        }
        "detach" => planned(step, "-", &attached.host, format!("flush and remove the device of {name}")),
        "unmask" => planned(step, "-", &what.array, format!("hide {name} from {}", attached.host)),
        _ => planned(
            step,
            "-",
            &what.array,
            format!("delete {name} ({}) with all that was written to it", what.volume_id),
        ),
    });
    let warnings = match what.read_write {
        true => vec![format!("{name} is mounted read-write: what was written to it is lost")],
        false => Vec::new(),
    };
    v1::Plan {
        procedure: BackupDetach::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        warnings,
        ..Default::default()
    }
}
