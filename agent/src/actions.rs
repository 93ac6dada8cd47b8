//! What commands do: one verb a file, each check → act → verify, and each fine to do twice.
//!
//! A command is parsed once, here at the edge; past it no text names a volume or a place. Every action that can wait is
//! meant for a blocking thread. None begins to change anything after its deadline.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sanfleet_protocol::{
    Label, Layers, MountPoint, QuiesceBy, RunId, TargetPath, VolumeId, file_system::FileSystemError,
    id::IdError, layers::LayersError, limits, target_path::TargetPathError, v1, volume_id::VolumeIdError,
};
use v1::{command::Action as Proto, command_error::Kind};

use crate::{
    blank::BlankError,
    claims::Claims,
    config::{ConfigError, Database, Hook},
    deadline::Deadline,
    fabric::Wanted,
    host::{Host, HostError, NewFileSystem, PersistentMount},
    ledger::{Ledger, LedgerError, Verb},
    policy::{Denied, Gate},
    quiesce::{QuiesceError, Quiesces, word::FailureKind},
    verify::VerifyError,
};

mod attached;
pub mod await_volume;
pub mod check_source;
pub mod check_target;
pub mod check_volume;
pub mod detach;
pub mod forget_mount;
pub mod format;
pub mod grow_file_system;
pub mod grow_volume;
pub mod mount;
mod needs;
pub mod new_identity;
pub mod open_layers;
pub mod persist_mount;
pub mod quiesce;
pub mod rescan;
pub mod resume;
pub mod unmount;

