//! Holding the application still and letting it go on: one command each to the source's agent.

use std::time::Duration;

use sanfleet_protocol::{
    QuiesceBy,
    v1::{self, ResumedBy, command::Action, command_done::Detail},
};

use super::{At, LOOK};
use crate::runs::error::StepError;

/// How long a quiesce command may take before anyone is blocked: connecting, flushing what is dirty.
const PREPARE: Duration = Duration::from_secs(30);
/// What the two programs of a hook may take besides, as long as agents let them.
const HOOK: Duration = Duration::from_secs(60);

fn for_the_hook(here: &At<'_>) -> Duration {
    here.params.quiesce.hook().map_or(Duration::ZERO, |_| HOOK)
}

/// Returns how long the quiesce itself took, in microseconds.
pub async fn quiesce(here: &At<'_>) -> Result<u64, StepError> {
    let params = here.params;
    if params.quiesce == QuiesceBy::None {
        return Ok(0);
    }
    let also = params.also.iter().map(|one| v1::HeldVolume {
        mount_point: one.source_mount.to_string(),
        volume_id: one.resolved.volume_id.clone(),
    });
    let action = Action::Quiesce(v1::Quiesce {
        mount_point: params.main.source_mount.to_string(),
        volume_id: params.main.resolved.volume_id.clone(),
        method: params.quiesce.method().into(),
        hook: params.quiesce.hook_name(),
        dead_man_ms: u32::try_from(params.dead_man.as_millis()).unwrap_or(u32::MAX),
        also: also.collect(),
    });
    match here.command(&params.source, action, PREPARE + for_the_hook(here)).await?.detail {
        Some(Detail::Quiesced(quiesced)) => Ok(quiesced.quiesce_us),
        _ => Err(StepError::NotVerified(format!("host {} did not say that it is quiesced", params.source))),
    }
}

/// Returns how long writes were blocked, in microseconds; an error when the quiesce did not hold until now.
pub async fn resume(here: &At<'_>) -> Result<u64, StepError> {
    let params = here.params;
    if params.quiesce == QuiesceBy::None {
        return Ok(0);
    }
    // After twice the limit the agent has resumed by itself, whatever became of it.
    let deadline = params.dead_man.saturating_mul(2).max(LOOK) + for_the_hook(here);
    let done = here.command(&params.source, Action::Resume(v1::Resume {}), deadline).await?;
    let Some(Detail::Resumed(resumed)) = done.detail else {
        return Err(StepError::NotVerified(format!("host {} did not say that it resumed", params.source)));
    };
    match resumed.by() {
        ResumedBy::Command if resumed.trouble.is_empty() => Ok(resumed.blocked_us),
        ResumedBy::Command => Err(StepError::NotVerified(format!(
            "the application on host {} may not go on as before: {}",
            params.source, resumed.trouble
        ))),
        ResumedBy::DeadMan => Err(StepError::Void(format!(
            "host {} resumed by itself after {} ms",
            params.source,
            resumed.blocked_us / 1000
        ))),
        ResumedBy::Loss | ResumedBy::Nobody | ResumedBy::Unspecified => Err(StepError::Void(format!(
            "the process that held {} still on host {} was lost",
            params.main.source_mount, params.source
        ))),
    }
}

/// Lets go of whatever an earlier try may have held.
pub async fn let_go(here: &At<'_>) {
    if here.params.quiesce == QuiesceBy::None {
        return;
    }
    let deadline = LOOK + for_the_hook(here);
    let resumed = here.command(&here.params.source, Action::Resume(v1::Resume {}), deadline).await;
    // An agent that is gone holds nothing: its guard lets go by itself, and no copy depends on it any more.
    if let Err(error) = resumed {
        tracing::warn!(run = %here.run, %error, "could not ask the source to resume; its own limit does it");
    }
}
