//! *Backup attach*: a consistent copy of a live application, mounted on another host.
//!
//! resolve → copy (quiesce, replicate, resume) → mask → attach → mount → verify. Everything that can be done before the quiesce is
//! done before it; between quiesce and resume there are only array calls, one for each volume, and no journal write.

use std::{collections::BTreeSet, time::Duration};

use sanfleet_protocol::{
    ArrayId, HostId, Layers, MountPoint, QuiesceBy, VolumeId,
    v1::{self, command::Action, command_done::Detail, step_output::Output},
};

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    parts::{MadeVolume, Placement, Placing, Put, access, device, made_volumes, mount, verify},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};

mod copy;
mod hold;

use copy::{copy, undo_copy};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupAttach {
    pub source: HostId,
    /// The volume where the application is.
    pub main: Copying,
    /// What else of it is copied while it is held still this once.
    pub also: Vec<Copying>,
    pub quiesce: QuiesceBy,
    pub dead_man: Duration,
    /// Read the copies, once they are mounted.
    pub verify: bool,
    /// When they are taken down by themselves, in milliseconds since 1970; 0 for never.
    pub expires_at_unix_ms: i64,
}

/// One volume, its copy, and where that goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Copying {
    pub source_mount: MountPoint,
    pub to: Placement,
    /// The copy's name on the array, minted before the run begins.
    pub name: String,
    /// What planning found: the array, the volume and the target's way to it.
    pub resolved: v1::SourceResolved,
    /// What lies between the volume and what is mounted.
    pub layers: Layers,
}

const ONE_TRY: Patience = Patience::new(1, 30);
/// A look that should be quick: a host that takes longer is not fit to be touched.
const LOOK: Duration = Duration::from_secs(10);

impl BackupAttach {
    pub fn copies(&self) -> impl Iterator<Item = &Copying> {
        [&self.main].into_iter().chain(&self.also)
    }

    fn source_of(&self, copying: &Copying) -> String {
        format!("{}:{}", self.source, copying.source_mount)
    }
}

impl Copying {
    /// The volume that is copied.
    fn source(&self) -> Result<VolumeId, StepError> {
        let text = &self.resolved.volume_id;
        text.parse().map_err(|error| StepError::id("volume id", error))
    }

    /// What its source's host is asked before anything is touched.
    pub fn check_source(&self, quiesce: &QuiesceBy) -> v1::CheckSource {
        v1::CheckSource {
            mount_point: self.source_mount.to_string(),
            quiesce: quiesce.method().into(),
            hook: quiesce.hook_name(),
            layers: self.resolved.layers.clone(),
        }
    }

    fn from_message(host: &HostId, read_write: bool, message: &v1::AlsoCopied) -> Result<Self, ParamsError> {
        let resolved = message.resolved.clone().ok_or(ParamsError::Missing { field: "resolved" })?;
        Ok(Self {
            source_mount: message.source_mount_point.parse()?,
            to: Placement {
                host: host.clone(),
                mount_point: message.target_mount_point.parse()?,
                read_write,
                array: resolved.array.parse()?,
                initiator: resolved.initiator.parse()?,
                fabric: resolved.fabric.clone(),
            },
            name: message.copy_name.clone(),
            layers: Layers::from_message(resolved.layers.as_ref())?,
            resolved,
        })
    }

    fn to_message(&self) -> v1::AlsoCopied {
        v1::AlsoCopied {
            source_mount_point: self.source_mount.to_string(),
            target_mount_point: self.to.mount_point.to_string(),
            copy_name: self.name.clone(),
            resolved: Some(self.resolved.clone()),
        }
    }
}

