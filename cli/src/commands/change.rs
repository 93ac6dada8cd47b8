//! What every command that changes storage does: plan, show, ask, begin the run, follow it.

use std::time::Duration;

use sanfleet_protocol::v1;

use super::{Console, run::watch};
use crate::{
    args::{How, PlanRef},
    client::{ClientError, Operation},
    exit::Exit,
    failure::Failure,
    follow,
    output::{self, Cell, Table, Tone, View, human, paint},
    terminal::{self, Consent},
};

/// A request for a change: it can be planned alone, and then be wanted exactly as it was planned.
pub trait Change: Operation<Reply = v1::RunReply> + Clone {
    fn planned_only(self) -> Self;
    fn exactly(self, plan: String) -> Self;
}

macro_rules! changes {
    ($($request:ident,)*) => {
        $(impl Change for v1::$request {
            fn planned_only(self) -> Self {
                Self { dry_run: true, ..self }
            }

            fn exactly(self, as_planned: String) -> Self {
                Self { as_planned, ..self }
            }
        })*
    };
}

changes! {
    BackupAttachRequest,
    BackupDetachRequest,
    ProvisionRequest,
    CloneRequest,
    VolumeDetachRequest,
    VolumeDeleteRequest,
    VolumeResizeRequest,
    VolumeMoveRequest,
    AdoptRequest,
    HostRetireRequest,
}

/// Shows the plan, or carries it out as far as was asked. Where a person sits before it, the plan is shown first.
pub async fn carry_out<C: Change>(console: &Console, request: C, how: &How) -> Result<Exit, Failure> {
    let request = match &how.plan {
        Some(plan) => request.exactly(plan.to_string()),
        None => request,
    };
    if how.dry_run {
        let reply = ask(console, request.planned_only()).await?;
        console.output.show(&reply, planned)?;
        return Ok(Exit::Done);
    }
    let request = match how.yes || how.plan.is_some() || !terminal::is_before_a_person() {
        true => request,
        false => match agreed(console, request).await? {
            Answer::Yes(request) => request,
            Answer::No(exit) => {
                output::say("nothing was touched");
                return Ok(exit);
            }
        },
    };
    let reply = ask(console, request).await?;
    for warning in reply.plan.iter().flat_map(|plan| &plan.warnings) {
        warn(console, warning);
    }
    if reply.run.is_empty() {
        return Err(ClientError::NoRun { operation: C::NAME, starts_work: C::STARTS_WORK }.into());
    }
    if how.no_wait {
        console.output.show(&reply, started)?;
        Ok(Exit::Done)
    } else {
        watch(console, reply.run).await
    }
}

