//! Why a command ends before its end, and the exit code that scripts know it by.

use std::{error::Error, io};

use sanfleet_driver::{ErrorNumber, LsmError, client::ClientError};

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// What was asked for makes no sense, or is about something that the array does not have.
    #[error("{0}")]
    Usage(String),
    /// The array, its driver, or the way to it said no.
    #[error("{}", refusal(.0))]
    Refused(LsmError),
    /// The work goes on as a job, whose id or progress has been printed.
    #[error("the job goes on")]
    JobGoesOn,
    #[error("cannot start the plug-in")]
    Fork,
    #[error("interrupted")]
    Interrupted,
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

impl Stop {
    pub fn refused(number: ErrorNumber, message: impl Into<String>) -> Self {
        Self::Refused(LsmError::new(number, message))
    }

    pub fn exit(&self) -> u8 {
        match self {
            Self::Output(_) | Self::Interrupted => 1,
            Self::Usage(_) => 2,
            Self::Refused(error) if error.number == ErrorNumber::PermissionDenied => 13,
            Self::Refused(_) => 4,
            Self::JobGoesOn => 7,
            Self::Fork => 8,
        }
    }

    /// What is told on stderr, if anything.
    pub fn message(&self, program: &str) -> Option<String> {
        match self {
            Self::Usage(why) => Some(format!("{program}: error: {why}\n")),
            Self::Refused(_) => Some(format!("{self}\n")),
            Self::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Some(format!("{program}: error: {self}: {error}\n"))
            }
            Self::Output(_) | Self::JobGoesOn | Self::Fork | Self::Interrupted => None,
        }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Refused(as_refusal(error))
    }
}

