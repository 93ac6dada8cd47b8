//! `sanfleet run`: durable procedures, under way and done.

use sanfleet_protocol::v1;

use super::{Console, host};
use crate::{
    args::RunCommand,
    exit::Exit,
    failure::Failure,
    follow, output,
    output::{Cell, Table, Tone, View, human},
    progress,
};

pub async fn run(console: &Console, command: RunCommand) -> Result<Exit, Failure> {
    match command {
        RunCommand::List { limit } => console.ask(v1::RunListRequest { limit }, list).await,
        RunCommand::Show { run } => console.ask(v1::RunShowRequest { run: run.into_inner() }, one).await,
        RunCommand::Watch { run } => watch(console, run.into_inner()).await,
    }
}

/// Follows a run to its end, shows what came of it, and leaves with a status that says so.
pub async fn watch(console: &Console, run: String) -> Result<Exit, Failure> {
    let run = follow::to_the_end(&console.client, console.output.talk(), run, console.timeout).await?;
    let exit = Exit::of_run(run.state());
    if let Some(trouble) = trouble(&run) {
        output::say(&trouble);
    }
    console.output.show(&v1::RunShowReply { run: Some(run) }, outcome)?;
    Ok(exit)
}

/// Why a run did not succeed, and what to do next.
fn trouble(run: &v1::Run) -> Option<String> {
    let next = match run.state() {
        v1::RunState::Undone => {
            "everything that it had done was taken back; start it again when the cause is gone"
        }
        v1::RunState::Failed => "what it had done stays; start it again to go on from there",
        v1::RunState::Stuck => "it could not be taken back, and a person has to look",
        _ => return None,
    };
    let why = if run.error.is_empty() { "no reason was given" } else { &run.error };
    let said = format!(
        "error: run {} is {}\n  because: {why}\n  next: {next}; the steps are in: sanfleet run show {}",
        run.id,
        progress::run_state(run.state()).text(),
        run.id
    );
    Some(sanfleet_protocol::limits::legible(&said))
}

fn list(reply: &v1::RunListReply) -> View {
    View::table(table(&reply.runs))
}

pub fn table(runs: &[v1::Run]) -> Table {
    let rows = runs.iter().map(|run| {
        [
            Cell::from(&run.id),
            progress::run_state(run.state()),
            Cell::from(if run.title.is_empty() { &run.procedure } else { &run.title }),
            Cell::from(human::moment(run.created_at_unix_ms)),
            Cell::from(took(run)),
            Cell::from(&run.error),
        ]
    });
    Table::new(["RUN", "STATE", "WHAT", "STARTED", "TOOK", "ERROR"], rows)
}

/// How long a run took from beginning to end; nothing while it has no end.
fn took(run: &v1::Run) -> String {
    let millis = run.finished_at_unix_ms.saturating_sub(run.created_at_unix_ms);
    match u64::try_from(millis) {
        Ok(millis) if run.finished_at_unix_ms != 0 => human::micros(millis.saturating_mul(1000)),
        _ => String::new(),
    }
}

fn one(reply: &v1::RunShowReply) -> View {
    let run = reply.run.clone().unwrap_or_default();
    let mut fields = vec![
        ("run", Cell::from(&run.id)),
        ("what", Cell::from(&run.title)),
        ("state", progress::run_state(run.state())),
        ("started", human::moment(run.created_at_unix_ms).into()),
        ("ended", human::moment(run.finished_at_unix_ms).into()),
        ("took", took(&run).into()),
    ];
    if !run.error.is_empty() {
        fields.push(("error", Cell::toned(&run.error, Tone::Bad)));
    }
    fields.extend(result(&run));
    View::fields(fields).and_table_if_any("Steps", steps(&run.steps))
}

fn steps(steps: &[v1::RunStep]) -> Table {
    let rows = steps.iter().map(|step| {
        [
            Cell::from(&step.name),
            progress::step_state(step.state()),
            Cell::from(step.attempts.to_string()),
            Cell::from(if step.duration_us == 0 { String::new() } else { human::micros(step.duration_us) }),
            Cell::from(&step.error),
        ]
    });
    Table::new(["STEP", "STATE", "ATTEMPTS", "TOOK", "ERROR"], rows)
}

