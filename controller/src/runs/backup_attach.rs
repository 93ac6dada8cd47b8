//! *Backup attach*: a consistent copy of a live volume, mounted on another host.
//!
//! resolve → copy (quiesce, replicate, resume) → mask → attach → mount → verify. Everything that can be done before the quiesce is
//! done before it; between quiesce and resume there is one array call and no journal write.

use std::time::Duration;

use sanfleet_protocol::{
    ArrayId, HostId, MountPoint, VolumeId,
    v1::{self, QuiesceMethod, ResumedBy, command::Action, command_done::Detail, step_output::Output},
};
use tokio::time::Instant;

use super::{
    error::StepError,
    outputs::Outputs,
    params::ParamsError,
    parts::{Placement, Placing, access, device, mount, verify},
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
};
use crate::{arrays::ArrayHandle, failpoint::hold_at};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupAttach {
    pub source: HostId,
    pub source_mount: MountPoint,
    pub to: Placement,
    pub quiesce: QuiesceMethod,
    /// The copy's name on the array, minted before the run begins.
    pub copy_name: String,
    pub dead_man: Duration,
    /// Read the copy, once it is mounted.
    pub verify: bool,
    /// When it is taken down by itself, in milliseconds since 1970; 0 for never.
    pub expires_at_unix_ms: i64,
    /// What planning found: the array, the volume and the target's way to it.
    pub resolved: v1::SourceResolved,
}

const ONE_TRY: Patience = Patience::new(1, 30);
/// A look that should be quick: a host that takes longer is not fit to be touched.
const LOOK: Duration = Duration::from_secs(10);
/// How long a quiesce command may take before anyone is blocked: connecting, flushing what is dirty.
const PREPARE: Duration = Duration::from_secs(30);

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
                says: "resume the application, delete the copy",
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
        v1::BackupAttachParams {
            source_host: self.source.to_string(),
            source_mount_point: self.source_mount.to_string(),
            target_host: self.to.host.to_string(),
            target_mount_point: self.to.mount_point.to_string(),
            quiesce: self.quiesce.into(),
            read_write: self.to.read_write,
            copy_name: self.copy_name.clone(),
            dead_man_ms: u32::try_from(self.dead_man.as_millis()).unwrap_or(u32::MAX),
            resolved: Some(self.resolved.clone()),
            verify: self.verify,
            expires_at_unix_ms: self.expires_at_unix_ms,
        }
    }

    fn from_message(message: &v1::BackupAttachParams) -> Result<Self, ParamsError> {
        let resolved = message.resolved.clone().ok_or(ParamsError::Missing { field: "resolved" })?;
        Ok(Self {
            source: message.source_host.parse()?,
            source_mount: message.source_mount_point.parse()?,
            to: Placement {
                host: message.target_host.parse()?,
                mount_point: message.target_mount_point.parse()?,
                read_write: message.read_write,
                array: resolved.array.parse()?,
                initiator: resolved.initiator.parse()?,
                fabric: resolved.fabric.clone(),
            },
            quiesce: message.quiesce(),
            copy_name: message.copy_name.clone(),
            dead_man: Duration::from_millis(message.dead_man_ms.into()),
            verify: message.verify,
            expires_at_unix_ms: message.expires_at_unix_ms,
            resolved,
        })
    }

    fn title(&self) -> String {
        format!("{}:{} → {}:{}", self.source, self.source_mount, self.to.host, self.to.mount_point)
    }

    fn array(&self) -> Option<ArrayId> {
        Some(self.to.array.clone())
    }

    fn makes(&self) -> Option<&str> {
        Some(&self.copy_name)
    }

    fn places(&self) -> Vec<Place> {
        vec![self.to.place()]
    }

    fn volumes(&self) -> Vec<VolumeId> {
        self.resolved.volume_id.parse().into_iter().collect()
    }

    fn attaches(&self, outputs: &Outputs) -> Option<v1::Attachment> {
        Some(v1::Attachment {
            source_host: self.source.to_string(),
            source_mount_point: self.source_mount.to_string(),
            expires_at_unix_ms: self.expires_at_unix_ms,
            ..self.to.attachment(self.volume(outputs).ok()?, outputs, &self.copy_name)?
        })
    }
}

impl Placing for BackupAttach {
    fn placement(&self) -> &Placement {
        &self.to
    }

