//! May this command be carried out? Pure: what is known of it and the time are arguments.

use sanfleet_protocol::{Fence, HostId, VERSION, id::IdError, v1};

use crate::{
    actions,
    ledger::{Entry, Intent, Verb},
    trust::Untrusted,
};

/// What the agent knows that bears on one command.
#[derive(Debug, Clone)]
pub struct Knowledge {
    pub host: HostId,
    /// The highest fence seen for the command's run.
    pub fence: Option<Fence>,
    /// The same command, when it was taken before.
    pub entry: Option<Entry>,
    /// What expired then or before may have been carried out and forgotten.
    pub forgotten_until_unix_ms: i64,
    /// It is being carried out at this moment.
    pub is_running: bool,
    /// The run holds a quiesce at this moment.
    pub is_held: bool,
}

#[derive(Debug)]
pub enum Verdict {
    Begin(Box<Admitted>),
    /// It is being carried out: wait for that result.
    Join(sanfleet_protocol::CommandId),
    /// It was carried out: this was the result.
    Answer(Box<v1::CommandResult>),
    Refuse(Refusal),
}

#[derive(Debug, Clone)]
pub struct Admitted {
    pub intent: Intent,
    pub action: v1::command::Action,
    pub issued_at_unix_ms: i64,
}

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Untrusted(Untrusted),
    #[error("the command is of version {0}, and this agent knows version {VERSION} only")]
    Version(u32),
    #[error("the command is for host {0}")]
    OtherHost(String),
    #[error("{0}")]
    Id(IdError),
    #[error("the command holds no action that this agent knows")]
    NoAction,
    #[error("the command expired at {at_unix_ms} ms")]
    Expired { at_unix_ms: i64 },
    #[error("the run has a newer owner: fence {}, and the command has {}", seen.0, got.0)]
    Fence { seen: Fence, got: Fence },
    #[error("the id of this command was used for another one")]
    Reused,
    #[error("this quiesce was begun and is not held any more")]
    QuiesceLost,
    #[error("the first copy of this command was given up")]
    Lost,
}

impl Refusal {
    pub fn kind(&self) -> v1::command_error::Kind {
        match self {
            Self::QuiesceLost | Self::Lost => v1::command_error::Kind::Application,
            _ => v1::command_error::Kind::Refused,
        }
    }
}

pub fn admit(command: &v1::Command, known: &Knowledge, now_unix_ms: i64) -> Verdict {
    match judge(command, known, now_unix_ms) {
        Ok(verdict) => verdict,
        Err(refusal) => Verdict::Refuse(refusal),
    }
}

fn judge(command: &v1::Command, known: &Knowledge, now: i64) -> Result<Verdict, Refusal> {
    let admitted = read(command, known, now)?;
    let Intent { command: id, run, fence, verb, expires_at_unix_ms, .. } = admitted.intent;
    if let Some(seen) = known.fence.filter(|seen| *seen > fence) {
        return Err(Refusal::Fence { seen, got: fence });
    }
    if known.is_running {
        return Ok(Verdict::Join(id));
    }
    if let Some(entry) = &known.entry {
        if (entry.intent.run, entry.intent.verb) != (run, verb) {
            return Err(Refusal::Reused);
        }
        if let Some(result) = &entry.result {
            return Ok(Verdict::Answer(result.clone()));
        }
        // Begun, and cut off by a restart: all verbs can be done again. But a quiesce that no longer holds is not to be
        // begun a second time, because whoever asks believes that it held all the while.
        if verb == Verb::Quiesce && !known.is_held {
            return Err(Refusal::QuiesceLost);
        }
    }
    // A late resume is better than none: it lets go of what this run holds and can do nothing else.
    if expires_at_unix_ms <= now.max(known.forgotten_until_unix_ms) && verb != Verb::Resume {
        return Err(Refusal::Expired { at_unix_ms: expires_at_unix_ms });
    }
    Ok(Verdict::Begin(Box::new(admitted)))
}

