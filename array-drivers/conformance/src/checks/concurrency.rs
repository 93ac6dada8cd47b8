//! Several sessions at once, as a controller, a script and an administrator have them.

use std::collections::BTreeSet;

use sanfleet_driver::{
    AccessGroup, Capability, ElementType, ErrorNumber, JobOr, Pool, Provisioning, Volume,
    client::{ClientError, Session},
};
use tokio::task::JoinSet;

use crate::{
    array::Array,
    check::checks,
    expect::{Verdict, equal, failed, that},
    stage::Stage,
};

/// Volumes that each session makes.
const EACH: usize = 5;

checks!("concurrency", changes [
    sessions_side_by_side_make_volumes_that_all_are_there,
    of_those_who_make_one_name_one_wins,
    of_those_who_mask_one_volume_one_wins,
    of_those_who_delete_one_volume_one_wins,
    lists_are_whole_while_others_make_and_delete,
]);

async fn sessions_side_by_side_make_volumes_that_all_are_there(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let pool = pool(&mut array).await?;
    let size = stage.options.size;
    let mut working = JoinSet::new();
    let mut names = BTreeSet::new();
    for _ in 0..stage.options.sessions {
        let own: Vec<String> = (0..EACH).map(|_| stage.name()).collect();
        names.extend(own.iter().cloned());
        let (mut session, pool) = (stage.session().await?, pool.clone());
        working.spawn(async move {
            let mut made = Vec::new();
            for name in own {
                made.push(session.volume_create(&pool, &name, size, Provisioning::DEFAULT).await?);
            }
            Ok::<_, ClientError>(made)
        });
    }
    let mut made = Vec::new();
    for outcomes in ended(working).await? {
        for outcome in outcomes? {
            made.push(array.finish(outcome).await?);
        }
    }
    for volume in &made {
        array.until_listed(volume).await?;
    }
    equal("the names", made.iter().map(|volume| volume.name.clone()).collect::<BTreeSet<_>>(), names)?;
    let ids: BTreeSet<_> = made.iter().map(|volume| (&volume.id, &volume.vpd83)).collect();
    equal("the different ids", ids.len(), made.len())
}

async fn of_those_who_make_one_name_one_wins(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (pool, name, size) = (pool(&mut array).await?, stage.name(), stage.options.size);
    let outcomes = race(stage, async move |session: &mut Session| {
        session.volume_create(&pool, &name, size, Provisioning::DEFAULT).await
    });
    let outcomes: Vec<Result<JobOr<Volume>, ClientError>> = outcomes.await?;
    let winners = one_wins("making one name", outcomes, &[ErrorNumber::NameConflict])?;
    array.finish(winners).await.map(|_| ())
}

async fn of_those_who_mask_one_volume_one_wins(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_MASK, Capability::VOLUME_UNMASK])?;
    let (group, volume): (AccessGroup, Volume) = (array.group().await?, array.volume().await?);
    let (g, v) = (group.clone(), volume.clone());
    let outcomes = race(stage, async move |session: &mut Session| session.volume_mask(&g, &v).await).await?;
    one_wins("masking one volume", outcomes, &[ErrorNumber::NoStateChange])?;
    super::mask::until_shown(&mut array, &group, &volume, true).await
}

async fn of_those_who_delete_one_volume_one_wins(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let volume = array.volume().await?;
    let doomed = volume.clone();
    let outcomes =
        race(stage, async move |session: &mut Session| session.volume_delete(&doomed).await).await?;
    let job = one_wins("deleting one volume", outcomes, &[ErrorNumber::NotFoundVolume])?;
    array.done(job).await?;
    array.until_gone(&volume).await
}

async fn lists_are_whole_while_others_make_and_delete(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kept = array.volume().await?;
    array.until_listed(&kept).await?;
    let pool = pool(&mut array).await?;
    let (name, size) = (stage.name(), stage.options.size);
    let mut other = stage.array().await?;
    let busy = async {
        for _ in 0..2 * EACH {
            let made = other.session.volume_create(&pool, &name, size, Provisioning::DEFAULT).await?;
            let made = other.finish(made).await?;
            other.delete(&made).await?;
            other.until_gone(&made).await?;
        }
        Ok(())
    };
    let watching = async {
        for _ in 0..4 * EACH {
            let seen = array.session.volumes(None).await?;
            let ids: BTreeSet<_> = seen.iter().map(|volume| &volume.id).collect();
            equal("the different ids of a list", ids.len(), seen.len())?;
            that(ids.contains(&kept.id), "a list", "with the volume that nobody touches", &seen)?;
        }
        Ok(())
    };
    let (busy, watching): (Verdict, Verdict) = tokio::join!(busy, watching);
    busy.and(watching)
}

async fn pool(array: &mut Array<'_>) -> Verdict<Pool> {
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    array.pool(ElementType::VOLUME).await
}

/// The same call in several sessions at once.
async fn race<T>(
    stage: &Stage,
    call: impl AsyncFn(&mut Session) -> Result<T, ClientError>,
) -> Verdict<Vec<Result<T, ClientError>>> {
    let mut sessions = Vec::new();
    for _ in 0..stage.options.sessions {
        sessions.push(stage.session().await?);
    }
    let mut calls: Vec<_> = sessions.iter_mut().map(|session| Box::pin(call(session))).collect();
    let mut outcomes: Vec<Option<Result<T, ClientError>>> = calls.iter().map(|_| None).collect();
    // Polled together in one task: each waits for its own driver.
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (call, outcome) in calls.iter_mut().zip(&mut outcomes) {
            if outcome.is_none() {
                match call.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => *outcome = Some(done),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    Ok(outcomes.into_iter().flatten().collect())
}

/// The winner's result; all others must have been refused with one of these numbers.
fn one_wins<T>(what: &str, outcomes: Vec<Result<T, ClientError>>, numbers: &[ErrorNumber]) -> Verdict<T> {
    let (mut winners, mut others) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(won) => winners.push(won),
            Err(ClientError::Array(error)) if numbers.contains(&error.number) => {}
            Err(error) => others.push(error.to_string()),
        }
    }
    let count = winners.len();
    match (winners.pop(), others.is_empty()) {
        (Some(winner), true) if count == 1 => Ok(winner),
        _ => failed(what, "one result, and refusals", format!("{count} results, and {others:?}")),
    }
}

async fn ended<T: 'static>(mut working: JoinSet<T>) -> Verdict<Vec<T>> {
    let mut ended = Vec::new();
    while let Some(outcome) = working.join_next().await {
        match outcome {
            Ok(outcome) => ended.push(outcome),
            Err(error) => return failed("a session", "that it works to its end", error.to_string()),
        }
    }
    Ok(ended)
}
