//! Trouble on order: what a rule says happens, to the call that it says, and to no other.

use std::{fs, path::Path, time::Duration};

use sanfleet_driver::{
    ErrorNumber, JobOr, Provisioning, Volume,
    client::{ClientError, Options, Session},
};
use sanfleet_driver_sim::advance_clock;

use crate::bench::{Bench, LONG, pool, refusal, volume};

async fn with(bench: &Bench, more: &str) -> Session {
    bench.open_with(more, Vec::new()).await.unwrap()
}

async fn create(session: &mut Session, name: &str) -> Result<JobOr<Volume>, ClientError> {
    let pool = pool(session).await;
    session.volume_create(&pool, name, 1 << 20, Provisioning::DEFAULT).await
}

async fn names(session: &mut Session) -> Vec<String> {
    session.volumes(None).await.unwrap().into_iter().map(|volume| volume.name).collect()
}

#[tokio::test]
async fn the_nth_call_is_refused_whichever_process_makes_it() {
    let bench = Bench::new();
    let rule = "&faults=volume_create:error=350:nth=2";
    let (mut one, mut other) = (with(&bench, rule).await, with(&bench, rule).await);
    create(&mut one, "a").await.unwrap();
    assert_eq!(refusal(create(&mut other, "b").await), ErrorNumber::NotEnoughSpace);
    create(&mut one, "c").await.unwrap();
    assert_eq!(names(&mut other).await, ["a", "c"]);
}

#[tokio::test]
async fn a_reply_is_lost_after_the_effect() {
    let bench = Bench::new();
    let mut session = with(&bench, "&faults=volume_create:reply-lost").await;
    assert!(matches!(create(&mut session, "a").await, Err(ClientError::Lost { .. })));
    assert_eq!(names(&mut bench.open().await).await, ["a"]);
}

#[tokio::test]
async fn a_job_that_fails_says_why_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let mut session = with(&bench, "&job_ms=1&faults=volume_create:job-fails=350").await;
    let before = pool(&mut session).await.free_space;
    let work = create(&mut session, "a").await.unwrap();
    match session.finish(work, LONG).await {
        Err(ClientError::JobFailed { reason: Some(reason), .. }) => {
            assert_eq!(reason.number, ErrorNumber::NotEnoughSpace);
        }
        other => panic!("{other:?}"),
    }
    assert!(names(&mut session).await.is_empty());
    assert_eq!(pool(&mut session).await.free_space, before);
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}

#[tokio::test]
async fn a_job_may_be_forgotten_with_its_work_done_or_not() {
    for (fault, left) in [("job-lost", vec!["a".to_owned()]), ("job-lost=undone", Vec::new())] {
        let bench = Bench::new();
        let more = format!("&clock=virtual&job_ms=1000&faults=volume_create:{fault}");
        let mut session = with(&bench, &more).await;
        let work = create(&mut session, "a").await.unwrap();
        assert!(matches!(session.finish(work, LONG).await, Err(ClientError::JobForgotten { .. })), "{fault}");
        advance_clock(&bench.path("state.db"), Duration::from_secs(2)).unwrap();
        assert_eq!(names(&mut session).await, left, "{fault}");
    }
}

#[tokio::test]
async fn a_stale_list_shows_what_was_and_the_virtual_clock_lets_it_catch_up() {
    let bench = Bench::new();
    let mut session = with(&bench, "&clock=virtual&faults=volumes:stale=5000").await;
    create(&mut session, "a").await.unwrap();
    assert!(names(&mut session).await.is_empty());
    assert_eq!(names(&mut bench.open().await).await, ["a"], "the list of a session without that fault");
    advance_clock(&bench.path("state.db"), Duration::from_secs(6)).unwrap();
    assert_eq!(names(&mut session).await, ["a"]);
}

#[tokio::test]
async fn a_restart_forgets_running_jobs_and_their_work_goes_on() {
    let bench = Bench::new();
    let more = "&clock=virtual&job_ms=60000";
    let mut session = with(&bench, more).await;
    let JobOr::Job(job) = create(&mut session, "a").await.unwrap() else { panic!("no job") };
    let mut struck = with(&bench, &format!("{more}&faults=volumes:restart")).await;
    assert!(matches!(struck.volumes(None).await, Err(ClientError::Lost { .. })));
    assert_eq!(refusal(session.job_status(&job).await), ErrorNumber::NotFoundJob);
    advance_clock(&bench.path("state.db"), Duration::from_secs(61)).unwrap();
    assert_eq!(names(&mut session).await, ["a"]);
}

