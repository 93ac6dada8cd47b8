//! The plan of *backup detach*.

use sanfleet_protocol::v1;

use super::{PlanError, planned};
use crate::runs::{BackupAttach, BackupDetach, CloneVolume, Procedure};

/// How an attachment was named by whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The id, or its beginning or end.
    Id(String),
    At {
        host: String,
        mount_point: String,
    },
}

impl Which {
    fn fits(&self, attachment: &v1::Attachment) -> bool {
        match self {
            Self::Id(text) => {
                !text.is_empty() && (attachment.id.starts_with(text) || attachment.id.ends_with(text))
            }
            Self::At { host, mount_point } => {
                attachment.host == *host && attachment.mount_point == *mount_point
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Id(text) => text.clone(),
            Self::At { host, mount_point } => format!("{host}:{mount_point}"),
        }
    }
}

/// The one attachment that is meant.
pub fn choose(attachments: Vec<v1::Attachment>, which: &Which) -> Result<v1::Attachment, PlanError> {
    let mut fitting: Vec<v1::Attachment> = attachments.into_iter().filter(|one| which.fits(one)).collect();
    match (fitting.pop(), fitting.len()) {
        (Some(one), 0) if is_copy(&one) => Ok(one),
        (Some(one), 0) => Err(PlanError::NoCopy { id: one.id, what: one.procedure }),
        (Some(_), others) => Err(PlanError::NoAttachment {
            what: format!("meant alone by {}: it fits {}", which.text(), others + 1),
        }),
        (None, _) => Err(PlanError::NoAttachment { what: which.text() }),
    }
}

/// A copy may go with all that is on it: its source is where it was.
fn is_copy(attachment: &v1::Attachment) -> bool {
    [BackupAttach::NAME, CloneVolume::NAME].contains(&attachment.procedure.as_str())
}

pub fn describe(params: &BackupDetach) -> v1::Plan {
    let what = &params.attachment;
    let name = &what.volume_name;
    let steps = BackupDetach::STEPS.iter().map(|step| match step.name {
        "unmount" => planned(step, "-", &params.host, format!("unmount {}", params.mount_point)),
        "detach" => planned(step, "-", &params.host, format!("flush and remove the device of {name}")),
        "unmask" => planned(step, "-", &what.array, format!("hide {name} from {}", params.host)),
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
