//! The guard on a real file system: frozen is frozen, and however it ends it is thawed.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use sanfleet_agent::{
    fabric::Wanted,
    host::Host,
    quiesce::{
        Held, Order, QuiesceError,
        word::{Answer, By, Directory, How, Place, Prepare, Word},
    },
};
use sanfleet_protocol::{MountPoint, v1};

use crate::lab::{BOUND, Lab, must, run_id, soon, until, volume};

const LONG: Duration = Duration::from_secs(60);

struct Mounted {
    lab: Lab,
    at: MountPoint,
}

/// A real ext4 with a mount point of its own.
fn mounted() -> Mounted {
    let lab = Lab::new();
    let file = lab.make("a", "ext4").unwrap();
    let at = lab.at("here");
    fs::create_dir(at.as_path()).unwrap();
    lab.publish(0, &file, &volume(1));
    lab.host().rescan("loop", Wanted::anywhere(&volume(1)), soon()).unwrap();
    let device = format!("/dev/{}", lab.loops()[0]);
    must("mount", &[&device, at.as_str()]);
    Mounted { lab, at }
}

impl Mounted {
    fn order(&self, run: u32, dead_man: Duration) -> Order {
        Order::new(run_id(run), 1000, How::Freeze, (self.at.clone(), Vec::new()), dead_man)
    }

    /// What the agent says to a guard first.
    fn prepare(&self, dead_man_ms: u64) -> Prepare {
        let directory = Directory::of(File::open(self.at.as_path()).unwrap()).unwrap();
        let place = Place { mount_point: self.at.clone(), directory };
        Prepare { run: run_id(1), places: vec![place], how: How::Freeze, dead_man_ms }
    }

    /// Begins to write; the channel hears when the write has come through.
    fn writer(&self) -> mpsc::Receiver<Instant> {
        let path = self.at.as_path().join("written");
        let (done, hears) = mpsc::channel();
        thread::spawn(move || {
            File::create(&path).unwrap().write_all(b"data").unwrap();
            let _ = done.send(Instant::now());
        });
        hears
    }

    fn is_frozen(&self) -> bool {
        // Freezing once more is refused while it is frozen; otherwise it is undone at once.
        let frozen = Command::new("fsfreeze").args(["--freeze", self.at.as_str()]).output().unwrap();
        if frozen.status.success() {
            must("fsfreeze", &["--unfreeze", self.at.as_str()]);
        }
        !frozen.status.success()
    }
}

fn blocked(writer: &mpsc::Receiver<Instant>) -> bool {
    writer.recv_timeout(Duration::from_millis(150)).is_err()
}

fn comes_through(writer: &mpsc::Receiver<Instant>) {
    writer.recv_timeout(BOUND).expect("the writer goes on");
}

#[test]
fn a_writer_waits_while_it_is_held_and_goes_on_when_it_is_resumed() {
    let mounted = mounted();
    let quiesces = mounted.lab.quiesces();
    let order = mounted.order(1, LONG);
    let quiesce_us = quiesces.quiesce(&order, soon()).unwrap();
    let writer = mounted.writer();
    assert!(blocked(&writer));
    assert_eq!(quiesces.quiesce(&order, soon()).unwrap(), quiesce_us, "repeated for the same run");
    let busy = quiesces.quiesce(&mounted.order(2, LONG), soon());
    assert!(matches!(busy, Err(QuiesceError::Busy { .. })), "{busy:?}");

    let release = quiesces.resume(run_id(1), 2000);
    comes_through(&writer);
    assert_eq!(release.by, i32::from(v1::ResumedBy::Command));
    assert!(release.blocked_us >= 150_000 && release.blocked_us >= quiesce_us, "{release:?}");
    assert_eq!(quiesces.resume(run_id(1), 2000), release, "repeated");
    until("its end is recorded", || mounted.lab.ledger.release(&run_id(1)).as_ref() == Some(&release));
    // And another run may hold it then.
    quiesces.quiesce(&mounted.order(2, LONG), soon()).unwrap();
    quiesces.resume(run_id(2), 2000);
    assert!(!mounted.is_frozen());
}