/// What came of a run that was followed: its steps were seen already.
fn outcome(reply: &v1::RunShowReply) -> View {
    let run = reply.run.clone().unwrap_or_default();
    let mut fields = vec![
        ("run", Cell::from(&run.id)),
        ("state", progress::run_state(run.state())),
        ("took", took(&run).into()),
    ];
    fields.extend(result(&run));
    View::fields(fields)
}

/// What a backup attach leaves behind: where the copy is, what it cost the application, how to get rid of it.
fn result(run: &v1::Run) -> Vec<(&'static str, Cell)> {
    let mut fields = Vec::new();
    if let Some(copied) = &run.copied {
        fields.push(("writes blocked", blocked(copied).into()));
    }
    if let Some(copy) = &run.attachment {
        fields.push((
            "mounted at",
            format!("{}:{} ({})", copy.host, copy.mount_point, host::access(copy.read_write)).into(),
        ));
        fields.push(("copy of", format!("{}:{}", copy.source_host, copy.source_mount_point).into()));
        fields.push(("volume", format!("{} on {}, {}", copy.volume_name, copy.array, copy.volume_id).into()));
        fields.push(("detach with", format!("sanfleet backup detach {}", copy.id).into()));
    }
    fields
}

fn blocked(copied: &v1::VolumeCopied) -> String {
    format!(
        "{} (quiesce {}, replicate {}, resume {})",
        human::micros(copied.blocked_us),
        human::micros(copied.quiesce_us),
        human::micros(copied.replicate_us),
        human::micros(copied.resume_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached() -> v1::Run {
        v1::Run {
            id: "0199-7".to_owned(),
            title: "attach a copy".to_owned(),
            state: v1::RunState::Succeeded as i32,
            created_at_unix_ms: 1_000,
            finished_at_unix_ms: 2_500,
            steps: vec![v1::RunStep {
                name: "mount".to_owned(),
                state: v1::StepState::Done as i32,
                attempts: 1,
                duration_us: 42_000,
                ..Default::default()
            }],
            attachment: Some(v1::Attachment {
                id: "0199-7".to_owned(),
                host: "backup1".to_owned(),
                mount_point: "/mnt/copy".to_owned(),
                array: "sim1".to_owned(),
                volume_name: "nightly".to_owned(),
                volume_id: "naa.6001".to_owned(),
                source_host: "db1".to_owned(),
                source_mount_point: "/var/lib/mysql".to_owned(),
                ..Default::default()
            }),
            copied: Some(v1::VolumeCopied {
                quiesce_us: 3_100,
                replicate_us: 8_000,
                resume_us: 900,
                blocked_us: 12_300,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_end_of_an_attach_says_where_what_and_how_to_undo_it() {
        assert_eq!(
            outcome(&v1::RunShowReply { run: Some(attached()) }).plain(),
            "run             0199-7\n\
             state           succeeded\n\
             took            1.5 s\n\
             writes blocked  12.3 ms (quiesce 3.1 ms, replicate 8 ms, resume 900 µs)\n\
             mounted at      backup1:/mnt/copy (read-only)\n\
             copy of         db1:/var/lib/mysql\n\
             volume          nightly on sim1, naa.6001\n\
             detach with     sanfleet backup detach 0199-7\n"
        );
    }

    #[test]
    fn a_run_is_shown_with_every_step() {
        let shown = one(&v1::RunShowReply { run: Some(attached()) }).piped();
        assert!(shown.contains("mount\tdone\t1\t42 ms\t-"), "{shown}");
    }

    #[test]
    fn a_run_that_succeeded_is_no_trouble_and_a_stuck_one_needs_a_person() {
        assert!(trouble(&attached()).is_none());
        let stuck = v1::Run {
            state: v1::RunState::Stuck as i32,
            error: "cannot unmask\u{1b}[2J".to_owned(),
            ..attached()
        };
        let said = trouble(&stuck).unwrap();
        assert!(said.contains("stuck") && said.contains("a person") && !said.contains('\u{1b}'), "{said}");
    }

    #[test]
    fn a_clock_that_went_back_gives_no_length() {
        let run = v1::Run { created_at_unix_ms: 5_000, finished_at_unix_ms: 4_000, ..Default::default() };
        assert_eq!(took(&run), "");
    }
}
