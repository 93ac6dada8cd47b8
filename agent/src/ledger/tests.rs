//! The ledger on a real disk: what a kill, a torn end and a damaged byte leave of it.

use std::fs;

use proptest::prelude::*;
use sanfleet_protocol::v1;

use super::*;
use crate::config::{Argv, Hook};

const NOW: i64 = 1_000_000;

fn command(n: u128) -> CommandId {
    format!("{n:032x}").parse().unwrap()
}

fn run(n: u128) -> RunId {
    format!("{n:032x}").parse().unwrap()
}

fn intent(n: u128) -> Record {
    Record::Intent(Intent {
        command: command(n),
        run: run(1),
        fence: Fence(u64::try_from(n).unwrap()),
        verb: Verb::Mount,
        at_unix_ms: NOW,
        expires_at_unix_ms: NOW + 1000,
    })
}

fn result(n: u128) -> Record {
    let result = v1::CommandResult { version: 1, id: command(n).to_string(), ..Default::default() };
    Record::Result { command: command(n), result: Box::new(result) }
}

/// What a test can see of a ledger: of each command, whether it is there and whether it is done.
fn seen(ledger: &Ledger, commands: u128) -> Vec<(bool, bool)> {
    (0..commands)
        .map(|n| ledger.entry(&command(n)))
        .map(|entry| (entry.is_some(), entry.is_some_and(|e| e.result.is_some())))
        .collect()
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let volume: VolumeId = "naa.60014053fef180bf1000000000000000".parse().unwrap();
    let device = Attachment {
        name: "loop7".into(),
        number: crate::host::DeviceNumber { major: 7, minor: 7 },
        disk_sequence: 12,
    };
    let release = Release { by: 2, blocked_us: 7, at_unix_ms: NOW, trouble: "its hook failed".into() };
    let held = Held::one("/srv/a".parse().unwrap());
    let holding = |n| Record::Holding { run: run(n), held: held.clone() };
    let ledger = Ledger::open(directory.path(), NOW).unwrap();
    let attached = Record::Attached { volume: volume.clone(), device: device.clone() };
    ledger.write(vec![intent(3), attached, holding(1), holding(2)], NOW).unwrap();
    ledger.write(vec![result(3), Record::Released { run: run(2), release: release.clone() }], NOW).unwrap();
    drop(ledger);

    let again = Ledger::open(directory.path(), NOW).unwrap();
    assert!(again.entry(&command(3)).unwrap().result.is_some());
    assert_eq!(again.fence(&run(1)), Some(Fence(3)));
    assert_eq!(again.attachment(&volume), Some(device));
    assert_eq!(again.held(), [(run(1), held)]);
    assert_eq!(again.release(&run(2)), Some(release));
}

#[test]
fn two_agents_cannot_share_a_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Ledger::open(directory.path(), NOW).unwrap();
    assert!(matches!(Ledger::open(directory.path(), NOW), Err(LedgerError::InUse { .. })));
}

#[test]
fn a_command_is_forgotten_a_minute_after_its_expiry_and_its_fence_is_not() {
    let directory = tempfile::tempdir().unwrap();
    Ledger::open(directory.path(), NOW).unwrap().write(vec![intent(3), result(3)], NOW).unwrap();
    let later = Ledger::open(directory.path(), NOW + 1001 + 60 * 1000).unwrap();
    assert_eq!(later.entry(&command(3)), None);
    assert_eq!(later.fence(&run(1)), Some(Fence(3)));
    drop(later);
    // The clock is set back, and the agent is started again: that the command is forgotten is not.
    let again = Ledger::open(directory.path(), NOW).unwrap();
    let Record::Intent(forgotten) = intent(3) else { panic!("an intent") };
    assert!(again.forgotten_until_unix_ms() >= forgotten.expires_at_unix_ms);
}

#[test]
fn an_agent_that_is_at_work_all_the_time_remembers_no_more_commands_than_may_still_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path(), NOW).unwrap();
    // One a second, each for a second.
    for n in 0..1000u16 {
        let (now, n) = (NOW + i64::from(n) * 1000, u128::from(n));
        let Record::Intent(first) = intent(n) else { panic!("an intent") };
        let each = Intent { at_unix_ms: now, expires_at_unix_ms: now + 1000, ..first };
        ledger.write(vec![Record::Intent(each), result(n)], now).unwrap();
    }
    let known = (0..1000).filter(|n| ledger.entry(&command(*n)).is_some()).count();
    assert!((61..=62 + 62 / 2 + 1).contains(&known), "{known}");
}