#[test]
fn nobody_resumes_and_it_lets_go_by_itself() {
    let mounted = mounted();
    let quiesces = mounted.lab.quiesces();
    let since = Instant::now();
    quiesces.quiesce(&mounted.order(1, Duration::from_millis(400)), soon()).unwrap();
    let writer = mounted.writer();
    comes_through(&writer);
    assert!(since.elapsed() >= Duration::from_millis(400));
    let release = quiesces.await_end(run_id(1), BOUND).unwrap();
    assert_eq!(release.by, i32::from(v1::ResumedBy::DeadMan));
    assert!((400_000..5_000_000).contains(&release.blocked_us), "{release:?}");
    assert_eq!(quiesces.resume(run_id(1), 2000), release);
}

#[test]
fn the_guard_is_killed_and_the_agent_thaws() {
    let mounted = mounted();
    let quiesces = mounted.lab.quiesces();
    quiesces.quiesce(&mounted.order(1, LONG), soon()).unwrap();
    let writer = mounted.writer();
    assert!(blocked(&writer));
    let guard = quiesces.guard_process(&run_id(1)).unwrap();
    must("kill", &["-KILL", &guard.to_string()]);
    comes_through(&writer);
    assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::Loss));
    until("the machine is as before", || {
        fs::read_to_string("/sys/kernel/rcu_expedited").unwrap().trim() == "0"
    });
}

#[test]
fn the_agent_stops_and_nothing_stays_held() {
    let mounted = mounted();
    let quiesces = mounted.lab.quiesces();
    quiesces.quiesce(&mounted.order(1, LONG), soon()).unwrap();
    quiesces.abandon_all();
    assert!(!mounted.is_frozen());
    assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::Loss));
}

#[test]
fn what_the_ledger_says_was_held_is_thawed_at_start_and_counts_as_lost() {
    use sanfleet_agent::ledger::Record;
    let mounted = mounted();
    let holding = Record::Holding { run: run_id(1), held: Held::one(mounted.at.clone()) };
    mounted.lab.ledger.write(vec![holding], 0).unwrap();
    must("fsfreeze", &["--freeze", mounted.at.as_str()]);
    let writer = mounted.writer();
    assert!(blocked(&writer));
    let quiesces = mounted.lab.quiesces();
    quiesces.thaw_what_was_held().unwrap();
    comes_through(&writer);
    assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::Loss));
    assert!(mounted.lab.ledger.held().is_empty());
}

#[test]
fn a_file_system_that_somebody_else_froze_is_neither_held_nor_thawed() {
    let mounted = mounted();
    must("fsfreeze", &["--freeze", mounted.at.as_str()]);
    let error = mounted.lab.quiesces().quiesce(&mounted.order(1, LONG), soon()).unwrap_err();
    assert!(error.to_string().contains("frozen already"), "{error}");
    assert!(mounted.is_frozen());
    must("fsfreeze", &["--unfreeze", mounted.at.as_str()]);
}

#[test]
fn a_quiesce_that_a_resume_has_overtaken_is_refused() {
    let mounted = mounted();
    let quiesces = mounted.lab.quiesces();
    assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::Nobody));
    let late = quiesces.quiesce(&mounted.order(1, LONG), soon());
    assert!(matches!(late, Err(QuiesceError::Overtaken { .. })), "{late:?}");
    // One that was issued afterwards is a new attempt.
    quiesces.quiesce(&Order { issued_at_unix_ms: 3000, ..mounted.order(1, LONG) }, soon()).unwrap();
    assert_eq!(quiesces.resume(run_id(1), 4000).by, i32::from(v1::ResumedBy::Command));
}

/// A guard of our own, spoken to directly.
struct Guard(Child);

