//! The plan of *backup detach*.

use sanfleet_protocol::v1;

use super::{PlanError, attachment, attachment::Which, planned};
use crate::runs::{Attached, BackupAttach, BackupDetach, CloneVolume, ParamsError, Procedure};

/// The copies that are meant, in the order in which they were made.
pub fn choose(attachments: Vec<v1::Attachment>, which: &Which) -> Result<Vec<v1::Attachment>, PlanError> {
    let one = attachment::choose(attachments.clone(), which)?;
    match is_copy(&one) {
        true => Ok(with_its_own(&attachments, &one)),
        false => Err(PlanError::NoCopy { id: one.id, what: one.procedure }),
    }
}

/// The first of several copies that were made by one run stands for all of them, any other for itself.
pub fn with_its_own(all: &[v1::Attachment], one: &v1::Attachment) -> Vec<v1::Attachment> {
    match attachment::is_first(one) {
        true => attachment::siblings(all, one).cloned().collect(),
        false => vec![one.clone()],
    }
}

/// The run that takes a copy down, with those for which it stands.
pub fn params(all: &[v1::Attachment], one: &v1::Attachment) -> Result<BackupDetach, ParamsError> {
    let mut attached = with_its_own(all, one).into_iter().map(Attached::try_from);
    let what = attached.next().ok_or(ParamsError::Missing { field: "what" })??;
    Ok(BackupDetach { what, also: attached.collect::<Result<_, _>>()? })
}

/// A copy may go with all that is on it: its source is where it was.
pub fn is_copy(attachment: &v1::Attachment) -> bool {
    [BackupAttach::NAME, CloneVolume::NAME].contains(&attachment.procedure.as_str())
}

pub fn describe(params: &BackupDetach) -> v1::Plan {
    let steps = BackupDetach::STEPS.iter().flat_map(|step| {
        params.all().map(move |attached| {
            let what = &attached.record;
            let name = &what.volume_name;
            match step.name {
                "unmount" => planned(step, "-", &attached.host, format!("unmount {}", attached.mount_point)),
                "forget" => {
                    let what = format!("mount nothing at {} at the next start", attached.mount_point);
                    planned(step, "-", &attached.host, what)
                }
                "detach" => {
                    planned(step, "-", &attached.host, format!("flush and remove the device of {name}"))
                }
                "unmask" => planned(step, "-", &what.array, format!("hide {name} from {}", attached.host)),
                _ => planned(
                    step,
                    "-",
                    &what.array,
                    format!("delete {name} ({}) with all that was written to it", what.volume_id),
                ),
            }
        })
    });
    let written = params.all().map(|attached| &attached.record).filter(|what| what.read_write);
    let warnings = written
        .map(|what| format!("{} is mounted read-write: what was written to it is lost", what.volume_name));
    v1::Plan {
        procedure: BackupDetach::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        warnings: warnings.collect(),
        ..Default::default()
    }
}
