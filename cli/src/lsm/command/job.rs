//! `job-status`.

use sanfleet_driver::{JobId, JobItem, JobState};

use crate::lsm::{args::JobStatus, console::Console, stop::Stop};

pub async fn status(console: &mut Console<'_>, args: JobStatus) -> Result<(), Stop> {
    let job = JobId::new(args.job);
    let status = console.session.job_status(&job).await?;
    match status.state {
        JobState::COMPLETE => {
            if let Some(item) = status.item {
                show(console, item)?;
            }
            console.session.job_free(&job).await?;
            Ok(())
        }
        JobState::ERROR => Err(console.job_failed("job-status", &job, status.state).await),
        _ => {
            console.out.say(&status.percent.to_string(), status.percent)?;
            Err(Stop::JobGoesOn)
        }
    }
}

fn show(console: &mut Console<'_>, item: JobItem) -> Result<(), Stop> {
    match item {
        JobItem::Volume(volume) => console.show_volumes(vec![volume]),
        JobItem::FileSystem(fs) => console.out.show(&[fs]),
        JobItem::Snapshot(snapshot) => console.out.show(&[snapshot]),
        JobItem::Pool(pool) => console.out.show(&[pool]),
        // A record of a class that has no columns is shown as it came.
        JobItem::Other(record) => console.out.say(&record.to_string(), [&record]),
    }
}
