//! `sanfleet bus enroll`: lets one host become a user of the bus with a key that it has made itself.
//!
//! The invitation is good for one answer and for minutes, and is taken back whatever comes: an answer, the end of its time, Ctrl-C.

use std::{io, path::PathBuf, time::Duration};

use async_nats::ServerAddr;
use sanfleet_protocol::{HostId, enrolment::Invitation, rights::Role, v1::enrol_reply::Outcome};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    bus::{Bus, BusError, Newcomer, Registrar, Seconds, Wanted},
    exit::Exit,
    failure::Failure,
    output::{self, Cell, Output, Table, View, human},
    terminal,
};

/// Whom to let in, and how.
#[derive(Debug)]
pub struct Enrolment {
    pub host: HostId,
    pub dir: PathBuf,
    /// The file for the invitation.
    pub out: PathBuf,
    /// How long the invitation is good.
    pub invited: Duration,
    /// How long the host is a user.
    pub valid: Duration,
    /// Nobody is asked whether it is the right one.
    pub yes: bool,
}

/// What came of it, for programs.
#[derive(Debug, Serialize)]
struct Enrolled<'a> {
    host: &'a str,
    key: &'a str,
    hostname: &'a str,
}

pub async fn run(
    enrolment: &Enrolment,
    servers: &[ServerAddr],
    output: &Output,
    now: Seconds,
) -> Result<Exit, Failure> {
    if !enrolment.yes && !terminal::is_before_a_person() {
        return Err(BusError::NobodyToAsk.into());
    }
    let mut bus = Bus::open(&enrolment.dir)?;
    let span = (now, now.after(enrolment.invited));
    let addresses = servers.iter().map(|server| format!("nats://{}:{}", server.host(), server.port()));
    let invitation = bus.invite(&enrolment.host, addresses.collect(), span)?;
    let done = wait(enrolment, &mut bus, servers, &invitation, output, span).await;
    bus.withdraw(&enrolment.host, now)?;
    let told = bus.push(servers).await;
    // Nobody shall take what is good no more for something.
    let _ = std::fs::remove_file(&enrolment.out);
    let exit = done?;
    told?;
    Ok(exit)
}

async fn wait(
    enrolment: &Enrolment,
    bus: &mut Bus,
    servers: &[ServerAddr],
    invitation: &Invitation,
    output: &Output,
    span: (Seconds, Seconds),
) -> Result<Exit, Failure> {
    let mut interrupts = terminal::interrupts().map_err(Failure::Terminal)?;
    let registrar = passing(Role::Registrar, span)?;
    let credentials = bus.issue_passing(&registrar)?;
    // Servers that run may not know of the two roles yet.
    bus.push(servers).await?;
    let mut registrar = Registrar::listen(bus, servers, &credentials, invitation).await?;
    bus.write_invitation(&enrolment.out, invitation)?;
    let (host, file) = (&enrolment.host, enrolment.out.display());
    output::say(&format!(
        "{file} is good for {}. On {host}, as root: sanfleet-agent enroll --token {file}",
        human::duration(enrolment.invited)
    ));
    tokio::select! {
        asked = timeout(enrolment.invited, registrar.next()) => match asked {
            Ok(Some(newcomer)) => decide(enrolment, bus, &registrar, &newcomer, output, span.0).await,
            Ok(None) | Err(_) => Err(BusError::NobodyCame(host.clone()).into()),
        },
        _ = interrupts.recv() => Ok(Exit::Interrupted),
    }
}

async fn decide(
    enrolment: &Enrolment,
    bus: &mut Bus,
    registrar: &Registrar,
    newcomer: &Newcomer,
    output: &Output,
    now: Seconds,
) -> Result<Exit, Failure> {
    output::say(&format!("{} asks to be {}. It has shown this key:", newcomer.hostname, enrolment.host));
    output::say(&format!("    {}", newcomer.user_key));
    let agreed = if enrolment.yes { Exit::Done } else { agreed().await? };
    if agreed != Exit::Done {
        let refused = Outcome::Refused("the operator did not agree".to_owned());
        registrar.answer(newcomer, refused).await?;
        return Ok(agreed);
    }
    let name = enrolment.host.as_str().parse().map_err(|_| BusError::LongName(enrolment.host.clone()))?;
    let until = now.after(enrolment.valid);
    let wanted = Wanted { name, role: Role::Host, events: Vec::new(), now, until };
    let token = bus.admit(&wanted, &newcomer.user_key)?;
    registrar.answer(newcomer, Outcome::Token(token)).await?;
    let Newcomer { user_key, hostname, .. } = newcomer;
    output.show(&Enrolled { host: enrolment.host.as_str(), key: user_key, hostname }, table)?;
    Ok(Exit::Done)
}

/// Whether the one who is asked says that it is the right host.
async fn agreed() -> Result<Exit, Failure> {
    output::ask("Does that host show the same? [y/N] ");
    let interrupts = terminal::interrupts().map_err(Failure::Terminal)?;
    match terminal::line_of(io::stdin(), interrupts).await {
        Ok(line) => Ok(match line.trim_ascii().to_ascii_lowercase().as_slice() {
            b"y" | b"yes" => Exit::Done,
            _ => Exit::Failed,
        }),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Exit::Interrupted),
        Err(error) => Err(Failure::Terminal(error)),
    }
}

fn passing(role: Role, (now, until): (Seconds, Seconds)) -> Result<Wanted, BusError> {
    let name = role.as_str().parse().map_err(|_| BusError::NoKey(role))?;
    Ok(Wanted { name, role, events: Vec::new(), now, until })
}

fn table(enrolled: &Enrolled<'_>) -> View {
    let row = [enrolled.host, enrolled.hostname, enrolled.key].map(Cell::from);
    View::table(Table::new(["HOST", "CALLS ITSELF", "KEY"], std::iter::once(row)))
}
