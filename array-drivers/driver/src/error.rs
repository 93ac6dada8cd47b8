//! How a driver says no: the protocol's error numbers.

use serde::{Deserialize, Serialize};

macro_rules! error_numbers {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// The protocol's error numbers. A runner or an array may send others: they are kept as [`ErrorNumber::Other`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "i64", into = "i64")]
        pub enum ErrorNumber {
            $($(#[$doc])* $name,)*
            Other(i64),
        }

        impl From<i64> for ErrorNumber {
            fn from(number: i64) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<ErrorNumber> for i64 {
            fn from(number: ErrorNumber) -> Self {
                match number {
                    $(ErrorNumber::$name => $number,)*
                    ErrorNumber::Other(other) => other,
                }
            }
        }
    };
}

error_numbers! {
    LibBug = 1,
    PluginBug = 2,
    /// An answer of the C library to its caller; never travels as an error.
    JobStarted = 7,
    Timeout = 11,
    DaemonNotRunning = 12,
    PermissionDenied = 13,
    NameConflict = 50,
    /// The initiator is in another access group.
    ExistsInitiator = 52,
    InvalidArgument = 101,
    /// The array is already as the call wants it.
    NoStateChange = 125,
    NetworkConnectionRefused = 140,
    NetworkHostDown = 141,
    NetworkError = 142,
    NoMemory = 152,
    NoSupport = 153,
    IsMasked = 160,
    HasChildDependency = 161,
    NotFoundAccessGroup = 200,
    NotFoundFileSystem = 201,
    NotFoundJob = 202,
    NotFoundPool = 203,
    NotFoundSnapshot = 204,
    NotFoundVolume = 205,
    NotFoundNfsExport = 206,
    NotFoundGeneric = 207,
    NotFoundSystem = 208,
    NotFoundDisk = 209,
    NotLicensed = 226,
    NoSupportOnlineChange = 250,
    NoSupportOfflineChange = 251,
    PluginAuthFailed = 300,
    PluginIpcFail = 301,
    PluginSocketPermission = 307,
    PluginNotExist = 311,
    NotEnoughSpace = 350,
    TransportCommunication = 400,
    TransportSerialization = 401,
    TransportInvalidArgument = 402,
    LastInitiatorInAccessGroup = 502,
    UnsupportedSearchKey = 510,
    EmptyAccessGroup = 511,
    PoolNotReady = 512,
    DiskNotFree = 513,
    /// JSON-RPC 2.0: the frame holds no JSON.
    ParseError = -32700,
    /// JSON-RPC 2.0: the JSON is no request.
    InvalidRequest = -32600,
}

/// An error as it travels: number, words for a person, and what helps whoever debugs the driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (error {})", i64::from(*.number))]
pub struct LsmError {
    pub number: ErrorNumber,
    pub message: String,
    pub data: Option<String>,
}

impl LsmError {
    pub fn new(number: ErrorNumber, message: impl Into<String>) -> Self {
        Self { number, message: message.into(), data: None }
    }

    pub fn no_support() -> Self {
        Self::new(ErrorNumber::NoSupport, "Unsupported operation")
    }

    /// True when the same call may succeed later although nobody changes anything about it.
    pub fn is_retryable(&self) -> bool {
        self.number.is_retryable()
    }
}

impl ErrorNumber {
    /// True when the same call may succeed later although nobody changes anything about it.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::DaemonNotRunning
                | Self::NetworkConnectionRefused
                | Self::NetworkHostDown
                | Self::NetworkError
                | Self::NoMemory
                | Self::PluginIpcFail
                | Self::TransportCommunication
                | Self::PoolNotReady
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_conflict_is_no_matter_of_waiting() {
        assert!(!LsmError::new(ErrorNumber::NameConflict, "taken").is_retryable());
        assert!(LsmError::new(ErrorNumber::PoolNotReady, "wait").is_retryable());
    }

    proptest! {
        #[test]
        fn every_number_survives_the_journey(number in prop_oneof![-33000i64..600, any::<i64>()]) {
            prop_assert_eq!(i64::from(ErrorNumber::from(number)), number);
        }
    }
}
