//! `sanfleet backup`: consistent copies of live volumes on other hosts.

use sanfleet_protocol::v1;

use super::{Console, host, run::watch};
use crate::{
    args::{Attach, BackupCommand, DeadMan, Detach, How, What},
    client::{ClientError, Operation},
    exit::Exit,
    failure::Failure,
    follow,
    output::{self, Cell, Table, Tone, View, human, paint},
};

pub async fn run(console: &Console, command: BackupCommand) -> Result<Exit, Failure> {
    match command {
        BackupCommand::Attach(attach) => {
            let how = attach.how;
            carry_out(console, attach_request(*attach), how).await
        }
        BackupCommand::Detach(detach) => {
            let how = detach.how;
            carry_out(console, detach_request(detach), how).await
        }
        // The attachments are part of the fleet's status.
        BackupCommand::List => console.ask(v1::StatusRequest {}, list).await,
    }
}

/// Shows the plan, or starts the run and goes on with it as far as was asked.
async fn carry_out<O>(console: &Console, request: O, how: How) -> Result<Exit, Failure>
where
    O: Operation<Reply = v1::RunReply>,
{
    let asked = console.client.call(request);
    let reply = follow::unless_interrupted(asked, || Failure::InterruptedEarly).await??;
    for warning in reply.plan.iter().flat_map(|plan| &plan.warnings) {
        warn(console, warning);
    }
    if how.dry_run {
        console.output.show(&reply, planned)?;
        return Ok(Exit::Done);
    }
    if reply.run.is_empty() {
        return Err(ClientError::NoRun { operation: O::NAME, starts_work: O::STARTS_WORK }.into());
    }
    if how.no_wait {
        console.output.show(&reply, started)?;
        Ok(Exit::Done)
    } else {
        watch(console, reply.run).await
    }
}

fn warn(console: &Console, warning: &str) {
    let label = paint("warning:", Tone::Busy, console.output.talk().colour);
    output::say(&format!("{label} {}", Cell::new(warning).text()));
}

fn attach_request(attach: Attach) -> v1::BackupAttachRequest {
    v1::BackupAttachRequest {
        source_host: attach.source.host.to_string(),
        source_mount_point: attach.source.mount_point.to_string(),
        target_host: attach.to.to_string(),
        target_mount_point: attach.mount.to_string(),
        quiesce: v1::QuiesceMethod::from(attach.quiesce).into(),
        read_write: attach.rw,
        name: attach.name.unwrap_or_default(),
        dry_run: attach.how.dry_run,
        dead_man_ms: attach.dead_man.map(DeadMan::millis).unwrap_or_default(),
    }
}

fn detach_request(detach: Detach) -> v1::BackupDetachRequest {
    let dry_run = detach.how.dry_run;
    match detach.what {
        What::Attachment(id) => {
            v1::BackupDetachRequest { attachment: id.into_inner(), dry_run, ..Default::default() }
        }
        What::At(place) => v1::BackupDetachRequest {
            host: place.host.to_string(),
            mount_point: place.mount_point.to_string(),
            dry_run,
            ..Default::default()
        },
    }
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
    View::fields(vec![("plan", plan.title.into()), ("touched", "nothing: this is a dry run".into())])
        .and_table("Steps (+ makes, ~ changes, - takes away, ? looks)", steps)
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

fn list(status: &v1::StatusReply) -> View {
    View::table(attachments(&status.attachments))
}

pub fn attachments(attachments: &[v1::Attachment]) -> Table {
    let rows = attachments.iter().map(|copy| {
        [
            Cell::from(format!("{}:{}", copy.host, copy.mount_point)),
            Cell::from(host::access(copy.read_write)),
            Cell::from(format!("{}:{}", copy.source_host, copy.source_mount_point)),
            Cell::from(&copy.array),
            Cell::from(&copy.volume_name),
            Cell::from(human::moment(copy.since_unix_ms)),
            Cell::from(&copy.id),
        ]
    });
    Table::new(["MOUNTED AT", "ACCESS", "COPY OF", "ARRAY", "VOLUME", "SINCE", "ATTACHMENT"], rows)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn backup(line: &str) -> BackupCommand {
        match Args::try_parse_from(line.split(' ')).unwrap().command {
            Command::Backup(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_attach_asks_for_all_that_was_said() {
        let line = "sanfleet backup attach db1:/var/lib/mysql --to b1 --mount //mnt/ --quiesce none \
                    --rw --name n --dead-man 2s --dry-run";
        let BackupCommand::Attach(attach) = backup(line) else { panic!() };
        assert_eq!(
            attach_request(*attach),
            v1::BackupAttachRequest {
                source_host: "db1".to_owned(),
                source_mount_point: "/var/lib/mysql".to_owned(),
                target_host: "b1".to_owned(),
                target_mount_point: "/mnt".to_owned(),
                quiesce: v1::QuiesceMethod::None as i32,
                read_write: true,
                name: "n".to_owned(),
                dry_run: true,
                dead_man_ms: 2_000,
            }
        );
    }

    #[test]
    fn a_detach_names_the_attachment_or_its_place_never_both() {
        let BackupCommand::Detach(by_id) = backup("sanfleet backup detach 0199a") else { panic!() };
        let by_id = detach_request(by_id);
        assert_eq!((by_id.attachment.as_str(), by_id.host.as_str()), ("0199a", ""));
        let BackupCommand::Detach(by_place) = backup("sanfleet backup detach b1:/mnt") else { panic!() };
        let by_place = detach_request(by_place);
        assert_eq!(
            (by_place.attachment.as_str(), by_place.host.as_str(), by_place.mount_point.as_str()),
            ("", "b1", "/mnt")
        );
    }

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
            ..Default::default()
        };
        let shown = planned(&v1::RunReply { plan: Some(plan), run: String::new() }).piped();
        assert!(shown.contains("+\treplicate\tsim1\tclone v1\tdelete the clone\n"), "{shown}");
        assert!(shown.contains("dry run"));
    }

    #[test]
    fn who_does_not_wait_learns_how_to_watch() {
        let shown = started(&v1::RunReply { plan: None, run: "0199".to_owned() }).piped();
        assert_eq!(shown, "run\t0199\nwatch with\tsanfleet run watch 0199\n");
    }

    #[test]
    fn an_attachment_is_listed_by_where_it_is() {
        let copy = v1::Attachment {
            host: "b1".to_owned(),
            mount_point: "/mnt".to_owned(),
            source_host: "db1".to_owned(),
            source_mount_point: "/srv".to_owned(),
            read_write: true,
            ..Default::default()
        };
        let shown = list(&v1::StatusReply { attachments: vec![copy], ..Default::default() }).piped();
        assert!(shown.contains("b1:/mnt\tread-write\tdb1:/srv\t"), "{shown}");
    }
}
