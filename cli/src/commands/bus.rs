//! `sanfleet bus`: who may say what on the bus. Needs no controller.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use crate::{
    args::{BusCommand, Global},
    bus::{Bus, Issued, Layout, Seconds, Wanted, usual_names},
    client::addresses,
    commands::enroll::{self, Enrolment},
    exit::Exit,
    failure::Failure,
    output::{Cell, Output, Table, Tone, View, human},
};

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Done<'a> {
    files: Vec<&'a Path>,
}

pub async fn run(global: &Global, command: BusCommand) -> Result<Exit, Failure> {
    let (output, now) = (Output::new(global.output), now());
    match command {
        BusCommand::Init { dir, listen, names, etc, store } => {
            let names = if names.is_empty() { usual_names(listen.ip()) } else { names };
            let etc = match etc {
                Some(etc) => etc,
                None => std::path::absolute(&dir)?,
            };
            Bus::create(&dir, Layout { listen, names, etc, store }, now)?;
            let made = [
                "nats-server.conf",
                "trust.conf",
                "server.pem",
                "server.key",
                "ca.pem",
                "operator.pub",
                "keys",
            ];
            let made = made.map(|name| dir.join(name));
            output.show(&Done { files: made.iter().map(AsRef::as_ref).collect() }, files)?;
        }
        BusCommand::Certificate { dir, new_authority: true, .. } => {
            Bus::open(&dir)?.replace_authority(now)?;
            output.show(&Done { files: vec![&dir.join("ca.pem")] }, files)?;
        }
        BusCommand::Certificate { dir, names, new_authority: false } => {
            Bus::open(&dir)?.certify(names, now)?;
            let made = [dir.join("server.pem"), dir.join("server.key")];
            output.show(&Done { files: made.iter().map(AsRef::as_ref).collect() }, files)?;
        }
        BusCommand::User { name, dir, role, valid, events, out } => {
            let out = out.unwrap_or_else(|| dir.join(format!("{name}.creds")));
            let until = now.after(valid);
            Bus::open(&dir)?.issue(&Wanted { name, role, events, now, until }, &out)?;
            output.show(&Done { files: vec![&out] }, files)?;
        }
        BusCommand::Enroll { host, dir, out, invited, valid, yes } => {
            let out = out.unwrap_or_else(|| dir.join(format!("{host}.token")));
            let enrolment = Enrolment { host, dir, out, invited, valid, yes };
            return enroll::run(&enrolment, &addresses(&global.server)?, &output, now).await;
        }
        BusCommand::Delegate { key, dir, valid, out } => {
            Bus::open(&dir)?.delegate(key, (now, now.after(valid)), &out)?;
            output.show(&Done { files: vec![&out] }, files)?;
        }
        BusCommand::Users { dir } => {
            let bus = Bus::open(&dir)?;
            output.show(&bus.users(), |users| View::table(table(users, now)))?;
        }
        BusCommand::Revoke { name, dir } => {
            let mut bus = Bus::open(&dir)?;
            bus.revoke(&name, now)?;
            bus.push(&addresses(&global.server)?).await?;
        }
        BusCommand::Push { dir } => Bus::open(&dir)?.push(&addresses(&global.server)?).await?,
    }
    Ok(Exit::Done)
}

fn files(done: &Done<'_>) -> View {
    View::table(Table::new(["MADE"], done.files.iter().map(|path| [Cell::from(path.display().to_string())])))
}

fn table(users: &[Issued], now: Seconds) -> Table {
    let rows = users.iter().map(|user| {
        let state = match user.revoked_at {
            Some(_) => Cell::toned("revoked", Tone::Bad),
            None if user.expires_at <= now.0 => Cell::toned("expired", Tone::Faint),
            None => Cell::toned("valid", Tone::Good),
        };
        let moment = |seconds: i64| Cell::from(human::moment(seconds.saturating_mul(1_000)));
        [
            Cell::from(&user.name),
            Cell::from(&user.role),
            state,
            moment(user.issued_at),
            moment(user.expires_at),
            Cell::from(&user.public_key),
        ]
    });
    Table::new(["USER", "ROLE", "STATE", "ISSUED", "EXPIRES", "KEY"], rows)
}

fn now() -> Seconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
