use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    net::UnixListener,
    time::{sleep, timeout},
};

use super::*;
use crate::{
    client::tests::{Act, play},
    error::ErrorNumber,
};

const LONG: Duration = Duration::from_secs(20);

/// A driver behind a socket; what it does in each session, a function of the session's number says.
struct Peer {
    path: PathBuf,
    sessions: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl Peer {
    fn new(script: impl Fn(usize) -> Vec<Act> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scripted");
        let listener = UnixListener::bind(&path).unwrap();
        let sessions = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&sessions);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let acts = script(count.fetch_add(1, Ordering::SeqCst));
                let acts: Vec<Act> = std::iter::once(Act::Reply(json!([]))).chain(acts).collect();
                tokio::spawn(async move { play(&mut stream, acts).await });
            }
        });
        Self { path, sessions, _folder: folder }
    }

    /// One that always answers.
    fn good() -> Self {
        Self::new(|_| (0..1000).map(|_| Act::Reply(json!([]))).collect())
    }

    fn pool(&self, options: PoolOptions) -> Pool {
        Pool::new(Way::Socket(self.path.clone()), "scripted://", None, options)
    }

    fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }
}

async fn until(what: impl Fn() -> bool) {
    timeout(LONG, async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

async fn ask(pool: &Pool) -> Result<(), ClientError> {
    pool.checkout(LONG).await?.systems().await.map(drop)
}

#[tokio::test]
async fn one_session_serves_calls_that_follow_one_another() {
    let peer = Peer::good();
    let pool = peer.pool(PoolOptions::default());
    for _ in 0..10 {
        ask(&pool).await.unwrap();
    }
    assert_eq!((peer.sessions(), pool.status().idle, pool.status().in_use), (1, 1, 0));
    let systems = pool.status().calls_by_method["systems"];
    assert_eq!((systems.count, systems.failed), (10, 0));
}

#[tokio::test]
async fn there_are_never_more_sessions_than_the_pools_size() {
    let peer = Peer::good();
    let pool = peer.pool(PoolOptions { size: 2, ..PoolOptions::default() });
    let held = [pool.checkout(LONG).await.unwrap(), pool.checkout(LONG).await.unwrap()];
    let error = pool.checkout(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, ClientError::Busy { limit: 2, .. }), "{error:?}");
    drop(held);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let pool = pool.clone();
                async move { ask(&pool).await }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(peer.sessions(), 2);
}

#[tokio::test]
async fn whoever_came_first_is_served_first() {
    let peer = Peer::good();
    let pool = peer.pool(PoolOptions { size: 1, ..PoolOptions::default() });
    let held = pool.checkout(LONG).await.unwrap();
    let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..5 {
        let (pool, sender) = (pool.clone(), sender.clone());
        tokio::spawn(async move {
            let lease = pool.checkout(LONG).await.unwrap();
            sender.send(number).unwrap();
            drop(lease);
        });
        tokio::task::yield_now().await;
    }
    drop(held);
    for number in 0..5 {
        assert_eq!(served.recv().await, Some(number));
    }
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_closed_after_a_while() {
    let peer = Peer::good();
    let pool = peer.pool(PoolOptions { idle: Duration::from_millis(30), ..PoolOptions::default() });
    ask(&pool).await.unwrap();
    assert_eq!(pool.status().idle, 1);
    until(|| pool.status().idle == 0).await;
    ask(&pool).await.unwrap();
    assert_eq!(peer.sessions(), 2);
    until(|| pool.status().idle == 0).await;
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_session_and_no_other() {
    let peer = Peer::new(|session| match session {
        0 => vec![Act::Hang],
        _ => (0..10).map(|_| Act::Reply(json!([]))).collect(),
    });
    let pool = peer.pool(PoolOptions::default());
    let (mut hanging, other) = (pool.checkout(LONG).await.unwrap(), pool.checkout(LONG).await.unwrap());
    drop(other);
    assert!(timeout(Duration::from_millis(20), hanging.systems()).await.is_err());
    drop(hanging);
    assert_eq!((pool.status().idle, pool.status().in_use, pool.status().failures), (1, 0, 0));
    ask(&pool).await.unwrap();
    assert_eq!(peer.sessions(), 2);
}

#[tokio::test]
async fn a_driver_that_went_while_nobody_used_it_costs_no_call() {
    let peer = Peer::new(|session| match session {
        0 => vec![Act::Close],
        _ => (0..10).map(|_| Act::Reply(json!([]))).collect(),
    });
    let pool = peer.pool(PoolOptions::default());
    // The peer closes when it is asked, and its reply is not waited for.
    drop(pool.checkout(LONG).await.unwrap());
    let mut lease = pool.checkout(LONG).await.unwrap();
    lease.systems().await.unwrap_err();
    drop(lease);
    for _ in 0..5 {
        ask(&pool).await.unwrap();
    }
    assert_eq!((peer.sessions(), pool.status().failures), (2, 0));
}

fn quick_breaker() -> PoolOptions {
    let session = Options { deadline: Duration::from_millis(50), ..Options::default() };
    PoolOptions { session, failures: 2, pause: Duration::from_millis(100), ..PoolOptions::default() }
}

#[tokio::test]
async fn after_failures_in_a_row_calls_fail_at_once_with_the_last_cause_until_one_is_let_through() {
    let peer = Peer::new(|session| match session {
        0 | 1 => vec![Act::Hang],
        _ => (0..10).map(|_| Act::Reply(json!([]))).collect(),
    });
    let pool = peer.pool(quick_breaker());
    for _ in 0..2 {
        assert!(matches!(ask(&pool).await, Err(ClientError::Timeout { .. })));
    }
    assert!(matches!(pool.status().breaker, BreakerState::Open { .. }));
    let error = ask(&pool).await.unwrap_err();
    let ClientError::Paused { failures: 2, next_try, last } = &error else { panic!("{error:?}") };
    assert!(
        last.contains("systems did not end within 50ms") && *next_try <= Duration::from_millis(100),
        "{error}"
    );
    assert_eq!(peer.sessions(), 2);
    until(|| matches!(pool.status().breaker, BreakerState::Open { next_try: Duration::ZERO })).await;
    ask(&pool).await.unwrap();
    assert_eq!((pool.status().breaker, pool.status().failures), (BreakerState::Closed, 0));
}

#[tokio::test]
async fn only_one_call_is_let_through_to_see() {
    let peer = Peer::new(|session| match session {
        0 | 1 => vec![Act::Close],
        _ => (0..10).map(|_| Act::Reply(json!([]))).collect(),
    });
    let pool = peer.pool(quick_breaker());
    for _ in 0..2 {
        assert!(matches!(ask(&pool).await, Err(ClientError::Lost { .. })));
    }
    until(|| matches!(pool.status().breaker, BreakerState::Open { next_try: Duration::ZERO })).await;
    let mut probe = pool.checkout(LONG).await.unwrap();
    assert!(matches!(pool.checkout(LONG).await, Err(ClientError::Paused { .. })));
    probe.systems().await.unwrap();
    ask(&pool).await.unwrap();
}

#[tokio::test]
async fn what_the_array_refuses_opens_no_breaker() {
    let peer = Peer::new(|_| (0..100).map(|_| Act::Refuse(ErrorNumber::PoolNotReady)).collect());
    let pool = peer.pool(quick_breaker());
    for _ in 0..20 {
        assert!(matches!(ask(&pool).await, Err(ClientError::Array(_))));
    }
    assert_eq!((pool.status().breaker, peer.sessions()), (BreakerState::Closed, 1));
    assert_eq!((pool.status().calls.count, pool.status().calls.failed), (20, 0));
}

#[tokio::test]
async fn a_start_that_failed_is_not_repeated_at_once_and_the_breaker_opens_without_a_call() {
    let missing = Way::Socket("/nonexistent/socket".into());
    let pool = Pool::new(missing, "none://", None, quick_breaker());
    assert!(matches!(ask(&pool).await, Err(ClientError::Start { .. })));
    let error = pool.checkout(Duration::from_millis(1)).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Paused { failures: 1, last, .. } if last.contains("/nonexistent/socket")),
        "{error}"
    );
    assert!(matches!(ask(&pool).await, Err(ClientError::Start { .. })));
    assert!(matches!(pool.status().breaker, BreakerState::Open { .. }));
}

#[tokio::test]
async fn a_session_made_ready_has_answered_and_waits_for_its_call() {
    let info = || Act::Reply(json!(["scripted", "1"]));
    let peer = Peer::new(move |session| match session {
        // Lost at its second call.
        0 => vec![Act::Reply(json!([])), Act::Close],
        _ => vec![info(), Act::Reply(json!([])), Act::Reply(Value::Null)],
    });
    let pool = peer.pool(PoolOptions { size: 1, ..PoolOptions::default() });
    ask(&pool).await.unwrap();
    let mut ready = pool.ready(LONG).await.unwrap();
    assert_eq!(peer.sessions(), 2);
    // Nobody else gets it meanwhile.
    assert!(matches!(pool.checkout(Duration::from_millis(20)).await, Err(ClientError::Busy { .. })));
    ready.systems().await.unwrap();
}

#[tokio::test]
async fn a_pool_does_not_show_its_password() {
    let secret = Some(Password::new("hunter2").unwrap());
    let pool = Pool::new(Way::Socket("/nonexistent".into()), "none://", secret, PoolOptions::default());
    assert!(!format!("{pool:?}").contains("hunter2"));
    sleep(Duration::ZERO).await;
}
