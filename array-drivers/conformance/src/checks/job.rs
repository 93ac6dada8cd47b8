//! Work that goes on after its call.

use sanfleet_driver::{ElementType, ErrorNumber, JobId, JobItem, JobOr, JobState, Provisioning};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, failed, refused, skip, that},
    ghost,
    stage::Stage,
};

checks!("job", reads [
    a_job_that_is_not_there_has_no_state,
    a_job_that_is_not_there_cannot_be_freed,
], changes [
    a_job_goes_forward_until_it_is_complete_and_tells_what_it_made,
    a_job_is_known_to_other_sessions,
    a_freed_job_is_gone,
]);

async fn a_job_that_is_not_there_has_no_state(stage: &Stage) -> Verdict {
    let outcome = stage.session().await?.job_status(&JobId::new(ghost::ID)).await;
    refused("the state of no job", outcome, &[ErrorNumber::NotFoundJob, ErrorNumber::NoSupport])
}

async fn a_job_that_is_not_there_cannot_be_freed(stage: &Stage) -> Verdict {
    let outcome = stage.session().await?.job_free(&JobId::new(ghost::ID)).await;
    refused("freeing no job", outcome, &[ErrorNumber::NotFoundJob, ErrorNumber::NoSupport])
}

async fn a_job_goes_forward_until_it_is_complete_and_tells_what_it_made(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (name, job) = job(&mut array).await?;
    let (mut before, mut made) = (0, None);
    array
        .until("the job", "that it ends", async |array| {
            let status = array.session.job_status(&job).await?;
            that(status.percent >= before, "its percentage", &format!("at least {before}"), &status)?;
            before = status.percent;
            made = status.item.clone();
            Ok(Look::at(status.state != JobState::IN_PROGRESS, status))
        })
        .await?;
    let status = array.session.job_status(&job).await?;
    equal("its state at the end", status.state, JobState::COMPLETE)?;
    equal("its percentage at the end", status.percent, 100)?;
    let Some(JobItem::Volume(volume)) = made else {
        return failed("what it made", "a volume", format!("{made:?}"));
    };
    equal("the volume's name", &volume.name, &name)?;
    array.until_listed(&volume).await?;
    Ok(array.session.job_free(&job).await?)
}

async fn a_job_is_known_to_other_sessions(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (_, job) = job(&mut array).await?;
    drop(array);
    let mut later = stage.array().await?;
    later.done(Some(job)).await
}

async fn a_freed_job_is_gone(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (_, job) = job(&mut array).await?;
    array.done(Some(job.clone())).await?;
    refused("the state of a freed job", array.session.job_status(&job).await, &[ErrorNumber::NotFoundJob])?;
    refused("freeing it again", array.session.job_free(&job).await, &[ErrorNumber::NotFoundJob])
}

/// A volume in the making, where the array does that in a job.
async fn job(array: &mut Array<'_>) -> Verdict<(String, JobId)> {
    use sanfleet_driver::Capability;
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let (name, size) = (array.stage.name(), array.stage.options.size);
    match array.session.volume_create(&pool, &name, size, Provisioning::DEFAULT).await? {
        JobOr::Job(job) => Ok((name, job)),
        JobOr::Done(_) => skip("the array makes volumes at once"),
    }
}
