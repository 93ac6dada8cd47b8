//! `sanfleet bus enroll`: lets one host become a user of the bus with a key that it has made itself.
//!
//! The invitation is good for one answer and for minutes, and is taken back whatever comes: an answer, the end of its time, Ctrl-C.

use std::{path::PathBuf, time::Duration};

use async_nats::ServerAddr;
use sanfleet_protocol::{HostId, enrolment::Invitation, rights::Role, v1::enrol_reply::Outcome};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    bus::{Bus, BusError, Newcomer, Registrar, Seconds, Wanted},
    exit::Exit,
    failure::Failure,
    output::{self, Cell, Output, Table, View, human},
    terminal::{self, Consent},
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
    let mut desk = Desk { enrolment, servers, output, now, bus: Bus::open(&enrolment.dir)? };
    let invitation = desk.invite()?;
    let done = desk.wait(&invitation).await;
    let withdrawn = desk.withdraw().await;
    // What went wrong first says why.
    let exit = done?;
    withdrawn?;
    Ok(exit)
}

/// Where somebody sits while a host is let in.
struct Desk<'a> {
    enrolment: &'a Enrolment,
    servers: &'a [ServerAddr],
    output: &'a Output,
    now: Seconds,
    bus: Bus,
}

impl Desk<'_> {
    /// How long the invitation is good.
    fn span(&self) -> (Seconds, Seconds) {
        (self.now, self.now.after(self.enrolment.invited))
    }

    fn invite(&mut self) -> Result<Invitation, BusError> {
        let address = |server: &ServerAddr| format!("nats://{}:{}", server.host(), server.port());
        let span = self.span();
        self.bus.invite(&self.enrolment.host, self.servers.iter().map(address).collect(), span)
    }

    async fn withdraw(&mut self) -> Result<(), BusError> {
        self.bus.withdraw(&self.enrolment.host, self.now)?;
        let told = self.bus.push(self.servers).await;
        // Nobody shall take what is good no more for something.
        let _ = std::fs::remove_file(&self.enrolment.out);
        told
    }

    async fn wait(&mut self, invitation: &Invitation) -> Result<Exit, Failure> {
        let mut interrupts = terminal::interrupts().map_err(Failure::Terminal)?;
        let registrar = passing(Role::Registrar, self.span())?;
        let credentials = self.bus.issue_passing(&registrar)?;
        // Servers that run may not know of the two roles yet.
        self.bus.push(self.servers).await?;
        let mut registrar = Registrar::listen(&self.bus, self.servers, &credentials, invitation).await?;
        let Enrolment { host, out, invited, .. } = self.enrolment;
        self.bus.write_invitation(out, invitation)?;
        let (file, good) = (out.display(), human::duration(*invited));
        output::say(&format!(
            "{file} is good for {good}. On {host}, as root: sanfleet-agent enroll --token {file}"
        ));
        tokio::select! {
            asked = timeout(*invited, registrar.next()) => match asked {
                Ok(Some(newcomer)) => self.decide(&registrar, &newcomer).await,
                Ok(None) | Err(_) => Err(BusError::NobodyCame(host.clone()).into()),
            },
            _ = interrupts.recv() => Ok(Exit::Interrupted),
        }
    }

    async fn decide(&mut self, registrar: &Registrar, newcomer: &Newcomer) -> Result<Exit, Failure> {
        let host = &self.enrolment.host;
        output::say(&format!("{} asks to be {host}. It has shown this key:", newcomer.hostname));
        output::say(&format!("    {}", newcomer.user_key));
        let exit = match self.consent().await? {
            Consent::Given => return self.admit(registrar, newcomer).await,
            Consent::Refused => Exit::Failed,
            Consent::Interrupted => Exit::Interrupted,
        };
        let refused = Outcome::Refused("the operator did not agree".to_owned());
        registrar.answer(newcomer, refused).await?;
        Ok(exit)
    }

    /// Whether the one who is asked says that it is the right host.
    async fn consent(&self) -> Result<Consent, Failure> {
        match self.enrolment.yes {
            true => Ok(Consent::Given),
            false => terminal::consent("Does that host show the same?").await.map_err(Failure::Terminal),
        }
    }

    async fn admit(&mut self, registrar: &Registrar, newcomer: &Newcomer) -> Result<Exit, Failure> {
        let Enrolment { host, valid, .. } = self.enrolment;
        let name = host.as_str().parse().map_err(|_| BusError::LongName(host.clone()))?;
        let (now, until) = (self.now, self.now.after(*valid));
        let wanted = Wanted { name, role: Role::Host, events: Vec::new(), now, until };
        let token = self.bus.admit(&wanted, &newcomer.user_key)?;
        registrar.answer(newcomer, Outcome::Token(token)).await?;
        let Newcomer { user_key, hostname, .. } = newcomer;
        self.output.show(&Enrolled { host: host.as_str(), key: user_key, hostname }, table)?;
        Ok(Exit::Done)
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
