//! The records of the ledger, and their form on disk: one JSON object each.

use sanfleet_protocol::{CommandId, Fence, RunId, VolumeId, v1};
use serde::{Deserialize, Serialize};

use crate::{by_text, host::DeviceNumber, quiesce::Held};

/// What a command does, as far as it matters what to do after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    CheckSource,
    CheckTarget,
    Rescan,
    AwaitVolume,
    Mount,
    Unmount,
    Detach,
    Quiesce,
    Resume,
    ReportNow,
    Format,
    GrowVolume,
    GrowFileSystem,
    NewIdentity,
    PersistMount,
    ForgetMount,
    CheckVolume,
    OpenLayers,
}

impl Verb {
    /// False for what looks alone, and for a resume, which gives back what a quiesce took.
    pub fn changes_the_host(self) -> bool {
        !matches!(
            self,
            Self::CheckSource
                | Self::CheckTarget
                | Self::AwaitVolume
                | Self::CheckVolume
                | Self::ReportNow
                | Self::Resume
        )
    }

    /// Whoever asks this means to change something afterwards.
    pub fn foretells(self) -> bool {
        matches!(self, Self::CheckSource | Self::CheckTarget)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheckSource => "check_source",
            Self::CheckTarget => "check_target",
            Self::Rescan => "rescan",
            Self::AwaitVolume => "await_volume",
            Self::Mount => "mount",
            Self::Unmount => "unmount",
            Self::Detach => "detach",
            Self::Quiesce => "quiesce",
            Self::Resume => "resume",
            Self::ReportNow => "report_now",
            Self::Format => "format",
            Self::GrowVolume => "grow_volume",
            Self::GrowFileSystem => "grow_file_system",
            Self::NewIdentity => "new_identity",
            Self::PersistMount => "persist_mount",
            Self::ForgetMount => "forget_mount",
            Self::CheckVolume => "check_volume",
            Self::OpenLayers => "open_layers",
        }
    }
}

/// A command that was admitted. Written before it acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    #[serde(with = "by_text")]
    pub command: CommandId,
    #[serde(with = "by_text")]
    pub run: RunId,
    #[serde(with = "fence")]
    pub fence: Fence,
    pub verb: Verb,
    pub at_unix_ms: i64,
    pub expires_at_unix_ms: i64,
}

/// The device that was the volume when the agent attached it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    #[serde(with = "number")]
    pub number: DeviceNumber,
    pub disk_sequence: u64,
}

/// How a quiesce ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// A [`v1::ResumedBy`].
    pub by: i32,
    pub blocked_us: u64,
    pub at_unix_ms: i64,
    /// Why the application may not go on as before; empty when all went well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trouble: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    Intent(Intent),
    /// A newer owner of a run was seen, though nothing was done for it.
    Fence {
        #[serde(with = "by_text")]
        run: RunId,
        #[serde(with = "fence")]
        fence: Fence,
        at_unix_ms: i64,
    },
    Result {
        #[serde(with = "by_text")]
        command: CommandId,
        result: Box<v1::CommandResult>,
    },
    /// Commands that expired then or before are not known any more.
    Forgotten {
        until_unix_ms: i64,
    },
    /// The operator has given his word for a controller with this serial: lower ones count no more.
    Delegated {
        serial: u64,
    },
    Attached {
        #[serde(with = "by_text")]
        volume: VolumeId,
        device: Attachment,
    },
    Detached {
        #[serde(with = "by_text")]
        volume: VolumeId,
    },
    Holding {
        #[serde(with = "by_text")]
        run: RunId,
        #[serde(flatten)]
        held: Held,
    },
    Released {
        #[serde(with = "by_text")]
        run: RunId,
        release: Release,
    },
}

mod fence {
    use super::{Deserialize, Fence};

    pub fn serialize<S: serde::Serializer>(fence: &Fence, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(fence.0)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Fence, D::Error> {
        u64::deserialize(from).map(Fence)
    }
}

mod number {
    use super::{Deserialize, DeviceNumber, Serialize};

    pub fn serialize<S: serde::Serializer>(number: &DeviceNumber, to: S) -> Result<S::Ok, S::Error> {
        (number.major, number.minor).serialize(to)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<DeviceNumber, D::Error> {
        <(u32, u32)>::deserialize(from).map(|(major, minor)| DeviceNumber { major, minor })
    }
}
