use std::path::Path;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use super::*;
use crate::{
    error::{ErrorNumber, LsmError},
    frame::{FrameBuffer, encode_frame},
    message::{Request, failure, success},
    model::{JobId, ReplicateType, Volume},
};

/// What a scripted driver does with one request.
pub(super) enum Act {
    Reply(Value),
    Refuse(ErrorNumber),
    Raw(&'static [u8]),
    Hang,
    Close,
}

/// A session with a driver that follows a script, one act a request; `plugin_register` is answered by itself.
/// The task gives back the methods that were called.
async fn scripted(acts: Vec<Act>, options: Options) -> (Session, tokio::task::JoinHandle<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scripted");
    let listener = UnixListener::bind(&path).unwrap();
    let driver = tokio::spawn(async move {
        let _folder = folder;
        let (mut stream, _) = listener.accept().await.unwrap();
        play(&mut stream, acts).await
    });
    let session = Session::connect_socket(&path, "scripted://", None, options).await.unwrap();
    (session, driver)
}

pub(super) async fn play(stream: &mut UnixStream, acts: Vec<Act>) -> Vec<String> {
    let mut acts = std::iter::once(Act::Reply(Value::Null)).chain(acts);
    let mut buffer = FrameBuffer::new(MAX_FRAME);
    let mut called = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while let Some(body) = buffer.next_frame().unwrap() {
            called.push(Request::parse(&body).unwrap_or_else(|error| panic!("{error}")).method);
            let bytes = match acts.next() {
                Some(Act::Reply(result)) => encode_frame(&success(&result).unwrap()).unwrap(),
                Some(Act::Refuse(number)) => encode_frame(&failure(&LsmError::new(number, "no"))).unwrap(),
                Some(Act::Raw(bytes)) => bytes.to_vec(),
                Some(Act::Hang) => Vec::new(),
                Some(Act::Close) | None => return called,
            };
            stream.write_all(&bytes).await.unwrap();
        }
        match stream.read(&mut piece).await.unwrap() {
            0 => return called,
            count => buffer.push(&piece[..count]),
        }
    }
}

fn short() -> Options {
    Options { deadline: Duration::from_millis(100), ..Options::default() }
}

fn volume() -> Volume {
    serde_json::from_value(json!({"class": "Volume", "id": "V", "name": "v", "vpd83": "", "block_size": 512,
        "num_of_blocks": 8, "admin_state": 1, "system_id": "s", "pool_id": "p"}))
    .unwrap()
}

#[tokio::test]
async fn a_refusal_is_the_arrays_word_and_the_session_goes_on() {
    let (mut session, _) =
        scripted(vec![Act::Refuse(ErrorNumber::PoolNotReady), Act::Reply(json!([]))], Options::default())
            .await;
    let error = session.systems().await.unwrap_err();
    assert!(matches!(&error, ClientError::Array(error) if error.number == ErrorNumber::PoolNotReady));
    assert!(error.is_retryable());
    assert_eq!(session.systems().await.unwrap(), []);
}

#[tokio::test]
async fn a_session_can_move_to_another_task() {
    let (mut session, _) = scripted(vec![Act::Reply(json!([]))], Options::default()).await;
    assert_eq!(tokio::spawn(async move { session.systems().await }).await.unwrap().unwrap(), []);
}

#[tokio::test]
async fn a_driver_that_hangs_costs_its_deadline_and_the_session() {
    let (mut session, _) = scripted(vec![Act::Hang, Act::Reply(json!([]))], short()).await;
    assert!(matches!(session.systems().await, Err(ClientError::Timeout { method: "systems", .. })));
    assert!(session.is_dead());
    let error = session.systems().await.unwrap_err();
    assert!(matches!(error, ClientError::Lost { reason: LostReason::AlreadyDead, .. }), "{error}");
}

#[tokio::test]
async fn a_driver_that_goes_is_lost() {
    let (mut session, _) = scripted(vec![Act::Close], Options::default()).await;
    assert!(matches!(
        session.systems().await,
        Err(ClientError::Lost { reason: LostReason::Closed { .. }, .. })
    ));
    assert!(session.is_dead());
}