/// How long something is wanted for, as requests say it; 0 for ever.
pub fn millis(length: Option<Duration>) -> u64 {
    length.map_or(0, |length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

async fn ask<C: Change>(console: &Console, request: C) -> Result<v1::RunReply, Failure> {
    let asked = console.client.call(request);
    Ok(follow::unless_interrupted(asked, || Failure::InterruptedEarly).await??)
}

enum Answer<C> {
    /// The request for the very plan that was shown.
    Yes(C),
    No(Exit),
}

/// Shows the plan and asks.
async fn agreed<C: Change>(console: &Console, request: C) -> Result<Answer<C>, Failure> {
    let reply = ask(console, request.clone().planned_only()).await?;
    let plan = reply.plan.clone().unwrap_or_default();
    console.output.talk_of(&planned(&reply));
    Ok(match terminal::consent("Carry this out?").await.map_err(Failure::Terminal)? {
        Consent::Given => Answer::Yes(request.exactly(PlanRef::of(&plan).to_string())),
        Consent::Refused => Answer::No(Exit::Failed),
        Consent::Interrupted => Answer::No(Exit::Interrupted),
    })
}

fn warn(console: &Console, warning: &str) {
    let label = paint("warning:", Tone::Busy, console.output.talk().colour);
    output::say(&format!("{label} {}", Cell::new(warning).text()));
}

fn planned(reply: &v1::RunReply) -> View {
    let plan = reply.plan.clone().unwrap_or_default();
    let rows = plan.steps.iter().map(|step| {
        [
            effect(&step.effect),
            Cell::from(&step.name),
            Cell::from(&step.on),
            Cell::from(&step.what),
            Cell::from(&step.undo),
        ]
    });
    let steps = Table::new(["EFFECT", "STEP", "ON", "WHAT", "UNDO"], rows);
    let mut fields: Vec<(&'static str, Cell)> = vec![("plan", plan.title.clone().into())];
    if plan.size_bytes > 0 {
        fields.push(("takes at most", human::size(plan.size_bytes).into()));
    }
    fields.extend(plan.warnings.iter().map(|warning| ("warning", Cell::toned(warning, Tone::Busy))));
    fields.push(("touched", "nothing: this is a plan".into()));
    if !plan.hash.is_empty() {
        fields.push(("carry it out with", format!("--plan {}", PlanRef::of(&plan)).into()));
    }
    View::fields(fields)
        .and_table("Steps (+ makes, ~ changes, - takes away, ? looks)", steps)
        .and_table_if_any("Hosts", hosts(&plan.hosts))
}

/// Hosts for which the same would be done are one line.
fn hosts(hosts: &[v1::PlanHost]) -> Table {
    let mut groups: Vec<(&v1::PlanHost, usize)> = Vec::new();
    for host in hosts {
        match groups.iter_mut().find(|(first, _)| first.effect == host.effect && first.what == host.what) {
            Some((_, count)) => *count += 1,
            None => groups.push((host, 1)),
        }
    }
    let rows = groups.into_iter().map(|(first, count)| {
        let who = match count {
            1 => first.host.clone(),
            _ => format!("{} and {} more", first.host, count - 1),
        };
        [effect(&first.effect), Cell::from(who), Cell::from(&first.what)]
    });
    Table::new(["EFFECT", "HOSTS", "WHAT"], rows)
}

fn effect(sign: &str) -> Cell {
    let tone = match sign {
        "+" => Tone::Good,
        "~" => Tone::Busy,
        "-" => Tone::Bad,
        _ => Tone::Faint,
    };
    Cell::toned(sign, tone)
}

fn started(reply: &v1::RunReply) -> View {
    View::fields(vec![
        ("run", Cell::from(&reply.run)),
        ("watch with", format!("sanfleet run watch {}", reply.run).into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_shows_each_step_with_what_takes_it_back() {
        let plan = v1::Plan {
            title: "copy".to_owned(),
            steps: vec![v1::PlanStep {
                name: "replicate".to_owned(),
                effect: "+".to_owned(),
                on: "sim1".to_owned(),
                what: "clone v1".to_owned(),
                undo: "delete the clone".to_owned(),
            }],
            run: "0199".to_owned(),
            hash: "ab".to_owned(),
            ..Default::default()
        };
        let shown = planned(&v1::RunReply { plan: Some(plan), run: String::new() }).piped();
        assert!(shown.contains("+\treplicate\tsim1\tclone v1\tdelete the clone\n"), "{shown}");
        assert!(shown.contains("touched\tnothing"), "{shown}");
        assert!(shown.contains("carry it out with\t--plan 0199:ab\n"), "{shown}");
    }

    #[test]
    fn hosts_with_the_same_lot_are_one_line() {
        let host = |name: &str, what: &str| v1::PlanHost {
            host: name.to_owned(),
            effect: "+".to_owned(),
            what: what.to_owned(),
        };
        let plan = v1::Plan {
            hosts: vec![host("a", "x"), host("b", "x"), host("c", "y"), host("d", "x")],
            ..Default::default()
        };
        let shown = planned(&v1::RunReply { plan: Some(plan), run: String::new() }).piped();
        assert!(shown.contains("+\ta and 2 more\tx\n+\tc\ty\n"), "{shown}");
    }

    #[test]
    fn who_does_not_wait_learns_how_to_watch() {
        let shown = started(&v1::RunReply { plan: None, run: "0199".to_owned() }).piped();
        assert_eq!(shown, "run\t0199\nwatch with\tsanfleet run watch 0199\n");
    }
}
