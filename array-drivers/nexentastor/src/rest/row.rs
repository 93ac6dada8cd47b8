//! What release 5 tells of its things, as it spells them.
//!
//! What it may leave out is left out of what is believed; an id may be a text or a number.

use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    dataset::{DatasetPath, SnapshotPath},
    identity::Naa,
};

#[derive(Debug, Deserialize)]
pub(super) struct Property {
    #[serde(deserialize_with = "text")]
    pub value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pool {
    pub pool_name: DatasetPath,
    pub health: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub path: DatasetPath,
    #[serde(deserialize_with = "text")]
    pub guid: String,
    /// Bytes.
    pub volume_size: u64,
    /// Bytes.
    pub volume_block_size: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct VolumeGroup {
    pub path: DatasetPath,
}

#[derive(Debug, Deserialize)]
pub(super) struct LogicalUnit {
    pub guid: Naa,
    pub volume: DatasetPath,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshot {
    pub path: SnapshotPath,
    #[serde(deserialize_with = "text")]
    pub guid: String,
    /// Seconds since 1970-01-01 UTC.
    #[serde(deserialize_with = "moment")]
    pub creation_time: i64,
}

/// What the list of snapshots does not tell.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SnapshotDetail {
    #[serde(default)]
    pub clones: Vec<DatasetPath>,
    #[serde(deserialize_with = "number")]
    pub creation_txg: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub name: String,
    #[serde(default)]
    pub members: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LunMapping {
    #[serde(deserialize_with = "text")]
    pub id: String,
    pub volume: DatasetPath,
    pub host_group: String,
    pub lun: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub name: String,
    #[serde(default)]
    pub portals: Vec<Portal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Portal {
    pub address: String,
    pub port: u16,
}

impl Portal {
    /// `address:port`, an address with colons in brackets.
    pub fn told(&self) -> String {
        match self.address.contains(':') {
            true => format!("[{}]:{}", self.address, self.port),
            false => format!("{}:{}", self.address, self.port),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileSystem {
    pub path: DatasetPath,
    #[serde(deserialize_with = "text")]
    pub guid: String,
    #[serde(default)]
    pub mount_point: String,
    /// Bytes.
    pub bytes_available: u64,
    /// Bytes.
    pub bytes_used: u64,
}

impl FileSystem {
    /// What it may hold: the vendor's own clients take it for that too.
    pub fn quota(&self) -> u64 {
        self.bytes_available.saturating_add(self.bytes_used)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Share {
    pub filesystem: DatasetPath,
    #[serde(default)]
    pub security_contexts: Vec<SecurityContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SecurityContext {
    pub security_modes: Vec<String>,
    pub read_write_list: Vec<Entity>,
    pub read_only_list: Vec<Entity>,
    pub root: Vec<Entity>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Entity {
    #[serde(default)]
    pub etype: String,
    pub entity: String,
    /// Of a network.
    #[serde(default)]
    pub mask: Option<u8>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(u64),
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match TextOrNumber::deserialize(deserializer)? {
        TextOrNumber::Text(text) if text.is_empty() => Err(D::Error::custom("an id that is empty")),
        TextOrNumber::Text(text) => Ok(text),
        TextOrNumber::Number(number) => Ok(number.to_string()),
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match TextOrNumber::deserialize(deserializer)? {
        TextOrNumber::Text(text) => text.parse().map_err(D::Error::custom),
        TextOrNumber::Number(number) => Ok(number),
    }
}

/// As ISO 8601 has it.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).map_err(D::Error::custom)
}
