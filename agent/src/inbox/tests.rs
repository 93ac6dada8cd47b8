//! The inbox with a simulated host: order, repetition, hanging calls.

use prost::Message;
use sanfleet_protocol::{VolumeId, sign::CommandKey};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    actions::Quiesced,
    claims::Claims,
    config::Policy,
    host::Host as _,
    host::sim::{SimCall, SimDevice, SimHost},
    ledger::Ledger,
    policy::Gate,
    quiesce::Quiesces,
    trust::Pinned,
};

mod forged;

const BOUND: Duration = Duration::from_secs(20);

struct Lab {
    inbox: Arc<Inbox>,
    host: Arc<SimHost>,
    _state: tempfile::TempDir,
}

fn key() -> CommandKey {
    CommandKey::from_bytes(&[7; 32])
}

fn trust() -> Trust {
    Trust::new(Pinned::Controller(key().public()))
}

fn volume() -> VolumeId {
    "naa.60014053fef180bf1000000000000000".parse().unwrap()
}

fn workshop(host: Arc<SimHost>, state: &std::path::Path, policy: Policy) -> Workshop {
    let ledger = Arc::new(Ledger::open(state, unix_ms()).unwrap());
    Workshop {
        host,
        quiesces: Quiesces::new("/nowhere".into(), Arc::clone(&ledger)),
        ledger,
        state_dir: state.to_owned(),
        gate: Gate::new(policy),
        quiesced: Quiesced::default(),
        claims: Claims::default(),
        max_dead_man: Duration::from_secs(5),
        report_now: Box::new(|| {}),
    }
}

fn lab() -> Lab {
    lab_with(Policy::of_simulated_host())
}

fn lab_with(policy: Policy) -> Lab {
    let device = SimDevice::disk("sda", vec![volume()]).formatted("ext4", "u", "l").size(1 << 30);
    let host = Arc::new(SimHost::builder().device(device).build());
    let state = tempfile::tempdir().unwrap();
    let workshop = Arc::new(workshop(Arc::clone(&host), state.path(), policy));
    let inbox = Arc::new(Inbox::new("db1".parse().unwrap(), trust(), workshop, 4));
    Lab { inbox, host, _state: state }
}

fn command(id: u128, run: u128, action: v1::command::Action) -> v1::Command {
    v1::Command {
        version: VERSION,
        id: format!("{id:032x}"),
        host: "db1".into(),
        run: format!("{run:032x}"),
        step: "test".into(),
        fence: 1,
        issued_at_unix_ms: unix_ms(),
        expires_at_unix_ms: unix_ms() + 10_000,
        action: Some(action),
    }
}

fn mount(at: &str) -> v1::command::Action {
    v1::command::Action::Mount(v1::MountVolume {
        volume_id: volume().to_string(),
        mount_point: at.into(),
        read_write: true,
        file_system: "ext4".into(),
        layers: None,
    })
}

fn resume() -> v1::command::Action {
    v1::command::Action::Resume(v1::Resume {})
}

fn send(lab: &Lab, command: &v1::Command) -> JoinHandle<v1::CommandResult> {
    let (inbox, bytes) = (Arc::clone(&lab.inbox), key().sign(command).encode_to_vec());
    tokio::spawn(async move { inbox.handle(&bytes).await })
}

async fn result(sent: JoinHandle<v1::CommandResult>) -> v1::CommandResult {
    tokio::time::timeout(BOUND, sent).await.expect("a result in time").unwrap()
}

fn done(result: &v1::CommandResult) -> &v1::CommandDone {
    match &result.outcome {
        Some(v1::command_result::Outcome::Done(done)) => done,
        other => panic!("{other:?}"),
    }
}

