//! Hooks with the guard as it is: `before`, frozen, thawed, `after`; and `after` however it ends.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use sanfleet_agent::{
    config::{Argv, Hook},
    ledger::Record,
    quiesce::{Order, QuiesceError, Quiesces, word::How},
};
use sanfleet_protocol::{MountPoint, v1};

use crate::lab::{BOUND, Lab, must, run_id, soon, until};

/// An application whose hook notes what it is told.
struct App {
    lab: Lab,
    at: MountPoint,
}

impl App {
    fn new() -> Self {
        let lab = Lab::new();
        let at = lab.mounted(1, "app");
        Self { lab, at }
    }

    fn notes(&self) -> PathBuf {
        self.lab.path().join("notes")
    }

    /// What the hook was told so far.
    fn told(&self) -> Vec<String> {
        fs::read_to_string(self.notes()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn script(&self, word: &str, more: &str) -> Argv {
        let script = format!(
            "echo \"{word} $SANFLEET_HOOK $SANFLEET_MOUNT_POINT\" >> {}; {more}",
            self.notes().display()
        );
        Argv::new(["/bin/sh", "-c", &script].map(str::to_owned).to_vec()).unwrap()
    }

    fn hook(&self, before: &str) -> Hook {
        Hook {
            name: "app".parse().unwrap(),
            mount_point: self.at.clone(),
            before: self.script("before", before),
            // Fails where it is still frozen: nothing could be written there.
            after: self.script("after", &format!("echo > {}/written", self.at)),
            timeout_s: 2,
            user: None,
        }
    }

    fn order(&self, run: u32, dead_man: Duration, hook: Hook) -> Order {
        Order::new(run_id(run), 1000, How::Hook(hook), (self.at.clone(), Vec::new()), dead_man)
    }

    fn told_both(&self) -> bool {
        self.told() == [format!("before app {}", self.at), format!("after app {}", self.at)]
    }

    fn is_frozen(&self) -> bool {
        let frozen = std::process::Command::new("fsfreeze").args(["--freeze", self.at.as_str()]).output();
        let is_frozen = !frozen.unwrap().status.success();
        if !is_frozen {
            must("fsfreeze", &["--unfreeze", self.at.as_str()]);
        }
        is_frozen
    }
}

fn end_of(quiesces: &Quiesces, run: u32) -> i32 {
    quiesces.await_end(run_id(run), BOUND).expect("it ends").by
}

#[test]
fn it_is_told_before_the_freeze_and_after_the_thaw() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    quiesces.quiesce(&app.order(1, BOUND, app.hook("true")), soon()).unwrap();
    assert_eq!(app.told(), [format!("before app {}", app.at)]);
    assert!(app.is_frozen());
    let release = quiesces.resume(run_id(1), 2000);
    assert_eq!((release.by, release.trouble.as_str()), (i32::from(v1::ResumedBy::Command), ""));
    assert!(app.told_both(), "{:?}", app.told());
    assert!(app.at.as_path().join("written").exists());
}

#[test]
fn when_nobody_resumes_it_is_ended_at_the_limit() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    quiesces.quiesce(&app.order(1, Duration::from_millis(400), app.hook("true")), soon()).unwrap();
    assert_eq!(end_of(&quiesces, 1), i32::from(v1::ResumedBy::DeadMan));
    assert!(app.told_both(), "{:?}", app.told());
}

#[test]
fn when_the_guard_is_killed_the_agent_ends_it() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    quiesces.quiesce(&app.order(1, BOUND, app.hook("true")), soon()).unwrap();
    must("kill", &["-KILL", &quiesces.guard_process(&run_id(1)).unwrap().to_string()]);
    assert_eq!(end_of(&quiesces, 1), i32::from(v1::ResumedBy::Loss));
    assert!(app.told_both() && !app.is_frozen(), "{:?}", app.told());
}

#[test]
fn when_the_guard_is_killed_while_it_begins_what_has_begun_is_stopped_and_it_is_ended() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    let order = app.order(1, BOUND, Hook { timeout_s: 20, ..app.hook("exec sleep 1000") });
    std::thread::scope(|scope| {
        let quiesce = scope.spawn(|| quiesces.quiesce(&order, soon()));
        until("it has begun", || !app.told().is_empty());
        let guard = quiesces.guard_process(&run_id(1)).unwrap();
        must("kill", &["-KILL", &guard.to_string()]);
        assert!(matches!(quiesce.join().unwrap(), Err(QuiesceError::Lost)));
    });
    assert!(app.told_both(), "{:?}", app.told());
}