#[tokio::test]
async fn an_array_is_read_only_or_full_and_still_read() {
    for (fault, number) in
        [("*:read-only", ErrorNumber::PermissionDenied), ("*:full", ErrorNumber::NotEnoughSpace)]
    {
        let bench = Bench::new();
        let mut session = with(&bench, &format!("&faults={fault}")).await;
        assert_eq!(refusal(create(&mut session, "a").await), number, "{fault}");
        assert!(names(&mut session).await.is_empty());
    }
}

#[tokio::test]
async fn who_is_not_let_in_has_no_session() {
    let bench = Bench::new();
    let refused = bench.open_with("&faults=plugin_register:auth", Vec::new()).await;
    assert_eq!(refusal(refused.map(drop)), ErrorNumber::PluginAuthFailed);
}

#[tokio::test]
async fn what_hangs_crashes_floods_or_is_nonsense_costs_one_call() {
    for (fault, limit) in
        [("hang", Duration::from_millis(200)), ("crash", LONG), ("flood", LONG), ("nonsense", LONG)]
    {
        let bench = Bench::new();
        let mut session = with(&bench, &format!("&faults=volumes:{fault}")).await;
        let error = session.within(limit).volumes(None).await.unwrap_err();
        assert!(error.is_drivers_fault(), "{fault}: {error:?}");
        assert!(session.is_dead(), "{fault}");
        volume(&mut bench.open().await, "after", 512).await;
    }
}

#[tokio::test]
async fn a_call_takes_as_long_as_it_is_told_to() {
    let bench = Bench::new();
    let mut session = with(&bench, "&faults=systems:latency=60000").await;
    assert!(names(&mut session).await.is_empty());
    let slow = session.within(Duration::from_millis(50)).systems().await;
    assert!(matches!(slow, Err(ClientError::Timeout { .. })), "{slow:?}");
}

#[tokio::test]
async fn the_file_of_rules_counts_from_the_next_call_on() {
    let bench = Bench::new();
    let (rules, mut session) = (bench.path("state.db.faults"), bench.open().await);
    create(&mut session, "a").await.unwrap();
    fs::write(&rules, "# from now on\nvolume_create:error=350\n").unwrap();
    assert_eq!(refusal(create(&mut session, "b").await), ErrorNumber::NotEnoughSpace);
    fs::remove_file(&rules).unwrap();
    create(&mut session, "c").await.unwrap();
    assert_eq!(names(&mut session).await, ["a", "c"]);
}

#[tokio::test]
async fn a_wrong_rule_is_refused_by_its_name() {
    let bench = Bench::new();
    for (rules, part) in
        [("nosuch:hang", "nosuch"), ("volumes:explode", "explode"), ("volumes:nth=0:hang", "nth=0")]
    {
        match bench.open_with(&format!("&faults={rules}"), Vec::new()).await {
            Err(ClientError::Array(error)) => {
                assert_eq!(error.number, ErrorNumber::InvalidArgument);
                assert!(error.message.contains(part), "{}", error.message);
            }
            other => panic!("{rules}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_private_array_goes_with_its_session() {
    let program = Path::new(env!("CARGO_BIN_EXE_sim_lsmplugin"));
    let folder = tempfile::tempdir().unwrap();
    let environment = vec![("TMPDIR".into(), folder.path().into())];
    let options = Options { environment, ..Options::default() };
    let mut session =
        Session::connect_executable(program, "sim://?private", None, options.clone()).await.unwrap();
    volume(&mut session, "mine", 512).await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    session.close().await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
    let mut session = Session::connect_executable(program, "sim://?private", None, options).await.unwrap();
    assert!(names(&mut session).await.is_empty());
}

#[tokio::test]
async fn what_a_private_array_leaves_that_was_killed_goes_with_the_next_one() {
    let program = Path::new(env!("CARGO_BIN_EXE_sim_lsmplugin"));
    let folder = tempfile::tempdir().unwrap();
    let left = || fs::read_dir(folder.path()).unwrap().count();
    let environment = vec![("TMPDIR".into(), folder.path().into())];
    let options = Options { environment, ..Options::default() };
    let open = async |uri| Session::connect_executable(program, uri, None, options.clone()).await.unwrap();
    let mut living = open("simc://").await;
    volume(&mut living, "mine", 512).await;
    let mut dying = open("simc://?faults=pools:crash").await;
    assert!(dying.pools(None).await.is_err());
    assert_eq!(left(), 2, "the dead one and the living one");

    let next = open("simc://").await;
    assert_eq!(left(), 2, "the living one and the next one");
    assert_eq!(names(&mut living).await, ["mine"]);
    living.close().await.unwrap();
    next.close().await.unwrap();
    assert_eq!(left(), 0);
}