fn error(result: &v1::CommandResult) -> &v1::CommandError {
    match &result.outcome {
        Some(v1::command_result::Outcome::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < BOUND, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_is_carried_out_once_and_answered_twice() {
    let lab = lab();
    let mount = command(1, 1, mount("/srv/a"));
    let first = result(send(&lab, &mount)).await;
    assert!(done(&first).changed);
    assert_eq!(result(send(&lab, &mount)).await, first);
    // A new command for the same thing finds it done.
    let again = command(2, 1, mount.action.clone().unwrap());
    assert!(!done(&result(send(&lab, &again)).await).changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_signature_does_not_get_a_command_past_the_hosts_own_policy() {
    let lab = lab_with(Policy { mount_roots: vec!["/srv".parse().unwrap()], ..Policy::of_simulated_host() });
    let astray = command(1, 1, mount("/etc/cron.d"));
    let refused = result(send(&lab, &astray)).await;
    assert_eq!(error(&refused).kind(), v1::command_error::Kind::Refused, "{refused:?}");
    assert!(error(&refused).message.contains("mount_roots"), "{refused:?}");
    assert!(lab.host.mounts().unwrap().is_empty());
    let ledger = &lab.inbox.workshop.ledger;
    assert!(ledger.entry(&astray.id.parse().unwrap()).is_none(), "it is not written down");
    assert!(done(&result(send(&lab, &command(2, 1, mount("/srv/a")))).await).changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_joins_the_command_that_still_runs() {
    let lab = lab();
    lab.host.hang("sda", SimCall::Identify);
    let mount = command(1, 1, mount("/srv/a"));
    let first = send(&lab, &mount);
    until("it asks the device", || lab.host.calls("sda", SimCall::Identify) == 1).await;
    let second = send(&lab, &mount);
    lab.host.release_all();
    let (first, second) = (result(first).await, result(second).await);
    assert!(done(&first).changed);
    assert_eq!(first, second);
    assert_eq!(lab.host.calls("sda", SimCall::Identify), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_device_is_answered_with_a_timeout_and_stops_neither_other_runs_nor_a_resume() {
    let lab = lab();
    lab.host.hang("sda", SimCall::Identify);
    let hanging = v1::Command { expires_at_unix_ms: unix_ms() + 1_500, ..command(1, 1, mount("/srv/a")) };
    let hanging = send(&lab, &hanging);
    until("it hangs", || lab.host.calls("sda", SimCall::Identify) == 1).await;

    let resumed = result(send(&lab, &command(2, 1, resume()))).await;
    let Some(v1::command_done::Detail::Resumed(by)) = &done(&resumed).detail else { panic!() };
    assert_eq!(by.by(), v1::ResumedBy::Nobody);
    let other = v1::command::Action::CheckTarget(v1::CheckTarget {
        mount_point: "/srv/b".into(),
        ..Default::default()
    });
    done(&result(send(&lab, &command(3, 2, other))).await);

    let timeout = result(hanging).await;
    assert_eq!(error(&timeout).kind(), v1::command_error::Kind::Timeout);
    assert_eq!(lab.inbox.left_behind(), 1);
    lab.host.release_all();
    until("the thread comes back", || lab.inbox.left_behind() == 0).await;
    assert!(crate::host::Host::mounts(lab.host.as_ref()).unwrap().is_empty(), "it mounted after its timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_run_keep_their_order() {
    let lab = lab();
    lab.host.hang("sda", SimCall::Identify);
    let first = send(&lab, &command(1, 1, mount("/srv/a")));
    until("the first one is under way", || lab.host.calls("sda", SimCall::Identify) == 1).await;
    let unmount = v1::UnmountVolume { volume_id: volume().to_string(), mount_point: "/srv/a".into() };
    let second = send(&lab, &command(2, 1, v1::command::Action::Unmount(unmount)));
    until("the second one waits", || lab.inbox.waiting.load(Ordering::Relaxed) == 2).await;
    lab.host.release_all();
    assert!(done(&result(first).await).changed);
    assert!(done(&result(second).await).changed, "it ran before the mount");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forged_or_of_a_replaced_owner_is_refused() {
    let lab = lab();
    let forged = CommandKey::from_bytes(&[8; 32]).sign(&command(1, 1, mount("/srv/a"))).encode_to_vec();
    assert_eq!(error(&lab.inbox.handle(&forged).await).kind(), v1::command_error::Kind::Refused);
    assert_eq!(error(&lab.inbox.handle(b"noise").await).kind(), v1::command_error::Kind::Refused);
    let newer = v1::Command { fence: 9, ..command(2, 1, mount("/srv/a")) };
    done(&result(send(&lab, &newer)).await);
    let older = result(send(&lab, &command(3, 1, mount("/srv/a")))).await;
    assert!(error(&older).message.contains("newer owner"), "{older:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_unit_is_refused_with_both_ids() {
    let lab = lab();
    let other: VolumeId = "naa.60014053fef180bf2000000000000000".parse().unwrap();
    lab.host.set_true_ids("sda", vec![other.clone()]);
    let refused = result(send(&lab, &command(1, 1, mount("/srv/a")))).await;
    let error = error(&refused);
    assert_eq!(error.kind(), v1::command_error::Kind::WrongVolume);
    for id in [&volume(), &other] {
        assert!(error.message.contains(&id.to_string()), "{}", error.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_outlive_the_agent() {
    let lab = lab();
    let mount = command(1, 1, mount("/srv/a"));
    let first = result(send(&lab, &mount)).await;
    let Lab { inbox, host, _state: state } = lab;
    drop(inbox);
    let workshop = Arc::new(workshop(Arc::clone(&host), state.path(), Policy::of_simulated_host()));
    let inbox = Arc::new(Inbox::new("db1".parse().unwrap(), trust(), workshop, 4));
    let again = Lab { inbox, host, _state: state };
    assert_eq!(result(send(&again, &mount)).await, first);
}