    fn file_system(&self, outputs: &Outputs) -> String {
        let found = outputs.resolved().ok().and_then(|resolved| resolved.file_system.as_ref());
        found.map(|fs| fs.r#type.clone()).unwrap_or_default()
    }
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
    let source = check_source(&here).await?;
    let wanted = &params.resolved.volume_id;
    if !source.volume_ids.contains(wanted) {
        return Err(StepError::Refused(format!(
            "{}:{} is volume {}, planned was {wanted}",
            params.source,
            params.source_mount,
            source.volume_ids.join(" "),
        )));
    }
    let target = v1::CheckTarget { mount_point: params.to.mount_point.to_string() };
    here.command(&params.to.host, Action::CheckTarget(target), LOOK).await?;

    let array = here.array(&params.to.array)?;
    array.volume_must_be(&params.resolved.volume, &volume_id(wanted)?).await?;
    if here.attempt == 1 && array.find_volume_named(&params.copy_name).await?.is_some() {
        return Err(StepError::Refused(format!(
            "array {} already has a volume named {:?}; choose another with --name",
            array.name(),
            params.copy_name
        )));
    }
    let resolved = v1::SourceResolved {
        file_system: source.file_system,
        application: source.application,
        ..params.resolved.clone()
    };
    Ok(Some(Output::Resolved(resolved)))
}

async fn check_source(here: &At<'_>) -> Result<v1::SourceChecked, StepError> {
    let check = v1::CheckSource {
        mount_point: here.params.source_mount.to_string(),
        quiesce: here.params.quiesce.into(),
    };
    let done = here.command(&here.params.source, Action::CheckSource(check), LOOK).await?;
    match done.detail {
        Some(Detail::Source(source)) => Ok(source),
        _ => Err(StepError::NotVerified(format!("host {} did not say what is mounted", here.params.source))),
    }
}

/// The one step with a clock against it. What the world looks like when it begins again after a crash: the application
/// may be quiesced, and a copy may exist that was or was not taken in time. Neither is trusted: resume, delete, start over.
async fn copy(here: At<'_>) -> Result<Option<Output>, StepError> {
    let params = here.params;
    let resolved = here.outputs.resolved()?;
    let array = here.array(&params.to.array)?;
    if here.attempt > 1 {
        undo_copy_on(&here, &array).await?;
    }
    // Before the window: the driver's session is open and kept for us, has answered just now, and knows what to copy.
    let array = array.ready().await?;
    let source = array.volume_must_be(&resolved.volume, &volume_id(&resolved.volume_id)?).await?;

    hold_at("controller.copy.before");
    let quiesced = quiesce(&here).await;
    let begun = Instant::now();
    let replicated = match &quiesced {
        Ok(_) => {
            let in_time = params.dead_man.saturating_sub(Duration::from_millis(100));
            Some(array.replicate(&source, &params.copy_name, in_time).await)
        }
        Err(_) => None,
    };
    let replicate_us = micros(begun);
    hold_at("controller.copy.replicated");
    // Whatever happened: the application goes on.
    let begun = Instant::now();
    let resumed = resume(&here).await;
    let resume_us = micros(begun);

    let quiesce_us = quiesced?;
    let blocked_us = resumed?;
    let volume = match replicated {
        Some(replicated) => replicated?,
        None => return Err(StepError::NotVerified("nothing was replicated".to_owned())),
    };
    let Some(id) = volume.volume_id() else {
        return Err(StepError::Refused(format!(
            "array {} gives the copy no id that a host could see",
            array.name()
        )));
    };
    Ok(Some(Output::Copied(v1::VolumeCopied {
        volume: volume.id.to_string(),
        volume_id: id.to_string(),
        quiesce_us,
        replicate_us,
        resume_us,
        blocked_us,
    })))
}

/// Returns how long the quiesce itself took, in microseconds.
async fn quiesce(here: &At<'_>) -> Result<u64, StepError> {
    let params = here.params;
    if params.quiesce == QuiesceMethod::None {
        return Ok(0);
    }
    let dead_man_ms = u32::try_from(params.dead_man.as_millis()).unwrap_or(u32::MAX);
    let action = Action::Quiesce(v1::Quiesce {
        mount_point: params.source_mount.to_string(),
        volume_id: params.resolved.volume_id.clone(),
        method: params.quiesce.into(),
        dead_man_ms,
    });
    match here.command(&params.source, action, PREPARE).await?.detail {
        Some(Detail::Quiesced(quiesced)) => Ok(quiesced.quiesce_us),
        _ => Err(StepError::NotVerified(format!("host {} did not say that it is quiesced", params.source))),
    }
}

/// Returns how long writes were blocked, in microseconds; an error when the quiesce did not hold until now.
async fn resume(here: &At<'_>) -> Result<u64, StepError> {
    let params = here.params;
    if params.quiesce == QuiesceMethod::None {
        return Ok(0);
    }
    // After twice the limit the agent has resumed by itself, whatever became of it.
    let deadline = params.dead_man.saturating_mul(2).max(LOOK);
    let done = here.command(&params.source, Action::Resume(v1::Resume {}), deadline).await?;
    let Some(Detail::Resumed(resumed)) = done.detail else {
        return Err(StepError::NotVerified(format!("host {} did not say that it resumed", params.source)));
    };
    match resumed.by() {
        ResumedBy::Command => Ok(resumed.blocked_us),
        ResumedBy::DeadMan => Err(StepError::Void(format!(
            "host {} resumed by itself after {} ms",
            params.source,
            resumed.blocked_us / 1000
        ))),
        ResumedBy::Loss | ResumedBy::Nobody | ResumedBy::Unspecified => Err(StepError::Void(format!(
            "the process that held {} still on host {} was lost",
            params.source_mount, params.source
        ))),
    }
}

async fn undo_copy(here: At<'_>) -> Result<(), StepError> {
    let array = here.array(&here.params.to.array)?;
    undo_copy_on(&here, &array).await
}

async fn undo_copy_on(here: &At<'_>, array: &ArrayHandle) -> Result<(), StepError> {
    if here.params.quiesce != QuiesceMethod::None {
        let resumed = here.command(&here.params.source, Action::Resume(v1::Resume {}), LOOK).await;
        // An agent that is gone holds nothing: its guard lets go by itself, and no copy depends on it any more.
        if let Err(error) = resumed {
            tracing::warn!(run = %here.run, %error, "could not ask the source to resume; its own limit does it");
        }
    }
    Ok(array.delete_volume_named(&here.params.copy_name).await?)
}

fn volume_id(text: &str) -> Result<VolumeId, StepError> {
    text.parse().map_err(|error| StepError::id("volume id", error))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
