//! Several file systems in one hold: all are still at one moment, in whatever way they lie on each other.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use sanfleet_agent::{
    actions::{Action, Errand, Workshop},
    host::Host,
    ledger::Record,
    quiesce::{Held, Order, QuiesceError, word::How},
};
use sanfleet_protocol::{MountPoint, v1};

use crate::lab::{BOUND, Lab, must, run_id, soon, until, volume};

/// What a writer counts up, in a file of each of two places, always in the first one first.
fn count_up(first: &MountPoint, second: &MountPoint, counted: &AtomicU64, closing: &AtomicBool) {
    let open = |at: &MountPoint| {
        let file = at.as_path().join("count");
        OpenOptions::new().create(true).truncate(false).write(true).open(file).unwrap()
    };
    let (first, second) = (open(first), open(second));
    while !closing.load(Ordering::Relaxed) {
        let next = counted.load(Ordering::Relaxed) + 1;
        for file in [&first, &second] {
            file.write_all_at(format!("{next:020}").as_bytes(), 0).unwrap();
            file.sync_data().unwrap();
        }
        counted.store(next, Ordering::Relaxed);
    }
}

fn is_frozen(at: &MountPoint) -> bool {
    let frozen = Command::new("fsfreeze").args(["--freeze", at.as_str()]).output().unwrap();
    if frozen.status.success() {
        must("fsfreeze", &["--unfreeze", at.as_str()]);
    }
    !frozen.status.success()
}

fn order(run: u32, first: &MountPoint, also: &[&MountPoint], dead_man: Duration) -> Order {
    let also = also.iter().map(|at| (*at).clone()).collect();
    Order::new(run_id(run), 1000, How::Freeze, (first.clone(), also), dead_man)
}

/// What is in a copy of a volume.
fn counted_in(lab: &Lab, copy: &Path, name: &str) -> u64 {
    let at = lab.at(name);
    fs::create_dir(at.as_path()).unwrap();
    must("mount", &["-o", "loop", copy.to_str().unwrap(), at.as_str()]);
    fs::read_to_string(at.as_path().join("count")).unwrap().parse().unwrap()
}

#[test]
fn copies_of_two_volumes_are_of_one_moment() {
    let lab = Lab::new();
    let (first, second) = (lab.mounted(1, "first"), lab.mounted(2, "second"));
    let (counted, closing) = (AtomicU64::new(0), AtomicBool::new(false));
    let quiesces = lab.quiesces();
    thread::scope(|scope| {
        scope.spawn(|| count_up(&first, &second, &counted, &closing));
        until("the writer writes", || counted.load(Ordering::Relaxed) > 20);
        quiesces.quiesce(&order(1, &second, &[&first], BOUND), soon()).unwrap();
        let confirmed = counted.load(Ordering::Relaxed);
        for name in ["second", "first"] {
            fs::copy(lab.path().join(format!("{name}.volume")), lab.path().join(format!("{name}.copy")))
                .unwrap();
        }
        assert!(counted.load(Ordering::Relaxed) <= confirmed + 1, "the writer wrote on");
        assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::Command));
        until("the writer goes on", || counted.load(Ordering::Relaxed) > confirmed + 5);
        closing.store(true, Ordering::Relaxed);
        let in_first = counted_in(&lab, &lab.path().join("first.copy"), "first-copy");
        let in_second = counted_in(&lab, &lab.path().join("second.copy"), "second-copy");
        assert!(in_second >= confirmed, "{confirmed} was confirmed, {in_second} is there");
        assert!(in_first == in_second || in_first == in_second + 1, "{in_first} and {in_second}");
    });
}

/// A file system, and another one on a file of it.
fn stacked(lab: &Lab) -> [MountPoint; 2] {
    let below = lab.mounted(1, "below");
    let file = below.as_path().join("file");
    File::create(&file).unwrap().set_len(64 << 20).unwrap();
    must("mkfs.ext4", &["-q", file.to_str().unwrap()]);
    let above = lab.at("above");
    fs::create_dir(above.as_path()).unwrap();
    must("mount", &["-o", "loop", file.to_str().unwrap(), above.as_str()]);
    [below, above]
}

#[test]
fn a_file_system_on_a_file_of_another_is_frozen_with_it_and_thawed() {
    let lab = Lab::new();
    let [below, above] = stacked(&lab);

    let quiesces = lab.quiesces();
    for run in 1..=5 {
        File::create(above.as_path().join("dirty")).unwrap().write_all(&vec![7; 4 << 20]).unwrap();
        // Last mounted first. The other way round the first freeze would keep the second from writing back, for ever.
        quiesces.quiesce(&order(run, &above, &[&below], BOUND), soon()).unwrap();
        assert_eq!(quiesces.resume(run_id(run), 2000).by, i32::from(v1::ResumedBy::Command));
    }
    assert!(!is_frozen(&above) && !is_frozen(&below));
    must("umount", &[above.as_str()]);
}

