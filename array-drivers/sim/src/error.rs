//! What goes wrong inside the array, and how the protocol says it.

use std::{error::Error, io, path::PathBuf};

use rusqlite::ErrorCode;
use sanfleet_driver::{ErrorNumber, LsmError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SimError {
    /// The array's own word, as the protocol wants it.
    #[error(transparent)]
    Refused(#[from] LsmError),
    #[error("the state file cannot be read or written")]
    Database(#[from] rusqlite::Error),
    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

pub(crate) type Result<T> = std::result::Result<T, SimError>;

impl SimError {
    pub fn refused(number: ErrorNumber, message: impl Into<String>) -> Self {
        Self::Refused(LsmError::new(number, message))
    }

    /// Gives an I/O error its place.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    fn number(&self) -> ErrorNumber {
        match self {
            Self::Refused(error) => error.number,
            Self::Database(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorNumber::Timeout,
                Some(ErrorCode::DiskFull) => ErrorNumber::NotEnoughSpace,
                _ => ErrorNumber::PluginBug,
            },
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    ErrorNumber::NotEnoughSpace
                }
                io::ErrorKind::PermissionDenied => ErrorNumber::PermissionDenied,
                _ => ErrorNumber::PluginBug,
            },
        }
    }
}

impl From<SimError> for LsmError {
    fn from(error: SimError) -> Self {
        let number = error.number();
        match error {
            SimError::Refused(error) => error,
            other => {
                let cause = other.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                LsmError::new(number, format!("{other}{cause}"))
            }
        }
    }
}