impl Procedure for BackupAttach {
    const NAME: &'static str = "backup attach";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "resolve",
            act: |here| boxed(resolve(here)),
            undo: Undo::None("it only looks"),
            patience: ONE_TRY,
        },
        Step {
            name: "copy",
            act: |here| boxed(copy(here)),
            undo: Undo::By {
                act: |here| boxed(undo_copy(here)),
                says: "resume the application, delete its copies",
            },
            patience: Patience::new(3, 120),
        },
        access::step(),
        device::step(),
        mount::step(),
        verify::step(),
    ];

    type Message = v1::BackupAttachParams;

    fn to_message(&self) -> v1::BackupAttachParams {
        let v1::AlsoCopied { source_mount_point, target_mount_point, copy_name, resolved } =
            self.main.to_message();
        v1::BackupAttachParams {
            source_host: self.source.to_string(),
            source_mount_point,
            target_host: self.main.to.host.to_string(),
            target_mount_point,
            quiesce: self.quiesce.method().into(),
            hook: self.quiesce.hook_name(),
            read_write: self.main.to.read_write,
            copy_name,
            dead_man_ms: u32::try_from(self.dead_man.as_millis()).unwrap_or(u32::MAX),
            resolved,
            verify: self.verify,
            expires_at_unix_ms: self.expires_at_unix_ms,
            also: self.also.iter().map(Copying::to_message).collect(),
        }
    }

    fn from_message(message: &v1::BackupAttachParams) -> Result<Self, ParamsError> {
        let target: HostId = message.target_host.parse()?;
        let copying = |one: &v1::AlsoCopied| Copying::from_message(&target, message.read_write, one);
        let quiesce = QuiesceBy::from_wire(message.quiesce(), &message.hook)?;
        Ok(Self {
            source: message.source_host.parse()?,
            main: copying(&v1::AlsoCopied {
                source_mount_point: message.source_mount_point.clone(),
                target_mount_point: message.target_mount_point.clone(),
                copy_name: message.copy_name.clone(),
                resolved: message.resolved.clone(),
            })?,
            also: message.also.iter().map(copying).collect::<Result<_, _>>()?,
            quiesce: quiesce.ok_or(ParamsError::Missing { field: "quiesce" })?,
            dead_man: Duration::from_millis(message.dead_man_ms.into()),
            verify: message.verify,
            expires_at_unix_ms: message.expires_at_unix_ms,
        })
    }

    fn title(&self) -> String {
        let each = self
            .copies()
            .map(|one| format!("{} → {}:{}", self.source_of(one), one.to.host, one.to.mount_point));
        each.collect::<Vec<_>>().join(", ")
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.main.to.array.clone())
    }

    fn arrays(&self) -> Vec<ArrayId> {
        let arrays: BTreeSet<&ArrayId> = self.copies().map(|one| &one.to.array).collect();
        arrays.into_iter().cloned().collect()
    }

    fn makes(&self) -> Vec<(&ArrayId, &str)> {
        self.copies().map(|one| (&one.to.array, one.name.as_str())).collect()
    }

    fn places(&self) -> Vec<Place> {
        self.copies().map(|one| one.to.place()).collect()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        self.copies().filter_map(|one| one.resolved.volume_id.parse().ok()).collect()
    }

    fn attaches(&self, outputs: &Outputs) -> Vec<v1::Attachment> {
        let Ok(access) = outputs.access() else { return Vec::new() };
        let accesses = [access].into_iter().chain(&access.also);
        let made = made_volumes(outputs).into_iter().zip(accesses);
        let attached = self.copies().zip(made).filter_map(|(copying, (volume, access))| {
            Some(v1::Attachment {
                source_host: self.source.to_string(),
                source_mount_point: copying.source_mount.to_string(),
                expires_at_unix_ms: self.expires_at_unix_ms,
                layers: copying.resolved.layers.clone(),
                ..copying.to.attachment(Ok(volume), Ok(access), &copying.name)?
            })
        });
        attached.collect()
    }
}

impl Placing for BackupAttach {
    fn placement(&self) -> &Placement {
        &self.main.to
    }

    fn file_system(&self, outputs: &Outputs) -> String {
        file_systems(outputs).next().unwrap_or_default()
    }

    fn puts(&self, outputs: &Outputs) -> Result<Vec<Put<'_>>, StepError> {
        let made: Vec<MadeVolume> = made_volumes(outputs);
        if made.len() != self.copies().count() {
            return Err(StepError::Missing { step: "copy" });
        }
        let puts = self.copies().zip(made).zip(file_systems(outputs).chain(std::iter::repeat(String::new())));
        Ok(puts
            .map(|((one, volume), file_system)| Put {
                to: &one.to,
                volume,
                file_system,
                layers: one.layers.clone(),
            })
            .collect())
    }
}

/// What the sources carry, the first first.
fn file_systems(outputs: &Outputs) -> impl Iterator<Item = String> {
    let resolved = outputs.resolved().ok();
    let all = resolved.into_iter().flat_map(|resolved| [resolved].into_iter().chain(&resolved.also));
    all.map(|one| one.file_system.as_ref().map(|found| found.r#type.clone()).unwrap_or_default())
}

impl verify::Verifying for BackupAttach {
    fn is_verified(&self) -> bool {
        self.verify
    }
}

type At<'a> = Here<'a, BackupAttach>;

/// Looks again, now: the world may have moved since the plan.
async fn resolve(here: At<'_>) -> Result<Option<Output>, StepError> {
    let params = here.params;
    let main = resolve_one(&here, &params.main, &params.quiesce).await?;
    let mut also = Vec::new();
    for copying in &params.also {
        // The application was asked already; of this one it only matters whether it can be frozen.
        also.push(resolve_one(&here, copying, &QuiesceBy::Fsfreeze).await?);
    }
    Ok(Some(Output::Resolved(v1::SourceResolved { also, ..main })))
}

async fn resolve_one(
    here: &At<'_>,
    copying: &Copying,
    quiesce: &QuiesceBy,
) -> Result<v1::SourceResolved, StepError> {
    let source = check_source(here, copying, quiesce).await?;
    let wanted = &copying.resolved.volume_id;
    if !source.volume_ids.contains(wanted) {
        return Err(StepError::Refused(format!(
            "{} is volume {}, planned was {wanted}",
            here.params.source_of(copying),
            source.volume_ids.join(" "),
        )));
    }
    let target = Action::CheckTarget(copying.to.check(String::new()));
    here.command(&copying.to.host, target, LOOK).await?;

    let array = here.array(&copying.to.array)?;
    array.volume_must_be(&copying.resolved.volume, &copying.source()?).await?;
    if here.attempt == 1 && array.find_volume_named(&copying.name).await?.is_some() {
        return Err(StepError::Refused(format!(
            "array {} already has a volume named {:?}; choose another with --name",
            array.name(),
            copying.name
        )));
    }
    let (file_system, application) = (source.file_system, source.application);
    Ok(v1::SourceResolved { file_system, application, ..copying.resolved.clone() })
}

async fn check_source(
    here: &At<'_>,
    copying: &Copying,
    quiesce: &QuiesceBy,
) -> Result<v1::SourceChecked, StepError> {
    let host = &here.params.source;
    let done = here.command(host, Action::CheckSource(copying.check_source(quiesce)), LOOK).await?;
    match done.detail {
        Some(Detail::Source(source)) => Ok(source),
        _ => Err(StepError::NotVerified(format!("host {host} did not say what is mounted"))),
    }
}
