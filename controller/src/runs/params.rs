//! Parameters of procedures between the journal's messages and types: the edge where an id is parsed.

use sanfleet_protocol::{
    IdError, file_system::FileSystemError, initiator::InitiatorError, layers::LayersError,
    volume_id::VolumeIdError,
};

/// Why parameters cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    VolumeId(#[from] VolumeIdError),
    #[error(transparent)]
    Initiator(#[from] InitiatorError),
    #[error(transparent)]
    FileSystem(#[from] FileSystemError),
    #[error(transparent)]
    Layers(#[from] LayersError),
}