#[test]
fn the_wrong_order_is_let_go_of_at_the_limit() {
    let lab = Lab::new();
    let [below, above] = stacked(&lab);
    // To freeze the one above is to write to the one below, which takes nothing any more.
    let held = lab.quiesces().quiesce(&order(1, &below, &[&above], Duration::from_secs(1)), soon());
    assert!(matches!(held, Err(QuiesceError::LetGo { .. })), "{held:?}");
    until("both are thawed", || !is_frozen(&above) && !is_frozen(&below));
    must("umount", &[above.as_str()]);
}

#[test]
fn the_guard_is_killed_and_all_of_them_are_thawed() {
    let lab = Lab::new();
    let (first, second) = (lab.mounted(1, "first"), lab.mounted(2, "second"));
    let quiesces = lab.quiesces();
    quiesces.quiesce(&order(1, &first, &[&second], BOUND), soon()).unwrap();
    assert!(is_frozen(&first) && is_frozen(&second));
    must("kill", &["-KILL", &quiesces.guard_process(&run_id(1)).unwrap().to_string()]);
    assert_eq!(quiesces.await_end(run_id(1), BOUND).unwrap().by, i32::from(v1::ResumedBy::Loss));
    assert!(!is_frozen(&first) && !is_frozen(&second));
}

#[test]
fn what_the_ledger_says_was_held_is_all_thawed_at_start() {
    let lab = Lab::new();
    let (first, second) = (lab.mounted(1, "first"), lab.mounted(2, "second"));
    let held = Held { also: vec![second.clone()], ..Held::one(first.clone()) };
    lab.ledger.write(vec![Record::Holding { run: run_id(1), held }], 0).unwrap();
    for at in [&first, &second] {
        must("fsfreeze", &["--freeze", at.as_str()]);
    }
    lab.quiesces().thaw_what_was_held().unwrap();
    assert!(!is_frozen(&first) && !is_frozen(&second));
}

#[test]
fn one_that_somebody_else_froze_lets_go_of_the_others_and_stays_as_it_was() {
    let lab = Lab::new();
    let (first, second) = (lab.mounted(1, "first"), lab.mounted(2, "second"));
    must("fsfreeze", &["--freeze", second.as_str()]);
    let error = lab.quiesces().quiesce(&order(1, &first, &[&second], BOUND), soon()).unwrap_err();
    assert!(error.to_string().contains("frozen already"), "{error}");
    assert!(!is_frozen(&first) && is_frozen(&second));
    must("fsfreeze", &["--unfreeze", second.as_str()]);
}

#[test]
fn a_place_that_another_run_holds_is_named() {
    let lab = Lab::new();
    let (first, second) = (lab.mounted(1, "first"), lab.mounted(2, "second"));
    let quiesces = lab.quiesces();
    quiesces.quiesce(&order(1, &second, &[], BOUND), soon()).unwrap();
    let busy = quiesces.quiesce(&order(2, &first, &[&second], BOUND), soon());
    assert!(matches!(&busy, Err(QuiesceError::Busy { at, .. }) if *at == second), "{busy:?}");
    quiesces.resume(run_id(1), 2000);
}

#[test]
fn a_command_proves_each_volume_before_any_is_held() {
    let lab = Lab::new();
    let (first, second) = (lab.mounted(1, "first"), lab.mounted(2, "second"));
    let host: std::sync::Arc<dyn Host> = std::sync::Arc::new(lab.host());
    let workshop: Workshop = lab.workshop(host);
    let quiesce = |run, other: u8| {
        let also =
            vec![v1::HeldVolume { mount_point: second.to_string(), volume_id: volume(other).to_string() }];
        let quiesce = v1::Quiesce {
            mount_point: first.to_string(),
            volume_id: volume(1).to_string(),
            method: v1::QuiesceMethod::Fsfreeze.into(),
            dead_man_ms: 5_000,
            also,
            ..Default::default()
        };
        let action = Action::parse(&v1::command::Action::Quiesce(quiesce)).unwrap();
        workshop.perform(action, Errand { run: run_id(run), issued_at_unix_ms: 1000, deadline: soon() })
    };
    let error = quiesce(1, 7).unwrap_err();
    assert_eq!(error.kind(), v1::command_error::Kind::WrongVolume, "{error}");
    assert!(!is_frozen(&first) && !is_frozen(&second));
    quiesce(2, 2).unwrap();
    assert!(is_frozen(&first) && is_frozen(&second));
    workshop.quiesces.resume(run_id(2), 2000);
}