#[tokio::test]
async fn nonsense_of_every_kind_ends_the_session() {
    for nonsense in [
        &b"HTTP/1.1 200 OK\r\n"[..],
        b"0000000001{",
        b"0000000002{}",
        b"0000000015{\"result\": [5]}",
        b"0000000014{\"result\": []}surplus",
        b"9999999999",
    ] {
        let (mut session, _) = scripted(vec![Act::Raw(nonsense)], Options::default()).await;
        let error = session.systems().await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol { .. }), "{}: {error:?}", nonsense.escape_ascii());
        assert!(session.is_dead() && !error.is_retryable());
    }
}

#[tokio::test]
async fn a_dropped_call_is_not_mistaken_for_the_next_ones_answer() {
    let (mut session, _) = scripted(vec![Act::Hang, Act::Reply(json!([]))], Options::default()).await;
    assert!(timeout(Duration::from_millis(50), session.systems()).await.is_err());
    let error = session.pools(None).await.unwrap_err();
    assert!(matches!(error, ClientError::Lost { reason: LostReason::CallDropped, .. }), "{error}");
}

#[tokio::test]
async fn a_job_is_followed_to_its_end_and_freed() {
    let done = json!([2, 100, volume()]);
    let acts = [json!(["J", null]), json!([1, 0, null]), json!([1, 50, null]), done, Value::Null];
    let (mut session, driver) = scripted(acts.map(Act::Reply).into(), Options::default()).await;
    let outcome = session.volume_replicate(None, ReplicateType::CLONE, &volume(), "c").await.unwrap();
    let copy = session.finish(outcome, Duration::from_secs(5)).await.unwrap();
    assert_eq!(copy, volume());
    drop(session);
    let expected =
        ["plugin_register", "volume_replicate", "job_status", "job_status", "job_status", "job_free"];
    assert_eq!(driver.await.unwrap(), expected);
}

#[tokio::test]
async fn a_failed_job_tells_its_reason_and_is_freed() {
    let why = json!({"code": 350, "message": "the pool is full"});
    let acts = [json!([3, 100, null]), why, Value::Null];
    let (mut session, driver) = scripted(acts.map(Act::Reply).into(), Options::default()).await;
    let error = session.finish(Some(JobId::new("J")), Duration::from_secs(5)).await.unwrap_err();
    let ClientError::JobFailed { reason: Some(reason), .. } = error else { panic!("{error:?}") };
    assert_eq!((reason.number, reason.message.as_str()), (ErrorNumber::NotEnoughSpace, "the pool is full"));
    drop(session);
    let expected = ["plugin_register", "job_status", "sanfleet_job_failure", "job_free"];
    assert_eq!(driver.await.unwrap(), expected);
}

#[tokio::test]
async fn a_failed_job_of_a_driver_without_the_extension_has_no_reason() {
    let acts = vec![
        Act::Reply(json!([3, 100, null])),
        Act::Refuse(ErrorNumber::NoSupport),
        Act::Reply(Value::Null),
        Act::Reply(json!([])),
    ];
    let (mut session, _driver) = scripted(acts, Options::default()).await;
    let error = session.finish(Some(JobId::new("J")), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, ClientError::JobFailed { reason: None, .. }), "{error:?}");
    assert_eq!(session.systems().await.unwrap(), []);
}

#[tokio::test]
async fn an_error_in_place_of_a_status_is_the_reason_unless_it_may_pass() {
    let acts = vec![
        Act::Refuse(ErrorNumber::NetworkError),
        Act::Reply(json!([1, 5, null])),
        Act::Refuse(ErrorNumber::DiskNotFree),
        Act::Refuse(ErrorNumber::NotFoundJob),
    ];
    let (mut session, _driver) = scripted(acts, Options::default()).await;
    let error = session.finish(Some(JobId::new("J")), Duration::from_secs(5)).await.unwrap_err();
    let ClientError::JobFailed { reason: Some(reason), .. } = error else { panic!("{error:?}") };
    assert_eq!(reason.number, ErrorNumber::DiskNotFree);
    let error = session.finish(Some(JobId::new("J")), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, ClientError::JobForgotten { .. }), "{error:?}");
}

