//! Which attachment is meant.

use sanfleet_protocol::{AttachmentId, v1};

use super::PlanError;

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
    /// By the id where there is one, or else by the place.
    pub fn named(attachment: String, host: String, mount_point: String) -> Self {
        match attachment.is_empty() {
            true => Self::At { host, mount_point },
            false => Self::Id(attachment),
        }
    }

    fn fits(&self, attachment: &v1::Attachment) -> bool {
        match self {
            // A run's id, or the beginning of it, means the first that the run has made.
            Self::Id(text) => {
                let begins =
                    attachment.id.starts_with(text) && (is_first(attachment) || attachment.id == *text);
                !text.is_empty() && (begins || attachment.id.ends_with(text))
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

/// The one that stands for all that its run has made.
pub fn is_first(attachment: &v1::Attachment) -> bool {
    attachment.id.parse().is_ok_and(|id: AttachmentId| id.is_first())
}

/// All that were made by the same run as this one and are there, in the order in which they were made.
pub fn siblings<'a>(
    all: &'a [v1::Attachment],
    one: &v1::Attachment,
) -> impl Iterator<Item = &'a v1::Attachment> {
    let run_of = |one: &v1::Attachment| one.id.parse().map(|id: AttachmentId| id.run()).ok();
    let run = run_of(one);
    all.iter().filter(move |other| run.is_some() && run_of(other) == run)
}

/// The one attachment that is meant.
pub fn choose(attachments: Vec<v1::Attachment>, which: &Which) -> Result<v1::Attachment, PlanError> {
    let mut fitting: Vec<v1::Attachment> = attachments.into_iter().filter(|one| which.fits(one)).collect();
    match (fitting.pop(), fitting.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), others) => Err(PlanError::NoAttachment {
            what: format!("meant alone by {}: it fits {}", which.text(), others + 1),
        }),
        (None, _) => Err(PlanError::NoAttachment { what: which.text() }),
    }
}
