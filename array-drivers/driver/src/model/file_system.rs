//! File systems that the array serves itself, and their snapshots.

use serde::{Deserialize, Deserializer, Serialize};

use super::{FileSystemId, PoolId, SnapshotId, SystemId, count};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct FileSystem {
    pub id: FileSystemId,
    pub name: String,
    /// Bytes.
    #[serde(with = "count")]
    pub total_space: Option<u64>,
    /// Bytes.
    #[serde(with = "count")]
    pub free_space: Option<u64>,
    pub pool_id: PoolId,
    pub system_id: SystemId,
    #[serde(default)]
    pub plugin_data: Option<String>,
}

/// A file system as it was at one point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "FsSnapshot", tag = "class")]
pub struct Snapshot {
    pub id: SnapshotId,
    pub name: String,
    /// When it was taken: seconds since 1970-01-01 UTC.
    #[serde(deserialize_with = "seconds")]
    pub ts: i64,
    #[serde(default)]
    pub plugin_data: Option<String>,
}

/// The Python client takes a number in text or with a fraction too, so there are plug-ins that send it.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Whole(i64),
        Fraction(f64),
        Text(String),
    }
    match Seconds::deserialize(deserializer)? {
        Seconds::Whole(seconds) => Ok(seconds),
        #[allow(
            clippy::cast_possible_truncation,
            reason = "`as` saturates, and a fraction of a second is not kept"
        )]
        Seconds::Fraction(seconds) => Ok(seconds as i64),
        Seconds::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_snapshots_time_reads_from_whatever_the_python_client_takes() {
        for ts in [json!(1_700_000_000), json!(1_700_000_000.7), json!("1700000000")] {
            let wire = json!({"class": "FsSnapshot", "id": "S", "name": "s", "ts": ts});
            assert_eq!(serde_json::from_value::<Snapshot>(wire).unwrap().ts, 1_700_000_000);
        }
    }
}
