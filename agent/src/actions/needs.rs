//! What a command needs this host's leave for.

use sanfleet_protocol::MountPoint;

use super::Action;
use crate::policy::Needs;

fn placed(at: &MountPoint) -> Needs<'_> {
    Needs { at: Some(at), ..Needs::default() }
}

impl Action {
    pub fn needs(&self) -> Needs<'_> {
        let nothing = Needs::default();
        match self {
            Self::CheckSource(request) => Needs { quiesce: Some(&request.by), ..nothing },
            Self::Quiesce(request) => Needs { quiesce: Some(&request.by), ..nothing },
            Self::CheckTarget(request) => Needs {
                file_system: request.file_system.as_deref(),
                writing: request.read_write,
                formatting: request.format,
                ..placed(&request.at)
            },
            Self::Rescan { volume, .. } => Needs { brings: Some(volume), ..nothing },
            Self::Mount(request) => Needs {
                file_system: Some(&request.file_system),
                writing: request.read_write,
                brings: Some(&request.volume),
                ..placed(&request.at)
            },
            Self::PersistMount(request) => Needs {
                file_system: Some(request.mount.kind.as_str()),
                writing: request.mount.read_write,
                ..placed(&request.at)
            },
            Self::Unmount { at, .. } | Self::ForgetMount { at } => placed(at),
            Self::Format(request) => {
                Needs { file_system: Some(request.wanted.kind.as_str()), formatting: true, ..nothing }
            }
            Self::NewIdentity(request) => Needs { file_system: Some(request.kind.as_str()), ..nothing },
            Self::AwaitVolume { .. }
            | Self::Detach { .. }
            | Self::Resume
            | Self::ReportNow
            | Self::GrowVolume { .. }
            | Self::GrowFileSystem { .. }
            | Self::CheckVolume(_)
            | Self::OpenLayers { .. } => nothing,
        }
    }
}
