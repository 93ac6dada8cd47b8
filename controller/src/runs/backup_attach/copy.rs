//! *copy*: all copies are taken while the application is held still once, or none counts.
//!
//! The one step with a clock against it. What the world looks like when it begins again after a crash: the application may be
//! quiesced, and copies may exist that were or were not taken in time. Nothing of it is trusted: resume, delete, start over.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use sanfleet_driver::Volume;
use sanfleet_protocol::{
    ArrayId,
    v1::{self, step_output::Output},
};
use tokio::time::Instant;

use super::{
    At, BackupAttach, Copying,
    hold::{let_go, quiesce, resume},
};
use crate::{
    arrays::{ArrayError, ArrayHandle},
    failpoint::hold_at,
    runs::error::StepError,
};

/// So long before the limit no copy is waited for any more.
const MARGIN: Duration = Duration::from_millis(100);

/// What one array has to copy. Its session is open and kept for us, has answered just now, and knows what to copy.
struct Batch<'a> {
    array: ArrayHandle,
    sources: Vec<(&'a Copying, Volume)>,
}

/// What came of each volume that was copied, by the name of its copy.
type Copied<'a> = BTreeMap<&'a str, Volume>;

pub async fn copy(here: At<'_>) -> Result<Option<Output>, StepError> {
    if here.attempt > 1 {
        undo(&here).await?;
    }
    // Before the window.
    let batches = prepare(&here).await?;

    hold_at("controller.copy.before");
    let quiesced = quiesce(&here).await;
    let begun = Instant::now();
    let replicated = match &quiesced {
        Ok(_) => Some(replicate_all(&batches, begun + here.params.dead_man.saturating_sub(MARGIN)).await),
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
    let copied = match replicated {
        Some(replicated) => replicated?,
        None => return Err(StepError::NotVerified("nothing was replicated".to_owned())),
    };
    let copied = told(here.params, copied)?;
    Ok(Some(Output::Copied(v1::VolumeCopied { quiesce_us, replicate_us, resume_us, blocked_us, ..copied })))
}

async fn prepare<'a>(here: &At<'a>) -> Result<Vec<Batch<'a>>, StepError> {
    let mut by_array = BTreeMap::<&ArrayId, Vec<&Copying>>::new();
    for copying in here.params.copies() {
        by_array.entry(&copying.to.array).or_default().push(copying);
    }
    let mut batches = Vec::new();
    for (array, all) in by_array {
        let array = here.array(array)?.ready().await?;
        let mut sources = Vec::new();
        for copying in all {
            let volume = array.volume_must_be(&copying.resolved.volume, &copying.source()?).await?;
            sources.push((copying, volume));
        }
        batches.push(Batch { array, sources });
    }
    Ok(batches)
}

/// Arrays copy at the same time, each one volume after the other: whether one could do more at once none of them says. By the end of
/// the time all of it has to be done.
async fn replicate_all<'a>(batches: &[Batch<'a>], by: Instant) -> Result<Copied<'a>, ArrayError> {
    let done = join_all(batches.iter().map(|batch| replicate(batch, by))).await;
    let done: Vec<Copied<'a>> = done.into_iter().collect::<Result<_, _>>()?;
    Ok(done.into_iter().flatten().collect())
}

async fn replicate<'a>(batch: &Batch<'a>, by: Instant) -> Result<Copied<'a>, ArrayError> {
    let mut copied = Copied::new();
    for (copying, source) in &batch.sources {
        let left = by.saturating_duration_since(Instant::now());
        copied.insert(&copying.name, batch.array.replicate(source, &copying.name, left).await?);
    }
    Ok(copied)
}

/// For the steps after this one: the copies in the order of the parameters.
fn told(params: &BackupAttach, mut copied: Copied<'_>) -> Result<v1::VolumeCopied, StepError> {
    let mut all = Vec::new();
    for copying in params.copies() {
        let volume = copied.remove(copying.name.as_str()).ok_or(StepError::Missing { step: "copy" })?;
        let Some(id) = volume.volume_id() else {
            return Err(StepError::Refused(format!(
                "array {} gives the copy no id that a host could see",
                copying.to.array
            )));
        };
        all.push(v1::CopiedVolume { volume: volume.id.to_string(), volume_id: id.to_string() });
    }
    let mut all = all.into_iter();
    let v1::CopiedVolume { volume, volume_id } = all.next().unwrap_or_default();
    Ok(v1::VolumeCopied { volume, volume_id, also: all.collect(), ..Default::default() })
}

pub async fn undo_copy(here: At<'_>) -> Result<(), StepError> {
    undo(&here).await
}

async fn undo(here: &At<'_>) -> Result<(), StepError> {
    let_go(here).await;
    let mut done = Ok(());
    for copying in here.params.copies() {
        // All of them, though one cannot be deleted yet.
        done = done.and(delete(here, copying).await);
    }
    done
}

async fn delete(here: &At<'_>, copying: &Copying) -> Result<(), StepError> {
    Ok(here.array(&copying.to.array)?.delete_volume_named(&copying.name).await?)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
