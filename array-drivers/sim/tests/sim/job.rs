use sanfleet_driver::{ErrorNumber, JobId, JobItem, JobOr, JobState, Provisioning, ReplicateType};

use crate::bench::{Bench, LONG, clone, delete, pool, refusal, volume};

const AN_HOUR: &str = "&job_ms=3600000";

#[tokio::test]
async fn nothing_is_listed_before_its_job_is_done() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let source = volume(&mut session, "source", 512).await;
    session.close().await.unwrap();

    let mut session = bench.open_with(AN_HOUR, Vec::new()).await.unwrap();
    let outcome = session.volume_replicate(None, ReplicateType::CLONE, &source, "clone").await.unwrap();
    let JobOr::Job(job) = outcome else { panic!("no job: {outcome:?}") };
    let status = session.job_status(&job).await.unwrap();
    assert_eq!((status.state, status.item), (JobState::IN_PROGRESS, None));
    assert!(status.percent < 100);
    assert_eq!(session.volumes(None).await.unwrap(), [source]);
    let pool = pool(&mut session).await;
    let outcome = session.volume_create(&pool, "clone", 512, Provisioning::DEFAULT).await;
    assert_eq!(refusal(outcome), ErrorNumber::NameConflict);
}

#[tokio::test]
async fn a_job_ends_with_its_volume_and_is_gone_when_freed() {
    let bench = Bench::new();
    let mut session = bench.open_with("&job_ms=30", Vec::new()).await.unwrap();
    let pool = pool(&mut session).await;
    let outcome = session.volume_create(&pool, "data", 512, Provisioning::DEFAULT).await.unwrap();
    let JobOr::Job(job) = outcome else { panic!("no job: {outcome:?}") };
    // Another process may ask too.
    let mut other = bench.open().await;
    let bound = tokio::time::Instant::now() + LONG;
    let item = loop {
        let status = other.job_status(&job).await.unwrap();
        if status.state == JobState::COMPLETE {
            break status.item;
        }
        assert!(tokio::time::Instant::now() < bound, "{status:?}");
    };
    let listed = other.volumes(None).await.unwrap();
    assert_eq!(item, Some(JobItem::Volume(listed[0].clone())));
    other.job_free(&job).await.unwrap();
    assert_eq!(refusal(session.job_status(&job).await), ErrorNumber::NotFoundJob);
    assert_eq!(refusal(session.job_free(&JobId::new("JOB_ID_junk")).await), ErrorNumber::NotFoundJob);
}

#[tokio::test]
async fn the_client_follows_the_jobs_of_every_change() {
    let bench = Bench::new();
    let mut session = bench.open_with("&job_ms=20", Vec::new()).await.unwrap();
    let source = volume(&mut session, "source", 512).await;
    let copy = clone(&mut session, &source, "clone").await;
    assert_eq!(session.volumes(None).await.unwrap(), [source.clone(), copy.clone()]);
    delete(&mut session, &copy).await;
    assert_eq!(session.volumes(None).await.unwrap(), [source]);
}
