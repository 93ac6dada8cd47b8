//! The helper with a simulated host, and a relay that publishes into memory.

use std::sync::Mutex;

use prost::Message;
use sanfleet_protocol::{VERSION, VolumeId, sign::CommandKey, v1};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    actions::{Quiesced, Workshop},
    claims::Claims,
    clock::unix_ms,
    config::Policy,
    door::Sent,
    host::{
        Host as _,
        sim::{SimCall, SimDevice, SimHost},
    },
    ledger::Ledger,
    policy::Gate,
    reporter::{Reporter, ReporterOptions},
    trust::{Pinned, Trust},
};

const BOUND: Duration = Duration::from_secs(20);

struct Lab {
    host: Arc<SimHost>,
    service: Arc<Service>,
    _reporter: Reporter,
    _state: tempfile::TempDir,
}

fn key() -> CommandKey {
    CommandKey::from_bytes(&[7; 32])
}

fn volume() -> VolumeId {
    "naa.60014053fef180bf1000000000000000".parse().unwrap()
}

fn lab() -> Lab {
    let state = tempfile::tempdir().unwrap();
    let device = SimDevice::disk("sda", vec![volume()]).formatted("ext4", "u", "l");
    let host = Arc::new(SimHost::builder().device(device).build());
    let ledger = Arc::new(Ledger::open(state.path(), unix_ms()).unwrap());
    let quiesces = Quiesces::with(Arc::new(host.guards()), Arc::clone(&ledger));
    let workshop = Workshop {
        host: Arc::clone(&host) as _,
        quiesces: Arc::clone(&quiesces),
        ledger,
        state_dir: state.path().to_owned(),
        gate: Gate::new(Policy::of_simulated_host()),
        quiesced: Quiesced::default(),
        claims: Claims::default(),
        max_dead_man: BOUND,
        report_now: Box::new(|| {}),
    };
    let trust = Trust::new(Pinned::Controller(key().public()));
    let inbox = Arc::new(Inbox::new("db1".parse().unwrap(), trust, Arc::new(workshop), 4));
    let doorway = Arc::<Doorway>::default();
    let options = ReporterOptions::new("db1".parse().unwrap(), state.path().to_owned());
    let reporter = Reporter::start(Arc::clone(&host) as _, Arc::clone(&doorway), options).unwrap();
    let pulse = Pulse::new("db1".parse().unwrap(), reporter.handle());
    let service = Service { inbox, quiesces, reporter: reporter.handle(), doorway, pulse };
    Lab { host, service: Arc::new(service), _reporter: reporter, _state: state }
}

/// A relay on its end of a connection that is served.
struct Relay {
    line: Arc<Line>,
    /// What it has published.
    published: Arc<Mutex<Vec<Word>>>,
    listening: JoinHandle<()>,
    serving: JoinHandle<()>,
}

impl Relay {
    fn connect(lab: &Lab) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let service = Arc::clone(&lab.service);
        let serving = tokio::spawn(async move { service.serve(theirs, &CancellationToken::new()).await });
        let (line, mut incoming) = door::line(ours, 1 << 20);
        let (answers, published) = (Arc::clone(&line), Arc::<Mutex<Vec<Word>>>::default());
        let kept = Arc::clone(&published);
        let listening = tokio::spawn(async move {
            while let Ok(Some(Question { ticket, word })) = incoming.next().await {
                kept.lock().unwrap().push(word);
                if answers.answer(ticket, Word::Sent(Sent::Done.into())).await.is_err() {
                    return;
                }
            }
        });
        Self { line, published, listening, serving }
    }

    /// It is killed: its end is closed without a word.
    async fn die(self) {
        self.listening.abort();
        let _ = self.listening.await;
        drop(self.line);
        within(self.serving).await.unwrap();
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(BOUND, what).await.expect("in time")
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    within(met).await;
}

fn mount() -> Word {
    let command = v1::Command {
        version: VERSION,
        id: format!("{:032x}", 1),
        host: "db1".into(),
        run: format!("{:032x}", 2),
        step: "test".into(),
        fence: 1,
        issued_at_unix_ms: unix_ms(),
        expires_at_unix_ms: unix_ms() + 60_000,
        action: Some(v1::command::Action::Mount(v1::MountVolume {
            volume_id: volume().to_string(),
            mount_point: "/srv/data".into(),
            read_write: true,
            file_system: "ext4".into(),
            layers: None,
        })),
    };
    Word::Command(key().sign(&command).encode_to_vec().into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_under_way_when_the_relay_dies_is_carried_out_once_and_its_result_kept() {
    let looks = |lab: &Lab| lab.host.calls("sda", SimCall::Identify);
    let undisturbed = lab();
    let relay = Relay::connect(&undisturbed);
    within(relay.line.ask(mount()).await.unwrap().wait()).await.unwrap();
    relay.die().await;

    let lab = lab();
    lab.host.hang("sda", SimCall::Identify);
    let command = mount();
    let first = Relay::connect(&lab);
    let _unheard = first.line.ask(command.clone()).await.unwrap();
    until(|| looks(&lab) > 0).await;
    first.die().await;

    let second = Relay::connect(&lab);
    let answer = second.line.ask(command).await.unwrap();
    lab.host.release_all();
    let Word::Result(result) = within(answer.wait()).await.unwrap() else { panic!("no result") };
    let result = v1::CommandResult::decode(result).unwrap();
    let done = match result.outcome {
        Some(v1::command_result::Outcome::Done(done)) => done,
        other => panic!("{other:?}"),
    };
    assert!(done.changed);
    assert_eq!(looks(&lab), looks(&undisturbed), "it was carried out a second time");
    assert_eq!(lab.host.mounts().unwrap().len(), 1);
    second.die().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_leave_hears_the_goodbye_of_the_host_and_nothing_after_it() {
    let lab = lab();
    let relay = Relay::connect(&lab);
    until(|| relay.published.lock().unwrap().iter().any(|word| matches!(word, Word::Report(_)))).await;
    let left = relay.line.ask(Word::Leave(())).await.unwrap();
    assert_eq!(within(left.wait()).await.unwrap(), Word::Left(()));
    lab.service.reporter.report_now();
    within(relay.serving).await.unwrap();
    let published = relay.published.lock().unwrap().clone();
    let beats = published.iter().filter_map(|word| match word {
        Word::Heartbeat(beat) => Some(v1::Heartbeat::decode(beat.clone()).unwrap().leaving),
        _ => None,
    });
    assert_eq!(beats.last(), Some(true));
    let goodbye = published.iter().rposition(|word| matches!(word, Word::Heartbeat(_))).unwrap();
    assert!(published.iter().skip(goodbye).all(|word| !matches!(word, Word::Report(_))), "{published:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_is_the_helpers_own_to_say_ends_the_connection() {
    let lab = lab();
    let relay = Relay::connect(&lab);
    relay.line.tell(Word::Report(Bytes::from_static(b"I am root"))).await.unwrap();
    within(relay.serving).await.unwrap();
    within(relay.listening).await.unwrap();
}