/// The error that libStorageMgmt's own client would have for the same trouble.
pub fn as_refusal(error: ClientError) -> LsmError {
    let number = match &error {
        ClientError::Array(_) => ErrorNumber::PluginBug,
        ClientError::Timeout { .. } => ErrorNumber::Timeout,
        ClientError::Lost { .. } => ErrorNumber::TransportCommunication,
        ClientError::Start { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => ErrorNumber::PluginNotExist,
            io::ErrorKind::PermissionDenied => ErrorNumber::PluginSocketPermission,
            io::ErrorKind::TimedOut => ErrorNumber::Timeout,
            _ => ErrorNumber::PluginIpcFail,
        },
        _ => ErrorNumber::TransportSerialization,
    };
    match error {
        ClientError::Array(error) => error,
        other => LsmError::new(number, with_causes(&other)),
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// `NAME(number): message Data: …`; with the blank at the end that the original has when there is no data.
pub fn refusal(error: &LsmError) -> String {
    let data = error.data.as_deref().filter(|data| !data.is_empty());
    let data = data.map(|data| format!("Data: {data}")).unwrap_or_default();
    format!("{}({}): {} {data}", name(error.number), i64::from(error.number), error.message)
}

/// As libStorageMgmt calls the number.
pub fn name(number: ErrorNumber) -> &'static str {
    match number {
        ErrorNumber::LibBug => "LIB_BUG",
        ErrorNumber::PluginBug => "PLUGIN_BUG",
        ErrorNumber::JobStarted => "JOB_STARTED",
        ErrorNumber::Timeout => "TIMEOUT",
        ErrorNumber::DaemonNotRunning => "DAEMON_NOT_RUNNING",
        ErrorNumber::PermissionDenied => "PERMISSION_DENIED",
        ErrorNumber::NameConflict => "NAME_CONFLICT",
        ErrorNumber::ExistsInitiator => "EXISTS_INITIATOR",
        ErrorNumber::InvalidArgument => "INVALID_ARGUMENT",
        ErrorNumber::NoStateChange => "NO_STATE_CHANGE",
        ErrorNumber::NetworkConnectionRefused => "NETWORK_CONNREFUSED",
        ErrorNumber::NetworkHostDown => "NETWORK_HOSTDOWN",
        ErrorNumber::NetworkError => "NETWORK_ERROR",
        ErrorNumber::NoMemory => "NO_MEMORY",
        ErrorNumber::NoSupport => "NO_SUPPORT",
        ErrorNumber::IsMasked => "IS_MASKED",
        ErrorNumber::HasChildDependency => "HAS_CHILD_DEPENDENCY",
        ErrorNumber::NotFoundAccessGroup => "NOT_FOUND_ACCESS_GROUP",
        ErrorNumber::NotFoundFileSystem => "NOT_FOUND_FS",
        ErrorNumber::NotFoundJob => "NOT_FOUND_JOB",
        ErrorNumber::NotFoundPool => "NOT_FOUND_POOL",
        ErrorNumber::NotFoundSnapshot => "NOT_FOUND_FS_SS",
        ErrorNumber::NotFoundVolume => "NOT_FOUND_VOLUME",
        ErrorNumber::NotFoundNfsExport => "NOT_FOUND_NFS_EXPORT",
        ErrorNumber::NotFoundGeneric => "NOT_FOUND_GENERIC",
        ErrorNumber::NotFoundSystem => "NOT_FOUND_SYSTEM",
        ErrorNumber::NotFoundDisk => "NOT_FOUND_DISK",
        ErrorNumber::NotLicensed => "NOT_LICENSED",
        ErrorNumber::NoSupportOnlineChange => "NO_SUPPORT_ONLINE_CHANGE",
        ErrorNumber::NoSupportOfflineChange => "NO_SUPPORT_OFFLINE_CHANGE",
        ErrorNumber::PluginAuthFailed => "PLUGIN_AUTH_FAILED",
        ErrorNumber::PluginIpcFail => "PLUGIN_IPC_FAIL",
        ErrorNumber::PluginSocketPermission => "PLUGIN_SOCKET_PERMISSION",
        ErrorNumber::PluginNotExist => "PLUGIN_NOT_EXIST",
        ErrorNumber::NotEnoughSpace => "NOT_ENOUGH_SPACE",
        ErrorNumber::TransportCommunication => "TRANSPORT_COMMUNICATION",
        ErrorNumber::TransportSerialization => "TRANSPORT_SERIALIZATION",
        ErrorNumber::TransportInvalidArgument => "TRANSPORT_INVALID_ARG",
        ErrorNumber::LastInitiatorInAccessGroup => "LAST_INIT_IN_ACCESS_GROUP",
        ErrorNumber::UnsupportedSearchKey => "UNSUPPORTED_SEARCH_KEY",
        ErrorNumber::EmptyAccessGroup => "EMPTY_ACCESS_GROUP",
        ErrorNumber::PoolNotReady => "POOL_NOT_READY",
        ErrorNumber::DiskNotFree => "DISK_NOT_FREE",
        ErrorNumber::ParseError | ErrorNumber::InvalidRequest | ErrorNumber::Other(_) => {
            "UNKNOWN_ERROR_NUMBER"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number that the protocol names.
    const NAMED: [(i64, &str); 43] = [
        (1, "LIB_BUG"),
        (2, "PLUGIN_BUG"),
        (7, "JOB_STARTED"),
        (11, "TIMEOUT"),
        (12, "DAEMON_NOT_RUNNING"),
        (13, "PERMISSION_DENIED"),
        (50, "NAME_CONFLICT"),
        (52, "EXISTS_INITIATOR"),
        (101, "INVALID_ARGUMENT"),
        (125, "NO_STATE_CHANGE"),
        (140, "NETWORK_CONNREFUSED"),
        (141, "NETWORK_HOSTDOWN"),
        (142, "NETWORK_ERROR"),
        (152, "NO_MEMORY"),
        (153, "NO_SUPPORT"),
        (160, "IS_MASKED"),
        (161, "HAS_CHILD_DEPENDENCY"),
        (200, "NOT_FOUND_ACCESS_GROUP"),
        (201, "NOT_FOUND_FS"),
        (202, "NOT_FOUND_JOB"),
        (203, "NOT_FOUND_POOL"),
        (204, "NOT_FOUND_FS_SS"),
        (205, "NOT_FOUND_VOLUME"),
        (206, "NOT_FOUND_NFS_EXPORT"),
        (207, "NOT_FOUND_GENERIC"),
        (208, "NOT_FOUND_SYSTEM"),
        (209, "NOT_FOUND_DISK"),
        (226, "NOT_LICENSED"),
        (250, "NO_SUPPORT_ONLINE_CHANGE"),
        (251, "NO_SUPPORT_OFFLINE_CHANGE"),
        (300, "PLUGIN_AUTH_FAILED"),
        (301, "PLUGIN_IPC_FAIL"),
        (307, "PLUGIN_SOCKET_PERMISSION"),
        (311, "PLUGIN_NOT_EXIST"),
        (350, "NOT_ENOUGH_SPACE"),
        (400, "TRANSPORT_COMMUNICATION"),
        (401, "TRANSPORT_SERIALIZATION"),
        (402, "TRANSPORT_INVALID_ARG"),
        (502, "LAST_INIT_IN_ACCESS_GROUP"),
        (510, "UNSUPPORTED_SEARCH_KEY"),
        (511, "EMPTY_ACCESS_GROUP"),
        (512, "POOL_NOT_READY"),
        (513, "DISK_NOT_FREE"),
    ];

    #[test]
    fn every_number_is_called_as_libstoragemgmt_calls_it() {
        for (number, expected) in NAMED {
            assert_eq!(name(number.into()), expected, "{number}");
        }
        assert_eq!(name((-32601).into()), "UNKNOWN_ERROR_NUMBER");
    }

    #[test]
    fn a_refusal_is_name_number_message_and_data() {
        let mut error = LsmError::new(ErrorNumber::NotFoundVolume, "no volume V");
        assert_eq!(refusal(&error), "NOT_FOUND_VOLUME(205): no volume V ");
        error.data = Some("line 3".into());
        assert_eq!(refusal(&error), "NOT_FOUND_VOLUME(205): no volume V Data: line 3");
    }

    #[test]
    fn scripts_know_each_end_by_its_code() {
        let lsm = |number| Stop::refused(number, "");
        let late = ClientError::Timeout { method: "volumes", after: std::time::Duration::from_millis(1) };
        for (stop, code) in [
            (Stop::Usage("Volume with ID X not found!".into()), 2),
            (lsm(ErrorNumber::NoStateChange), 4),
            (lsm(ErrorNumber::PermissionDenied), 13),
            (Stop::JobGoesOn, 7),
            (Stop::Fork, 8),
            (Stop::Interrupted, 1),
            (Stop::Output(io::ErrorKind::BrokenPipe.into()), 1),
            (late.into(), 4),
        ] {
            assert_eq!(stop.exit(), code, "{stop:?}");
        }
    }

    #[test]
    fn trouble_on_the_way_has_the_numbers_of_libstoragemgmts_client() {
        let start = |kind: io::ErrorKind| ClientError::Start { path: "p".into(), source: kind.into() };
        let lost = || sanfleet_driver::client::LostReason::AlreadyDead;
        for (error, number) in [
            (start(io::ErrorKind::NotFound), 311),
            (start(io::ErrorKind::PermissionDenied), 307),
            (start(io::ErrorKind::ConnectionRefused), 301),
            (ClientError::Timeout { method: "m", after: std::time::Duration::ZERO }, 11),
            (ClientError::Lost { method: "m", reason: lost() }, 400),
            (ClientError::Protocol { method: "m", source: "nonsense".into() }, 401),
        ] {
            assert_eq!(i64::from(as_refusal(error).number), number);
        }
    }
}