fn read(command: &v1::Command, known: &Knowledge, now: i64) -> Result<Admitted, Refusal> {
    if command.version != VERSION {
        return Err(Refusal::Version(command.version));
    }
    if command.host != known.host.as_str() {
        return Err(Refusal::OtherHost(command.host.chars().take(64).collect()));
    }
    let action = command.action.clone().ok_or(Refusal::NoAction)?;
    let intent = Intent {
        command: command.id.parse().map_err(Refusal::Id)?,
        run: command.run.parse().map_err(Refusal::Id)?,
        fence: Fence(command.fence),
        verb: actions::verb(&action),
        at_unix_ms: now,
        expires_at_unix_ms: command.expires_at_unix_ms,
    };
    Ok(Admitted { intent, action, issued_at_unix_ms: command.issued_at_unix_ms })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn command() -> v1::Command {
        v1::Command {
            version: VERSION,
            id: format!("{:032x}", 1),
            host: "db1".into(),
            run: format!("{:032x}", 2),
            step: "mount".into(),
            fence: 5,
            issued_at_unix_ms: NOW - 10,
            expires_at_unix_ms: NOW + 10,
            action: Some(v1::command::Action::ReportNow(v1::ReportNow {})),
        }
    }

    fn unknown() -> Knowledge {
        Knowledge {
            host: "db1".parse().unwrap(),
            fence: None,
            entry: None,
            forgotten_until_unix_ms: 0,
            is_running: false,
            is_held: false,
        }
    }

    fn entry(verb: Verb, result: Option<v1::CommandResult>) -> Option<Entry> {
        let intent = Intent {
            command: command().id.parse().unwrap(),
            run: command().run.parse().unwrap(),
            fence: Fence(5),
            verb,
            at_unix_ms: NOW,
            expires_at_unix_ms: NOW + 10,
        };
        Some(Entry { intent, result: result.map(Box::new) })
    }

    fn refusal(command: &v1::Command, known: &Knowledge) -> Refusal {
        match admit(command, known, NOW) {
            Verdict::Refuse(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_command_is_begun() {
        let Verdict::Begin(admitted) = admit(&command(), &unknown(), NOW) else { panic!() };
        assert_eq!(admitted.intent.verb, Verb::ReportNow);
        assert_eq!(admitted.intent.fence, Fence(5));
    }

    #[test]
    fn what_is_foreign_expired_or_of_another_version_is_refused() {
        let known = unknown();
        let other = v1::Command { host: "db2".into(), ..command() };
        assert_eq!(refusal(&other, &known), Refusal::OtherHost("db2".into()));
        let late = v1::Command { expires_at_unix_ms: NOW, ..command() };
        assert_eq!(refusal(&late, &known), Refusal::Expired { at_unix_ms: NOW });
        assert_eq!(refusal(&v1::Command { version: 2, ..command() }, &known), Refusal::Version(2));
        assert_eq!(refusal(&v1::Command { action: None, ..command() }, &known), Refusal::NoAction);
        assert!(matches!(refusal(&v1::Command { id: "x".into(), ..command() }, &known), Refusal::Id(_)));
        assert!(matches!(refusal(&v1::Command { run: "x".into(), ..command() }, &known), Refusal::Id(_)));
    }

    #[test]
    fn what_may_have_been_carried_out_and_forgotten_is_refused_whatever_the_clock_says() {
        let known = Knowledge { forgotten_until_unix_ms: NOW + 10, ..unknown() };
        assert_eq!(refusal(&command(), &known), Refusal::Expired { at_unix_ms: NOW + 10 });
        let known = Knowledge { forgotten_until_unix_ms: NOW + 9, ..known };
        assert!(matches!(admit(&command(), &known, NOW), Verdict::Begin(_)));
    }

    #[test]
    fn an_owner_that_was_replaced_is_refused_and_its_repetitions_too() {
        let known = Knowledge { fence: Some(Fence(6)), ..unknown() };
        assert_eq!(refusal(&command(), &known), Refusal::Fence { seen: Fence(6), got: Fence(5) });
        let known = Knowledge { entry: entry(Verb::ReportNow, Some(Default::default())), ..known };
        assert!(matches!(refusal(&command(), &known), Refusal::Fence { .. }));
        let same = Knowledge { fence: Some(Fence(5)), ..unknown() };
        assert!(matches!(admit(&command(), &same, NOW), Verdict::Begin(_)));
    }

    #[test]
    fn a_repeated_command_gets_the_first_result_even_after_its_expiry() {
        let result = v1::CommandResult { duration_us: 7, ..Default::default() };
        let known = Knowledge { entry: entry(Verb::ReportNow, Some(result.clone())), ..unknown() };
        let Verdict::Answer(answer) = admit(&command(), &known, NOW + 1000) else { panic!() };
        assert_eq!(*answer, result);
    }

    #[test]
    fn a_command_that_still_runs_is_joined() {
        let known = Knowledge { entry: entry(Verb::ReportNow, None), is_running: true, ..unknown() };
        assert!(matches!(admit(&command(), &known, NOW), Verdict::Join(_)));
    }

    #[test]
    fn a_command_that_a_restart_cut_off_is_done_again_but_a_quiesce_is_lost() {
        let known = Knowledge { entry: entry(Verb::ReportNow, None), ..unknown() };
        assert!(matches!(admit(&command(), &known, NOW), Verdict::Begin(_)));
        let quiesce = v1::command::Action::Quiesce(v1::Quiesce::default());
        let command = v1::Command { action: Some(quiesce), ..command() };
        let known = Knowledge { entry: entry(Verb::Quiesce, None), ..unknown() };
        assert_eq!(refusal(&command, &known), Refusal::QuiesceLost);
        // While it is held, the answer is the same again.
        let held = Knowledge { is_held: true, ..known };
        assert!(matches!(admit(&command, &held, NOW), Verdict::Begin(_)));
    }

    #[test]
    fn an_id_names_one_command_and_no_other() {
        let known = Knowledge { entry: entry(Verb::Mount, None), ..unknown() };
        assert_eq!(refusal(&command(), &known), Refusal::Reused);
    }

    #[test]
    fn a_resume_comes_never_too_late() {
        let resume = v1::command::Action::Resume(v1::Resume {});
        let command = v1::Command { action: Some(resume), expires_at_unix_ms: 0, ..command() };
        assert!(matches!(admit(&command, &unknown(), NOW), Verdict::Begin(_)));
    }

    proptest! {
        #[test]
        fn nothing_of_a_lower_fence_is_ever_begun(got: u64, seen: u64, running: bool) {
            let known = Knowledge { fence: Some(Fence(seen)), is_running: running, ..unknown() };
            let command = v1::Command { fence: got, ..command() };
            let refused = matches!(admit(&command, &known, NOW), Verdict::Refuse(Refusal::Fence { .. }));
            prop_assert_eq!(refused, got < seen);
        }

        #[test]
        fn any_texts_and_times_are_judged(id in "\\PC{0,40}", host in "\\PC{0,70}", at: i64, now: i64) {
            let command = v1::Command { id, host, expires_at_unix_ms: at, ..command() };
            let _ = admit(&command, &unknown(), now);
        }
    }
}