#[test]
fn a_ledger_that_grows_is_written_anew_with_what_still_counts() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path(), NOW).unwrap();
    let again: Vec<Record> = (0..8000).map(|_| intent(4)).collect();
    ledger.write(again, NOW).unwrap();
    let bytes = fs::metadata(directory.path().join("ledger")).unwrap().len();
    assert!(bytes < 10_000, "{bytes} bytes for one command");
    ledger.write(vec![result(4)], NOW).unwrap();
    drop(ledger);
    assert!(Ledger::open(directory.path(), NOW).unwrap().entry(&command(4)).unwrap().result.is_some());
}

#[test]
fn a_full_disk_is_an_error_and_the_ledger_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path(), NOW).unwrap();
    ledger.write(vec![intent(1)], NOW).unwrap();
    // /dev/full refuses every write with "no space left".
    let whole = {
        let mut log = locked(&ledger.log);
        std::mem::replace(&mut *log, log::tests::full(directory.path()))
    };
    let error = ledger.write(vec![intent(2)], NOW).unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(ledger.entry(&command(2)), None);
    *locked(&ledger.log) = whole;
    ledger.write(vec![intent(2)], NOW).unwrap();
    assert!(ledger.entry(&command(2)).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_that_ends_anywhere_keeps_all_whole_records_and_can_be_written_on(cut in 0.0f64..1.0) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Ledger::open(directory.path(), NOW).unwrap();
        let mut ends = vec![];
        for n in 0..4 {
            ledger.write(vec![intent(n)], NOW).unwrap();
            ends.push(fs::metadata(&path).unwrap().len());
            ledger.write(vec![result(n)], NOW).unwrap();
            ends.push(fs::metadata(&path).unwrap().len());
        }
        drop(ledger);
        let bytes = fs::read(&path).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let cut = (bytes.len() as f64 * cut) as usize;
        fs::write(&path, &bytes[..cut]).unwrap();

        let whole = |end: u64| end <= cut as u64;
        let expected: Vec<_> = ends.chunks(2).map(|pair| (whole(pair[0]), whole(pair[1]))).collect();
        let ledger = Ledger::open(directory.path(), NOW).unwrap();
        prop_assert_eq!(seen(&ledger, 4), expected);
        ledger.write(vec![intent(9)], NOW).unwrap();
        drop(ledger);
        prop_assert!(Ledger::open(directory.path(), NOW).unwrap().entry(&command(9)).is_some());
    }

    #[test]
    fn a_damaged_byte_never_makes_up_a_record(at in 0usize..2000, by in 1u8..=255) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Ledger::open(directory.path(), NOW).unwrap();
        ledger.write((0..4).flat_map(|n| [intent(n), result(n)]).collect(), NOW).unwrap();
        drop(ledger);
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= by;
        fs::write(&path, &bytes).unwrap();

        let found = seen(&Ledger::open(directory.path(), NOW).unwrap(), 4);
        let first_missing = found.iter().position(|(there, _)| !there).unwrap_or(4);
        prop_assert!(found[first_missing..].iter().all(|entry| *entry == (false, false)));
        prop_assert!(found.iter().filter(|(_, done)| *done).count() < 4);
    }
}

#[test]
fn what_is_held_is_read_as_earlier_versions_wrote_it_and_with_all_that_it_has_now() {
    let earlier = format!(r#"{{"holding":{{"run":"{}","mount_point":"/srv/a"}}}}"#, run(1));
    let one = Held::one("/srv/a".parse().unwrap());
    assert_eq!(
        serde_json::from_str::<Record>(&earlier).unwrap(),
        Record::Holding { run: run(1), held: one.clone() }
    );
    let hook = Hook {
        name: "app".parse().unwrap(),
        mount_point: one.mount_point.clone(),
        before: Argv::new(vec!["/bin/true".into()]).unwrap(),
        after: Argv::new(vec!["/bin/echo".into(), "a b".into()]).unwrap(),
        timeout_s: 3,
        user: Some("nobody".into()),
    };
    let all = Held { also: vec!["/srv/b".parse().unwrap()], hook: Some(hook), ..one };
    let record = Record::Holding { run: run(1), held: all };
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
}
