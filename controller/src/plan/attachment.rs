//! Which attachment is meant.

use sanfleet_protocol::v1;

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
        (Some(one), 0) => Ok(one),
        (Some(_), others) => Err(PlanError::NoAttachment {
            what: format!("meant alone by {}: it fits {}", which.text(), others + 1),
        }),
        (None, _) => Err(PlanError::NoAttachment { what: which.text() }),
    }
}
