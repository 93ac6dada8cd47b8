//! A file system served over NFS.

use serde::{Deserialize, Serialize};

use super::{FileSystemId, NfsExportId, text};
use crate::number::number;

number!(
    /// The user or group that an unknown one becomes; from 0 on the number itself.
    AnonymousId {
        NOT_AVAILABLE = -1,
        ERROR = -2,
    }
);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "NfsExport", tag = "class")]
pub struct NfsExport {
    pub id: NfsExportId,
    pub fs_id: FileSystemId,
    #[serde(default, deserialize_with = "text::or_empty")]
    pub export_path: String,
    /// One of what the array's `export_auth` lists.
    pub auth: Option<String>,
    /// Hosts whose root stays root.
    pub root: Vec<String>,
    pub rw: Vec<String>,
    pub ro: Vec<String>,
    pub anonuid: AnonymousId,
    pub anongid: AnonymousId,
    /// Further options, in the array's own notation.
    pub options: Option<String>,
    #[serde(default)]
    pub plugin_data: Option<String>,
}
