//! `sanfleet run`: durable procedures, under way and done.

use sanfleet_protocol::v1;

use super::{Console, host};
use crate::{
    args::{RunCommand, RunRef},
    exit::Exit,
    failure::Failure,
    follow, output,
    output::{Cell, Table, Tone, View, human},
    progress,
};

pub async fn run(console: &Console, command: RunCommand) -> Result<Exit, Failure> {
    match command {
        RunCommand::List { limit } => console.ask(v1::RunListRequest { limit }, list).await,
        RunCommand::Show { run } => {
            console.ask(v1::RunShowRequest { run: run.into_inner(), parts: true }, one).await
        }
        RunCommand::Watch { run } => watch(console, run.into_inner()).await,
        RunCommand::Pause { run } => control(console, run, v1::RunVerb::Pause).await,
        RunCommand::Resume { run } => control(console, run, v1::RunVerb::Resume).await,
        RunCommand::Cancel { run } => control(console, run, v1::RunVerb::Cancel).await,
        RunCommand::Retry { run } => control(console, run, v1::RunVerb::Retry).await,
    }
}

/// Asks something of a run. What comes of it is for `run watch`: a step that is under way ends first.
async fn control(console: &Console, run: RunRef, verb: v1::RunVerb) -> Result<Exit, Failure> {
    let by = std::env::var("USER").unwrap_or_default();
    let request = v1::RunControlRequest { run: run.into_inner(), verb: verb.into(), by };
    console.ask(request, controlled).await
}

fn controlled(reply: &v1::RunControlReply) -> View {
    let run = reply.run.clone().unwrap_or_default();
    View::fields(vec![
        ("run", Cell::from(&run.id)),
        ("state", state(&run)),
        ("watch with", format!("sanfleet run watch {}", run.id).into()),
    ])
}

/// A run's state, and what was asked of it.
fn state(run: &v1::Run) -> Cell {
    let state = progress::run_state(run.state());
    match (progress::has_ended(run), run.paused, run.cancelled) {
        (false, true, _) => Cell::toned("paused", Tone::Busy),
        (false, _, true) => Cell::toned("being cancelled", Tone::Busy),
        _ => state,
    }
}

/// Follows a run to its end, shows what came of it, and leaves with a status that says so.
pub async fn watch(console: &Console, run: String) -> Result<Exit, Failure> {
    let run = follow::to_the_end(&console.client, console.output.talk(), run, console.timeout).await?;
    let exit = Exit::of_run(run.state());
    if let Some(trouble) = trouble(&run) {
        output::say(&trouble);
    }
    console.output.show(&v1::RunShowReply { run: Some(run), parts: Vec::new() }, outcome)?;
    Ok(exit)
}

/// Why a run did not succeed, and what to do next.
fn trouble(run: &v1::Run) -> Option<String> {
    let next = match run.state() {
        v1::RunState::Undone => {
            "everything that it had done was taken back; start it again when the cause is gone"
        }
        v1::RunState::Failed => "what it had done stays; `sanfleet run retry` goes on from there",
        v1::RunState::Partial => "`sanfleet run retry` tries the hosts that failed again",
        v1::RunState::Stuck => {
            "it could not be taken back, and a person has to look; then `sanfleet run retry` goes on with the way back"
        }
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
            state(run),
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
        ("state", state(&run)),
        ("started", human::moment(run.created_at_unix_ms).into()),
        ("ended", human::moment(run.finished_at_unix_ms).into()),
        ("took", took(&run).into()),
    ];
    if !run.error.is_empty() {
        fields.push(("error", Cell::toned(&run.error, Tone::Bad)));
    }
    if let Some(parts) = &run.parts {
        fields.push(("parts", counted(parts).into()));
    }
    if run.left_ms > 0 {
        fields.push(("time left", format!("about {}", human::micros(run.left_ms * 1_000)).into()));
    }
    fields.push(("carried out by", Cell::from(&run.owner)));
    fields.extend(result(&run));
    View::fields(fields)
        .and_table_if_any("Steps", steps(&run.steps))
        .and_table_if_any("What went wrong", troubles(&run.troubles))
        .and_table_if_any("Parts", table(&reply.parts))
}

fn counted(parts: &v1::RunParts) -> String {
    let counts = [
        ("running", parts.running),
        ("succeeded", parts.succeeded),
        ("failed", parts.failed),
        ("stuck", parts.stuck),
    ];
    let told = counts.into_iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told.map(|(what, count)| format!("{count} {what}")).collect();
    format!("{} of {}", told.join(", "), parts.all)
}

fn troubles(troubles: &[v1::RunTrouble]) -> Table {
    let rows = troubles.iter().map(|trouble| {
        let way = if trouble.undoing { "back" } else { "forth" };
        [
            Cell::from(human::moment(trouble.at_unix_ms)),
            Cell::from(&trouble.step),
            Cell::from(way),
            Cell::from(&trouble.error),
        ]
    });
    Table::new(["AT", "STEP", "WAY", "ERROR"], rows)
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
    for copy in run.attachment.iter().chain(&run.also_attached) {
        fields.push((
            "mounted at",
            format!("{}:{} ({})", copy.host, copy.mount_point, host::access(copy.read_write)).into(),
        ));
        fields.push(("copy of", format!("{}:{}", copy.source_host, copy.source_mount_point).into()));
        fields.push(("volume", format!("{} on {}, {}", copy.volume_name, copy.array, copy.volume_id).into()));
    }
    if let Some(first) = &run.attachment {
        fields.push(("detach with", format!("sanfleet backup detach {}", first.id).into()));
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
            outcome(&v1::RunShowReply { run: Some(attached()), parts: Vec::new() }).plain(),
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
        let shown = one(&v1::RunShowReply { run: Some(attached()), parts: Vec::new() }).piped();
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
    fn a_run_with_parts_counts_them_and_shows_why_it_went_wrong() {
        let trouble =
            v1::RunTrouble { step: "mask".into(), undoing: true, error: "gone".into(), at_unix_ms: 1 };
        let parts = v1::RunParts { all: 5, running: 1, succeeded: 3, failed: 1, stuck: 0 };
        let run = v1::Run { parts: Some(parts), troubles: vec![trouble], ..attached() };
        let shown = one(&v1::RunShowReply { run: Some(run), parts: vec![attached()] }).piped();
        assert!(shown.contains("parts\t1 running, 3 succeeded, 1 failed of 5"), "{shown}");
        assert!(shown.contains("\tmask\tback\tgone"), "{shown}");
    }

    #[test]
    fn what_was_asked_of_a_run_shows_while_it_goes_on() {
        let paused = v1::Run { state: v1::RunState::Running as i32, paused: true, ..attached() };
        assert_eq!(state(&paused).text(), "paused");
        assert_eq!(state(&v1::Run { paused: true, ..attached() }).text(), "succeeded");
    }

    #[test]
    fn a_clock_that_went_back_gives_no_length() {
        let run = v1::Run { created_at_unix_ms: 5_000, finished_at_unix_ms: 4_000, ..Default::default() };
        assert_eq!(took(&run), "");
    }
}