impl Guard {
    fn prepared(mounted: &Mounted, dead_man_ms: u64) -> (Self, impl Iterator<Item = Answer>) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sanfleet-agent"))
            .arg("quiesce-guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut answers = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        let mut guard = Self(child);
        guard.say(&mounted.prepare(dead_man_ms));
        assert_eq!(answers.next(), Some(Answer::Prepared { application: String::new() }));
        (guard, answers)
    }

    fn say(&mut self, word: &impl serde::Serialize) {
        let line = serde_json::to_string(word).unwrap() + "\n";
        self.0.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_agent_dies_and_the_guard_lets_go() {
    let mounted = mounted();
    let (mut guard, mut answers) = Guard::prepared(&mounted, 60_000);
    guard.say(&Word::Hold);
    assert!(matches!(answers.next(), Some(Answer::Held { .. })));
    let writer = mounted.writer();
    assert!(blocked(&writer));
    // What the kernel does with our end of the pipe when we are killed.
    drop(guard.0.stdin.take());
    comes_through(&writer);
    assert!(matches!(answers.next(), Some(Answer::Released { by: By::Loss, held: true, .. })));
}

#[test]
fn an_agent_that_is_killed_with_all_its_pipes_leaves_nothing_held() {
    let mounted = mounted();
    let prepare = mounted.prepare(60_000);
    // A shell stands for the agent: it starts the guard, makes it hold, and is killed.
    let told = mounted.lab.path().join("told");
    let script = format!(
        "exec 3>&1; {{ echo '{}'; until [ -e {} ]; do sleep 0.01; done; echo '\"hold\"'; sleep 60; }} \
         | setsid {} quiesce-guard >&3",
        serde_json::to_string(&prepare).unwrap(),
        told.display(),
        env!("CARGO_BIN_EXE_sanfleet-agent")
    );
    use std::os::unix::process::CommandExt;
    let mut agent =
        Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut answers = BufReader::new(agent.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(answers.any(|line| line.contains("prepared")));
    fs::write(&told, b"").unwrap();
    assert!(answers.any(|line| line.contains("held")));
    let writer = mounted.writer();
    assert!(blocked(&writer));
    must("kill", &["-KILL", "--", &format!("-{}", agent.id())]);
    comes_through(&writer);
    agent.wait().unwrap();
}

#[test]
fn a_guard_that_is_told_to_terminate_lets_go() {
    let mounted = mounted();
    let (mut guard, mut answers) = Guard::prepared(&mounted, 60_000);
    guard.say(&Word::Hold);
    assert!(matches!(answers.next(), Some(Answer::Held { .. })));
    must("kill", &["-TERM", &guard.0.id().to_string()]);
    assert!(matches!(answers.next(), Some(Answer::Released { by: By::Loss, held: true, .. })));
    assert!(!mounted.is_frozen());
}

#[test]
fn a_guard_that_is_only_prepared_blocks_nobody_and_goes_at_a_word() {
    let mounted = mounted();
    let (mut guard, mut answers) = Guard::prepared(&mounted, 60_000);
    comes_through(&mounted.writer());
    guard.say(&Word::Release);
    assert!(matches!(answers.next(), Some(Answer::Released { by: By::Command, held: false, .. })));
}

#[test]
fn many_writes_before_the_freeze_do_not_make_it_long() {
    let mounted = mounted();
    let mut file =
        OpenOptions::new().create(true).append(true).open(mounted.at.as_path().join("big")).unwrap();
    for _ in 0..32 {
        file.write_all(&vec![7; 1 << 20]).unwrap();
    }
    let quiesces = mounted.lab.quiesces();
    let quiesce_us = quiesces.quiesce(&mounted.order(1, LONG), soon()).unwrap();
    quiesces.resume(run_id(1), 2000);
    // Written back before anyone was blocked; a freeze that had to write 32 MiB would show here.
    assert!(quiesce_us < 1_000_000, "{quiesce_us} µs");
}