#[tokio::test]
async fn a_job_without_end_is_given_up_with_the_session_alive() {
    let endless = std::iter::repeat_with(|| Act::Reply(json!([1, 1, null]))).take(200).collect();
    let (mut session, _driver) = scripted(endless, Options::default()).await;
    let late = session.finish(Some(JobId::new("J")), Duration::from_millis(40)).await;
    assert!(matches!(late, Err(ClientError::Timeout { method: "job_status", .. })), "{late:?}");
    assert!(!session.is_dead());
}

#[tokio::test]
async fn a_sequence_of_calls_has_one_deadline() {
    let acts = vec![Act::Reply(json!([])), Act::Hang];
    let (mut session, _driver) = scripted(acts, Options::default()).await;
    let mut sequence = session.within(Duration::from_millis(50));
    assert_eq!(sequence.systems().await.unwrap(), []);
    assert!(matches!(sequence.systems().await, Err(ClientError::Timeout { .. })));
    drop(sequence);
    assert!(session.is_dead());
}

/// A driver that is a shell script, told of a folder to write to. The scripts are files of the source tree: one written by the
/// test could be busy when it is started, for a process that another test forks holds it open for a moment.
async fn started(script: &str, folder: &Path, deadline: Duration) -> Result<Session, ClientError> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/client/tests")).join(script);
    let environment = vec![("TEST_FOLDER".into(), folder.into())];
    let options = Options { deadline, environment, ..Options::default() };
    Session::connect_executable(&path, "script://", None, options).await
}

#[tokio::test]
async fn a_process_that_never_answers_is_killed_and_reaped() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = started("hang_lsmplugin", folder.path(), Duration::from_secs(1)).await;
    assert!(matches!(outcome, Err(ClientError::Timeout { method: "plugin_register", .. })));
    let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    // Reaped in the background: a zombie would stay.
    let reaped = async {
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(5), reaped).await.is_ok(), "process {pid} is still there");
}

#[tokio::test]
async fn a_driver_that_closes_its_socket_and_stays_makes_the_error_no_later_than_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let outcome = started("linger_lsmplugin", folder.path(), Duration::from_millis(500)).await;
    let took = begun.elapsed();
    assert!(
        matches!(outcome, Err(ClientError::Lost { reason: LostReason::Closed { end: None }, .. })),
        "{outcome:?}"
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn how_a_process_ended_by_itself_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = started("exit_lsmplugin", folder.path(), Duration::from_secs(20)).await.unwrap_err();
    // The request may be sent before the process ends or meet a closed socket: either way the driver is lost, and told how.
    let ClientError::Lost { method: "plugin_register", reason: LostReason::Closed { end } } = error else {
        panic!("{error:?}");
    };
    assert_eq!(end.and_then(|end| end.status.code()), Some(7));
}

#[tokio::test]
async fn a_process_inherits_its_socket_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = started("descriptors_lsmplugin", folder.path(), Duration::from_secs(20)).await;
    assert!(matches!(outcome, Err(ClientError::Lost { .. })), "{outcome:?}");
    let open = std::fs::read_to_string(folder.path().join("open")).unwrap();
    assert_eq!(open.lines().filter(|line| line.starts_with("socket:")).count(), 1, "{open}");
    let number = std::fs::read_to_string(folder.path().join("number")).unwrap();
    assert!(number.trim().parse::<u32>().unwrap() > 2);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let path = Path::new("/nonexistent/none_lsmplugin");
    let error = Session::connect_executable(path, "none://", None, Options::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::Start { .. }) && !error.is_retryable());
    assert!(error.to_string().contains("/nonexistent/none_lsmplugin"));
}