#[test]
fn when_the_agent_stops_it_is_ended() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    quiesces.quiesce(&app.order(1, BOUND, app.hook("true")), soon()).unwrap();
    quiesces.abandon_all();
    assert!(app.told_both() && !app.is_frozen(), "{:?}", app.told());
}

#[test]
fn when_agent_and_guard_were_killed_it_is_ended_at_the_next_start_even_where_the_volume_is_gone() {
    let app = App::new();
    let order = app.order(1, BOUND, app.hook("true"));
    app.lab.ledger.write(vec![Record::Holding { run: run_id(1), held: order.held }], 0).unwrap();
    must("umount", &[app.at.as_str()]);
    fs::remove_dir(app.at.as_path()).unwrap();
    app.lab.quiesces().thaw_what_was_held().unwrap();
    assert_eq!(app.told(), [format!("after app {}", app.at)]);
    let release = app.lab.ledger.release(&run_id(1)).unwrap();
    assert!(release.trouble.contains("`after` of hook app"), "{release:?}");
    assert!(app.lab.ledger.held().is_empty());
}

#[test]
fn a_before_that_fails_or_takes_too_long_is_no_quiesce_and_is_ended_too() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    let refused = |run, before: &str| {
        let error = quiesces.quiesce(&app.order(run, BOUND, app.hook(before)), soon()).unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        assert!(app.told_both() && !app.is_frozen(), "{:?}", app.told());
        fs::remove_file(app.notes()).unwrap();
        error.to_string()
    };
    let error = refused(1, "echo the queue is full >&2; exit 7");
    assert!(error.contains("`before` of hook app ended with exit status: 7: the queue is full"), "{error}");
    let since = Instant::now();
    let error = refused(2, "sleep 1000");
    assert!(error.contains("not done within 2 s"), "{error}");
    assert!(since.elapsed() < BOUND);
    // Nothing stands in the way of the next one.
    quiesces.quiesce(&app.order(3, BOUND, app.hook("true")), soon()).unwrap();
    quiesces.resume(run_id(3), 2000);
}

#[test]
fn a_resume_stops_a_before_and_a_limit_counts_it() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    let slow = || Hook { timeout_s: 20, ..app.hook("sleep 1000") };
    let limited = quiesces.quiesce(&app.order(1, Duration::from_millis(400), slow()), soon());
    assert!(matches!(limited, Err(QuiesceError::LetGo { .. })), "{limited:?}");
    assert!(app.told_both(), "{:?}", app.told());
    fs::remove_file(app.notes()).unwrap();

    let order = app.order(2, BOUND, slow());
    std::thread::scope(|scope| {
        let quiesce = scope.spawn(|| quiesces.quiesce(&order, soon()));
        until("it has begun", || !app.told().is_empty());
        quiesces.resume(run_id(2), 2000);
        assert!(matches!(quiesce.join().unwrap(), Err(QuiesceError::LetGo { .. })));
    });
    assert!(app.told_both(), "{:?}", app.told());
}

#[test]
fn an_after_that_fails_is_told_though_all_was_held_and_thawed() {
    let app = App::new();
    let quiesces = app.lab.quiesces();
    let hook =
        Hook { after: app.script("after", "echo it does not come up >&2; exit 1"), ..app.hook("true") };
    quiesces.quiesce(&app.order(1, BOUND, hook), soon()).unwrap();
    let release = quiesces.resume(run_id(1), 2000);
    assert_eq!(release.by, i32::from(v1::ResumedBy::Command));
    assert!(release.trouble.ends_with("it does not come up"), "{release:?}");
    until("it is recorded", || app.lab.ledger.release(&run_id(1)).as_ref() == Some(&release));
}

#[test]
fn it_is_run_by_the_user_that_is_named() {
    let app = App::new();
    let notes = app.notes();
    fs::write(&notes, "").unwrap();
    must("chmod", &["a+rwx", app.lab.path().to_str().unwrap(), notes.to_str().unwrap()]);
    let hook = Hook {
        user: Some("nobody".into()),
        before: app.script("before", &format!("id -un >> {}", notes.display())),
        after: app.script("after", "true"),
        ..app.hook("true")
    };
    let quiesces = app.lab.quiesces();
    quiesces.quiesce(&app.order(1, BOUND, hook), soon()).unwrap();
    quiesces.resume(run_id(1), 2000);
    assert_eq!(app.told().get(1).map(String::as_str), Some("nobody"), "{:?}", app.told());
}
