//! How the daemon says no, and what that is in the protocol's words.

use sanfleet_driver::{ErrorNumber, LsmError};
use sanfleet_driver_http::HttpError;

/// Of the daemon's own text so much is passed on.
const SHOWN: usize = 500;

/// A number of the daemon's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub i64);

impl Code {
    /// An exception that nobody foresaw; its text says which.
    pub const ANYTHING: Self = Self(-1);
    pub const NAME_CONFLICT: Self = Self(-50);
    pub const CLONE_NAME: Self = Self(-51);
    pub const INITIATOR_IN_USE: Self = Self(-52);
    pub const FS_NAME: Self = Self(-53);
    pub const NO_VOLUME: Self = Self(-103);
    pub const NO_FS: Self = Self(-104);
    pub const NO_POOL: Self = Self(-110);
    pub const NO_SNAPSHOT: Self = Self(-112);
    pub const NO_EXPORT: Self = Self(-151);
    pub const NO_VOLUME_GROUP: Self = Self(-152);
    pub const NO_SUPPORT: Self = Self(-153);
    pub const NO_ACCESS_GROUP: Self = Self(-200);
    /// The volume is masked, or a command of the daemon's host failed: the text says which.
    pub const MASKED_OR_FAILED: Self = Self(-303);
    pub const NO_NFS_EXPORT: Self = Self(-400);
    pub const NO_NFS: Self = Self(-401);
    pub const NO_LUN: Self = Self(-1000);
    /// There is no such method, or a handler did not find something in a table of its own.
    pub const NO_METHOD: Self = Self(-32601);
    pub const INVALID_PARAMS: Self = Self(-32602);
}

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RpcError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{}", status_text(*.status))]
    Status { status: u16 },
    #[error("targetd's answer to {method} is none: {why}")]
    Garbled { method: &'static str, why: String },
    #[error("targetd refuses {method}: {} ({})", shown(.message), .code.0)]
    Refused { method: &'static str, code: Code, message: String },
}

impl RpcError {
    pub fn is(&self, wanted: Code) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }

    /// True when the daemon's text has these words.
    pub fn says(&self, words: &str) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains(words))
    }

    /// True when what was asked for may have been done all the same, in whole or in part.
    pub fn leaves_it_open(&self) -> bool {
        match self {
            Self::Http(error) => error.may_have_been_heard(),
            Self::Garbled { .. } => true,
            // What the daemon refuses so it has not begun.
            Self::Status { status } => !matches!(status, 300..=499 | 503),
            Self::Refused { code, .. } => *code == Code::MASKED_OR_FAILED || *code == Code::ANYTHING,
        }
    }

    fn number(&self) -> Option<ErrorNumber> {
        Some(match self {
            Self::Http(_) => return None,
            Self::Garbled { .. } => ErrorNumber::TransportSerialization,
            Self::Status { status: 401 } => ErrorNumber::PluginAuthFailed,
            // In a while it will listen again.
            Self::Status { status: 503 } => ErrorNumber::NetworkError,
            Self::Status { .. } => ErrorNumber::TransportCommunication,
            Self::Refused { code: Code::ANYTHING, message, .. } => by_text(message),
            Self::Refused { code, .. } => by_code(*code),
        })
    }
}

fn by_code(code: Code) -> ErrorNumber {
    match code {
        Code::NAME_CONFLICT | Code::CLONE_NAME | Code::FS_NAME => ErrorNumber::NameConflict,
        Code::INITIATOR_IN_USE => ErrorNumber::ExistsInitiator,
        Code::NO_VOLUME => ErrorNumber::NotFoundVolume,
        Code::NO_FS => ErrorNumber::NotFoundFileSystem,
        Code::NO_POOL | Code::NO_VOLUME_GROUP => ErrorNumber::NotFoundPool,
        Code::NO_SNAPSHOT => ErrorNumber::NotFoundSnapshot,
        Code::NO_EXPORT => ErrorNumber::NoStateChange,
        Code::NO_SUPPORT | Code::NO_NFS => ErrorNumber::NoSupport,
        Code::NO_ACCESS_GROUP => ErrorNumber::NotFoundAccessGroup,
        Code::NO_NFS_EXPORT => ErrorNumber::NotFoundNfsExport,
        Code::NO_LUN => ErrorNumber::NotEnoughSpace,
        Code::INVALID_PARAMS => ErrorNumber::InvalidArgument,
        _ => ErrorNumber::PluginBug,
    }
}

/// The words of LVM, of the daemon's library and of the daemon, which come without a number of their own.
fn by_text(message: &str) -> ErrorNumber {
    let texts = [
        ("insufficient free space", ErrorNumber::NotEnoughSpace),
        ("--size may not be zero", ErrorNumber::InvalidArgument),
        ("is invalid", ErrorNumber::InvalidArgument),
        ("WWN not valid", ErrorNumber::InvalidArgument),
        ("Failed to find logical volume", ErrorNumber::NotFoundVolume),
        // A volume without a device cannot be shown until somebody activates it: see the hint. Trying again helps nothing.
        (NO_DEVICE, ErrorNumber::NoSupportOfflineChange),
    ];
    let found = texts.iter().find(|(text, _)| message.contains(text));
    found.map_or(ErrorNumber::PluginBug, |(_, number)| *number)
}

/// What targetd says of a volume that is not active.
const NO_DEVICE: &str = "is not a TYPE_DISK block device";
const NO_DEVICE_HINT: &str = "the volume has no device on targetd's host. Copies of LVM get none as long as lvm.conf there does not \
     have activation/auto_set_activation_skip=0; of one that is there already, lvchange -K -ay makes one";

fn status_text(status: u16) -> String {
    match status {
        401 => "targetd refuses user and password".into(),
        503 => "targetd keeps this host waiting, because a wrong password came from here".into(),
        404 => "at that address is no targetd: it knows no /targetrpc".into(),
        413 => "targetd refuses a request of that length".into(),
        300..=399 => format!("at that address is no targetd: it redirects (HTTP status {status})"),
        _ => format!("targetd answers with HTTP status {status}"),
    }
}

/// The daemon's text, in one line and no longer than that it can be shown.
fn shown(message: &str) -> String {
    let line: Vec<&str> = message.split_whitespace().collect();
    line.join(" ").chars().take(SHOWN).collect()
}

impl From<RpcError> for LsmError {
    fn from(error: RpcError) -> Self {
        let number = error.number();
        let hint = if error.says(NO_DEVICE) { format!(". Hint: {NO_DEVICE_HINT}") } else { String::new() };
        match (error, number) {
            (RpcError::Http(error), _) => error.into(),
            (error, number) => Self::new(number.unwrap_or(ErrorNumber::PluginBug), format!("{error}{hint}")),
        }
    }
}
