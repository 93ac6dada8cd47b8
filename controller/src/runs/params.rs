//! Parameters of procedures between the journal's messages and types: the edge where an id is parsed.

use std::time::Duration;

use sanfleet_protocol::{IdError, v1, v1::run_created, volume_id::VolumeIdError};

use super::{AnyProcedure, BackupAttach, BackupDetach};

/// Why parameters cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    VolumeId(#[from] VolumeIdError),
}

impl From<&AnyProcedure> for run_created::Procedure {
    fn from(procedure: &AnyProcedure) -> Self {
        match procedure {
            AnyProcedure::BackupAttach(params) => Self::BackupAttach(params.into()),
            AnyProcedure::BackupDetach(params) => Self::BackupDetach(params.into()),
        }
    }
}

impl TryFrom<&run_created::Procedure> for AnyProcedure {
    type Error = ParamsError;

    fn try_from(procedure: &run_created::Procedure) -> Result<Self, ParamsError> {
        Ok(match procedure {
            run_created::Procedure::BackupAttach(params) => Self::BackupAttach(params.try_into()?),
            run_created::Procedure::BackupDetach(params) => Self::BackupDetach(params.try_into()?),
        })
    }
}

impl From<&BackupAttach> for v1::BackupAttachParams {
    fn from(params: &BackupAttach) -> Self {
        Self {
            source_host: params.source.to_string(),
            source_mount_point: params.source_mount.to_string(),
            target_host: params.target.to_string(),
            target_mount_point: params.target_mount.to_string(),
            quiesce: params.quiesce.into(),
            read_write: params.read_write,
            copy_name: params.copy_name.clone(),
            dead_man_ms: u32::try_from(params.dead_man.as_millis()).unwrap_or(u32::MAX),
            resolved: Some(params.resolved.clone()),
        }
    }
}

impl TryFrom<&v1::BackupAttachParams> for BackupAttach {
    type Error = ParamsError;

    fn try_from(params: &v1::BackupAttachParams) -> Result<Self, ParamsError> {
        Ok(Self {
            source: params.source_host.parse()?,
            source_mount: params.source_mount_point.parse()?,
            target: params.target_host.parse()?,
            target_mount: params.target_mount_point.parse()?,
            quiesce: params.quiesce(),
            read_write: params.read_write,
            copy_name: params.copy_name.clone(),
            dead_man: Duration::from_millis(params.dead_man_ms.into()),
            resolved: params.resolved.clone().ok_or(ParamsError::Missing { field: "resolved" })?,
        })
    }
}

impl From<&BackupDetach> for v1::BackupDetachParams {
    fn from(params: &BackupDetach) -> Self {
        Self { attachment: params.attachment.id.clone(), what: Some(params.attachment.clone()) }
    }
}

impl TryFrom<&v1::BackupDetachParams> for BackupDetach {
    type Error = ParamsError;

    fn try_from(params: &v1::BackupDetachParams) -> Result<Self, ParamsError> {
        let attachment = params.what.clone().ok_or(ParamsError::Missing { field: "what" })?;
        attachment.try_into()
    }
}

impl TryFrom<v1::Attachment> for BackupDetach {
    type Error = ParamsError;

    fn try_from(attachment: v1::Attachment) -> Result<Self, ParamsError> {
        Ok(Self {
            host: attachment.host.parse()?,
            mount_point: attachment.mount_point.parse()?,
            volume_id: attachment.volume_id.parse()?,
            attachment,
        })
    }
}