/// Why an action was not done. The kinds of [`v1::CommandError`] are made of these.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    WrongVolume(String),
    #[error("{what}: not found")]
    NotFound { what: String },
    #[error("{what} did not finish in time")]
    Timeout { what: String },
    #[error("{0}")]
    Application(String),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Blank(#[from] BlankError),
    #[error(transparent)]
    Quiesce(#[from] QuiesceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the command is refused")]
    Id(#[from] IdError),
    #[error("the command is refused")]
    FileSystem(#[from] FileSystemError),
    #[error("the command's volume id is refused")]
    VolumeId(#[from] VolumeIdError),
    #[error("the command's path to the volume is refused")]
    TargetPath(#[from] TargetPathError),
    #[error("what the command says of the volume is refused")]
    Layers(#[from] LayersError),
}

impl ActionError {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_)
            | Self::Id(_)
            | Self::FileSystem(_)
            | Self::VolumeId(_)
            | Self::TargetPath(_)
            | Self::Layers(_) => Kind::Invalid,
            Self::Denied(_) => Kind::Refused,
            Self::Blank(BlankError::Used { .. }) => Kind::Busy,
            Self::Blank(BlankError::Holds { .. } | BlankError::Data { .. }) => Kind::Invalid,
            Self::WrongVolume(_)
            | Self::Verify(VerifyError::WrongVolume { .. } | VerifyError::Ambiguous { .. }) => {
                Kind::WrongVolume
            }
            Self::NotFound { .. }
            | Self::Verify(VerifyError::NotFound { .. } | VerifyError::NotWithin { .. }) => Kind::NotFound,
            Self::Timeout { .. } => Kind::Timeout,
            Self::Application(_) | Self::Config(_) => Kind::Application,
            Self::Verify(VerifyError::Host(error))
            | Self::Blank(BlankError::Host(error))
            | Self::Host(error) => host_kind(error),
            Self::Quiesce(error) => quiesce_kind(error),
            Self::Ledger(_) => Kind::System,
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Blank(BlankError::Used { .. }) => true,
            Self::Denied(denied) => denied.is_retryable(),
            Self::Verify(VerifyError::Host(error))
            | Self::Blank(BlankError::Host(error))
            | Self::Host(error) => error.is_retryable(),
            Self::Quiesce(error) => error.is_retryable(),
            Self::Ledger(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// The answer to the controller: the whole story, in one text.
    pub fn to_command_error(&self) -> v1::CommandError {
        v1::CommandError {
            kind: self.kind().into(),
            message: limits::full_text(self),
            retryable: self.is_retryable(),
        }
    }
}

fn host_kind(error: &HostError) -> Kind {
    match error {
        HostError::NotFound { .. } | HostError::Unmapped { .. } => Kind::NotFound,
        HostError::Busy { .. } => Kind::Busy,
        HostError::Invalid { .. } => Kind::Invalid,
        HostError::Timeout { .. } => Kind::Timeout,
        HostError::OtherVolume { .. } => Kind::WrongVolume,
        HostError::Os { .. }
        | HostError::Missing { .. }
        | HostError::Tool { .. }
        | HostError::NoSession { .. }
        | HostError::NoPort { .. } => Kind::System,
    }
}

fn quiesce_kind(error: &QuiesceError) -> Kind {
    match error {
        QuiesceError::Busy { .. } => Kind::Busy,
        QuiesceError::Overtaken { .. } => Kind::Refused,
        QuiesceError::TooLate { .. } | QuiesceError::Silent { .. } => Kind::Timeout,
        QuiesceError::LetGo { .. } | QuiesceError::Lost => Kind::Application,
        QuiesceError::Start(_) | QuiesceError::Ledger(_) => Kind::System,
        QuiesceError::Host(error) => host_kind(error),
        QuiesceError::Guard(failure) => match failure.kind {
            FailureKind::Application => Kind::Application,
            FailureKind::Busy => Kind::Busy,
            FailureKind::Invalid => Kind::Invalid,
            FailureKind::System => Kind::System,
            FailureKind::Timeout => Kind::Timeout,
        },
    }
}

/// A command's action, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    CheckSource(check_source::Request),
    CheckTarget(check_target::Request),
    Rescan { fabric: String, volume: VolumeId, paths: Vec<TargetPath> },
    AwaitVolume { volume: VolumeId, within: Duration },
    Mount(mount::Request),
    Unmount { volume: VolumeId, at: MountPoint },
    Detach { volume: VolumeId },
    Quiesce(quiesce::Request),
    Resume,
    ReportNow,
    Format(format::Request),
    GrowVolume { volume: VolumeId, size_bytes: u64 },
    GrowFileSystem { volume: VolumeId, at: MountPoint },
    NewIdentity(new_identity::Request),
    PersistMount(persist_mount::Request),
    ForgetMount { at: MountPoint },
    CheckVolume(check_volume::Request),
    OpenLayers { volume: VolumeId, of_source: Layers },
}

impl Action {
    pub fn parse(action: &Proto) -> Result<Self, ActionError> {
        Ok(match action {
            Proto::CheckSource(check) => {
                let by = quiesce_by(check.quiesce(), &check.hook)?;
                let layers = Layers::from_message(check.layers.as_ref())?;
                Self::CheckSource(check_source::Request { at: check.mount_point.parse()?, by, layers })
            }
            Proto::CheckTarget(check) => Self::CheckTarget(check_target::Request {
                at: check.mount_point.parse()?,
                file_system: (!check.file_system.is_empty()).then(|| check.file_system.clone()),
                read_write: check.read_write,
                format: check.format,
            }),
            Proto::Rescan(rescan) => Self::Rescan {
                fabric: rescan.fabric.clone(),
                volume: strong(&rescan.volume_id)?,
                paths: rescan.paths.iter().map(TargetPath::try_from).collect::<Result<_, _>>()?,
            },
            Proto::AwaitVolume(wait) => Self::AwaitVolume {
                volume: strong(&wait.volume_id)?,
                within: Duration::from_millis(wait.timeout_ms.into()),
            },
            Proto::Mount(mount) => Self::Mount(mount::Request {
                volume: strong(&mount.volume_id)?,
                at: mount.mount_point.parse()?,
                read_write: mount.read_write,
                file_system: mount.file_system.clone(),
                layers: Layers::from_message(mount.layers.as_ref())?,
            }),
            Proto::Unmount(unmount) => {
                Self::Unmount { volume: strong(&unmount.volume_id)?, at: unmount.mount_point.parse()? }
            }
            Proto::Detach(detach) => Self::Detach { volume: strong(&detach.volume_id)? },
            Proto::Quiesce(quiesce) => Self::Quiesce(quiesce::Request {
                main: mounted(&quiesce.volume_id, &quiesce.mount_point)?,
                also: quiesce
                    .also
                    .iter()
                    .map(|one| mounted(&one.volume_id, &one.mount_point))
                    .collect::<Result<_, _>>()?,
                by: quiesce_by(quiesce.method(), &quiesce.hook)?,
                dead_man: Duration::from_millis(quiesce.dead_man_ms.into()),
            }),
            Proto::Resume(_) => Self::Resume,
            Proto::ReportNow(_) => Self::ReportNow,
            Proto::Format(format) => {
                let kind = format.file_system.parse()?;
                let label = Label::new(kind, &format.label)?;
                let wanted = NewFileSystem { kind, id: format.uuid.parse()?, label };
                Self::Format(format::Request { volume: strong(&format.volume_id)?, wanted })
            }
            Proto::GrowVolume(grow) => {
                Self::GrowVolume { volume: strong(&grow.volume_id)?, size_bytes: grow.size_bytes }
            }
            Proto::GrowFileSystem(grow) => {
                Self::GrowFileSystem { volume: strong(&grow.volume_id)?, at: grow.mount_point.parse()? }
            }
            Proto::NewIdentity(identity) => Self::NewIdentity(new_identity::Request {
                volume: strong(&identity.volume_id)?,
                kind: identity.file_system.parse()?,
                wanted: identity.uuid.parse()?,
                replaced: identity.replaced_uuid.parse()?,
                layers: Layers::from_message(identity.layers.as_ref())?,
            }),
            Proto::PersistMount(persist) => Self::PersistMount(persist_mount::Request {
                at: persist.mount_point.parse()?,
                mount: PersistentMount {
                    volume: strong(&persist.volume_id)?,
                    kind: persist.file_system.parse()?,
                    id: persist.uuid.parse()?,
                    read_write: persist.read_write,
                },
            }),
            Proto::ForgetMount(forget) => Self::ForgetMount { at: forget.mount_point.parse()? },
            Proto::CheckVolume(check) => Self::CheckVolume(check_volume::Request {
                volume: strong(&check.volume_id)?,
                at: match check.mount_point.as_str() {
                    "" => None,
                    at => Some(at.parse()?),
                },
                deep: check.deep,
            }),
            Proto::OpenLayers(open) => Self::OpenLayers {
                volume: strong(&open.volume_id)?,
                of_source: Layers::from_message(open.layers.as_ref())?,
            },
        })
    }

    /// The volume whose content it changes.
    fn changes(&self) -> Option<&VolumeId> {
        match self {
            Self::Format(request) => Some(&request.volume),
            Self::NewIdentity(request) => Some(&request.volume),
            Self::GrowVolume { volume, .. }
            | Self::GrowFileSystem { volume, .. }
            | Self::OpenLayers { volume, .. } => Some(volume),
            _ => None,
        }
    }

    /// How long it may take before the command is answered with a timeout.
    pub fn limit(&self) -> Duration {
        match self {
            Self::AwaitVolume { within, .. } => within.saturating_add(Duration::from_secs(10)),
            Self::Quiesce(request) => {
                let hook = if request.by.hook().is_some() { 2 * Hook::LONGEST } else { Duration::ZERO };
                request.dead_man.saturating_add(Duration::from_secs(45)).saturating_add(hook)
            }
            Self::CheckSource(_) | Self::CheckTarget(_) => Duration::from_secs(20),
            // A guard that does not answer is killed, and then its hook is ended by us.
            Self::Resume => Duration::from_secs(20) + 2 * Hook::LONGEST,
            Self::Rescan { .. }
            | Self::Mount(_)
            | Self::Unmount { .. }
            | Self::Detach { .. }
            | Self::GrowVolume { .. }
            | Self::PersistMount(_)
            | Self::CheckVolume(_)
            | Self::OpenLayers { .. }
            | Self::ForgetMount { .. } => Duration::from_secs(60),
            Self::ReportNow => Duration::from_secs(5),
            Self::Format(_) | Self::GrowFileSystem { .. } | Self::NewIdentity(_) => Duration::from_secs(300),
        }
    }
}

/// What a command does, told before it is parsed.
pub fn verb(action: &Proto) -> Verb {
    match action {
        Proto::CheckSource(_) => Verb::CheckSource,
        Proto::CheckTarget(_) => Verb::CheckTarget,
        Proto::Rescan(_) => Verb::Rescan,
        Proto::AwaitVolume(_) => Verb::AwaitVolume,
        Proto::Mount(_) => Verb::Mount,
        Proto::Unmount(_) => Verb::Unmount,
        Proto::Detach(_) => Verb::Detach,
        Proto::Quiesce(_) => Verb::Quiesce,
        Proto::Resume(_) => Verb::Resume,
        Proto::ReportNow(_) => Verb::ReportNow,
        Proto::Format(_) => Verb::Format,
        Proto::GrowVolume(_) => Verb::GrowVolume,
        Proto::GrowFileSystem(_) => Verb::GrowFileSystem,
        Proto::NewIdentity(_) => Verb::NewIdentity,
        Proto::PersistMount(_) => Verb::PersistMount,
        Proto::ForgetMount(_) => Verb::ForgetMount,
        Proto::CheckVolume(_) => Verb::CheckVolume,
        Proto::OpenLayers(_) => Verb::OpenLayers,
    }
}

/// An id that many volumes may share names none of them.
fn strong(text: &str) -> Result<VolumeId, ActionError> {
    let volume: VolumeId = text.parse()?;
    match volume.is_strong() {
        true => Ok(volume),
        false => Err(ActionError::Invalid(format!("{volume} alone does not prove which volume it is"))),
    }
}

fn mounted(volume: &str, at: &str) -> Result<quiesce::Mounted, ActionError> {
    Ok(quiesce::Mounted { volume: strong(volume)?, at: at.parse()? })
}

fn quiesce_by(method: v1::QuiesceMethod, hook: &str) -> Result<QuiesceBy, ActionError> {
    QuiesceBy::from_wire(method, hook)?
        .ok_or_else(|| ActionError::Invalid("the command does not say how to quiesce".to_owned()))
}

/// What the configuration says of applications that may be quiesced.
#[derive(Debug, Clone, Default)]
pub struct Quiesced {
    pub databases: Vec<Database>,
    pub hooks: Vec<Hook>,
}

/// Everything that actions work with.
pub struct Workshop {
    pub host: Arc<dyn Host>,
    pub ledger: Arc<Ledger>,
    pub quiesces: Arc<Quiesces>,
    pub state_dir: PathBuf,
    pub gate: Gate,
    pub quiesced: Quiesced,
    pub max_dead_man: Duration,
    pub claims: Claims,
    /// Makes the reporter send a full report.
    pub report_now: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

/// For whom an action is done.
#[derive(Debug, Clone, Copy)]
pub struct Errand {
    pub run: RunId,
    pub issued_at_unix_ms: i64,
    pub deadline: Deadline,
}

impl Workshop {
    /// Carries out one action; of one that waits for something, one look. Blocks.
    pub fn perform(&self, action: Action, errand: Errand) -> Result<v1::CommandDone, ActionError> {
        let Some(volume) = action.changes().cloned() else { return self.act(action, errand) };
        let _claim = self.claims.claim(&volume)?;
        let done = self.act(action, errand);
        // The kernel tells when devices and mounts change, and not when what is on them does.
        (self.report_now)();
        done
    }

    fn act(&self, action: Action, errand: Errand) -> Result<v1::CommandDone, ActionError> {
        let (host, deadline) = (self.host.as_ref(), errand.deadline);
        match action {
            Action::CheckSource(request) => {
                let own = check_source::Own { state_dir: &self.state_dir, quiesced: &self.quiesced };
                check_source::check_source(host, &request, own, deadline)
            }
            Action::CheckTarget(request) => check_target::check_target(host, &request.at),
            Action::Rescan { fabric, volume, paths } => {
                rescan::rescan(host, &fabric, Wanted { volume: &volume, paths: &paths }, deadline)
            }
            Action::AwaitVolume { volume, .. } => await_volume::look(host, &self.ledger, &volume),
            Action::Mount(request) => mount::mount(host, &self.ledger, &request, deadline),
            Action::Unmount { volume, at } => unmount::unmount(host, &self.ledger, &volume, &at, deadline),
            Action::Detach { volume } => detach::detach(host, &self.ledger, &volume, deadline),
            Action::Quiesce(request) => quiesce::quiesce(self, request, errand),
            Action::Resume => Ok(resume::resume(&self.quiesces, errand)),
            Action::ReportNow => {
                (self.report_now)();
                Ok(v1::CommandDone { changed: true, detail: None })
            }
            Action::Format(request) => format::format(host, &self.ledger, &request, deadline),
            Action::GrowVolume { volume, size_bytes } => {
                grow_volume::grow_volume(host, &self.ledger, &volume, size_bytes, deadline)
            }
            Action::GrowFileSystem { volume, at } => {
                grow_file_system::grow_file_system(host, &volume, &at, deadline)
            }
            Action::NewIdentity(request) => {
                new_identity::new_identity(host, &self.ledger, &request, deadline)
            }
            Action::PersistMount(request) => {
                persist_mount::persist_mount(host, &self.ledger, &request, deadline)
            }
            Action::ForgetMount { at } => forget_mount::forget_mount(host, &at, deadline),
            Action::CheckVolume(request) => {
                check_volume::check_volume(host, &self.ledger, &request, deadline)
            }
            Action::OpenLayers { volume, of_source } => {
                open_layers::open_layers(host, &self.ledger, &volume, &of_source, deadline)
            }
        }
    }
}

/// Called before anything is changed: a command that was answered with a timeout must not act afterwards.
fn refuse_late(deadline: Deadline, what: &str) -> Result<(), ActionError> {
    match deadline.has_passed() {
        true => Err(ActionError::Timeout { what: what.to_owned() }),
        false => Ok(()),
    }
}

fn done(changed: bool) -> v1::CommandDone {
    v1::CommandDone { changed, detail: None }
}

fn grown(before_bytes: u64, after_bytes: u64) -> v1::CommandDone {
    let detail = v1::command_done::Detail::Grown(v1::Grown { before_bytes, after_bytes });
    v1::CommandDone { changed: before_bytes != after_bytes, detail: Some(detail) }
}
