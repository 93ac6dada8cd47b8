//! `sanfleet audit`: the record of who asked for what, read from the bus itself and from no controller.

use std::pin::pin;

use futures::{StreamExt as _, TryStreamExt as _};
use sanfleet_protocol::{
    audit::{Broken, Link, follow},
    sign::PublicKey,
    v1::{self, RunState, audit_record::Entry},
};
use serde::Serialize;

use super::Console;
use crate::{
    args::{AuditCommand, Verify},
    client::ClientError,
    exit::Exit,
    failure::Failure,
    output::{Cell, Tone, View, human},
};

/// Why the record is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the record is broken at number {at}")]
    Broken {
        at: u64,
        #[source]
        source: Broken,
    },
    #[error(
        "record {number} is not the one that was noted: the record was written anew from there or before"
    )]
    NotTheNoted { number: u64 },
    #[error("the record ends at {last}, before number {number}, which was noted: its end is gone")]
    Shortened { last: u64, number: u64 },
}

impl AuditError {
    pub fn hint(&self) -> &'static str {
        "somebody changed what nobody may change: keep what there is, and look at who could"
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct Whole {
    records: u64,
    /// The last record, to be noted where nobody of the fleet can change it.
    last: Option<String>,
    signed: bool,
}

pub async fn run(console: &Console, command: AuditCommand) -> Result<Exit, Failure> {
    match command {
        AuditCommand::List => {
            let mut records = pin!(read(console, Vec::new()).await?);
            while let Some((record, _)) = records.try_next().await? {
                console.output.show_line(&record, line)?;
            }
        }
        AuditCommand::Verify(how) => {
            let whole = verify(console, *how).await?;
            console.output.show(&whole, shown)?;
        }
    }
    Ok(Exit::Done)
}

async fn verify(console: &Console, how: Verify) -> Result<Whole, Failure> {
    let Verify { controller_keys, noted } = how;
    let signed = !controller_keys.is_empty();
    let mut records = pin!(read(console, controller_keys).await?);
    let mut last: Option<Link> = None;
    while let Some((_, link)) = records.try_next().await? {
        if let Some(noted) = noted.filter(|noted| noted.number == link.number && *noted != link) {
            return Err(AuditError::NotTheNoted { number: noted.number }.into());
        }
        last = Some(link);
    }
    let records = last.map_or(0, |last| last.number);
    match noted.filter(|noted| noted.number > records) {
        Some(noted) => Err(AuditError::Shortened { last: records, number: noted.number }.into()),
        None => Ok(Whole { records, last: last.map(|last| last.to_string()), signed }),
    }
}

/// Every record with where it stands. The first that does not follow the one before it is an error.
async fn read(
    console: &Console,
    keys: Vec<PublicKey>,
) -> Result<impl futures::Stream<Item = Result<(v1::AuditRecord, Link), Failure>> + use<>, Failure> {
    let kept = console.client.audit().await?;
    let mut last = None;
    Ok(kept.map(move |bytes: Result<_, ClientError>| {
        let at = last.map_or(0, |last: Link| last.number).saturating_add(1);
        let (record, link) =
            follow(last, &bytes?, &keys).map_err(|source| AuditError::Broken { at, source })?;
        last = Some(link);
        Ok((record, link))
    }))
}

fn line(record: &v1::AuditRecord) -> Vec<Cell> {
    let [who, what, more] = match &record.entry {
        Some(Entry::Asked(asked)) => [
            Cell::from(&asked.by),
            Cell::from(format!("asked {}", asked.operation)),
            Cell::from(&asked.request),
        ],
        Some(Entry::Decided(decided)) => [Cell::from(""), decision(decided), outcome(decided)],
        Some(Entry::Ended(ended)) => {
            let state = RunState::try_from(ended.state).unwrap_or_default();
            let state = state.as_str_name().trim_start_matches("RUN_STATE_").to_lowercase();
            [Cell::from(""), Cell::from(format!("run {} {state}", ended.run)), Cell::from(&ended.error)]
        }
        None => [Cell::from(""), Cell::from("of a later version"), Cell::from("")],
    };
    let (number, at) = (Cell::from(record.number.to_string()), Cell::from(human::moment(record.at_unix_ms)));
    vec![number, at, Cell::from(&record.controller), who, what, more]
}

fn decision(decided: &v1::AuditDecided) -> Cell {
    match decided.refused {
        None => Cell::toned(format!("granted {}", decided.asked), Tone::Good),
        Some(_) => Cell::toned(format!("refused {}", decided.asked), Tone::Bad),
    }
}

fn outcome(decided: &v1::AuditDecided) -> Cell {
    match &decided.refused {
        Some(refused) => Cell::from(&refused.message),
        None if decided.run.is_empty() => Cell::from(""),
        None => Cell::from(format!("run {}", decided.run)),
    }
}

fn shown(whole: &Whole) -> View {
    let signatures = match whole.signed {
        true => Cell::toned("by the controller", Tone::Good),
        false => Cell::toned("not looked at: give --controller-key", Tone::Faint),
    };
    View::fields(vec![
        ("records", Cell::from(whole.records.to_string())),
        ("signed", signatures),
        ("last", Cell::from(whole.last.clone().unwrap_or_default())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entry: Entry) -> Vec<String> {
        let record = v1::AuditRecord { number: 7, entry: Some(entry), ..Default::default() };
        line(&record).iter().map(|cell| cell.text().to_owned()).collect()
    }

    #[test]
    fn a_record_is_a_line_that_says_who_and_what() {
        let asked =
            v1::AuditAsked { by: "alice".into(), operation: "volume.clone".into(), request: "{}".into() };
        assert_eq!(texts(Entry::Asked(asked))[3..], ["alice", "asked volume.clone", "{}"]);
        let run = v1::AuditDecided { asked: 7, run: "r1".into(), refused: None };
        assert_eq!(texts(Entry::Decided(run))[4..], ["granted 7", "run r1"]);
        let refused = Some(v1::ApiError { message: "no host is named x".into(), ..Default::default() });
        let refused = v1::AuditDecided { asked: 7, run: String::new(), refused };
        assert_eq!(texts(Entry::Decided(refused))[4..], ["refused 7", "no host is named x"]);
        let state = RunState::Undone.into();
        let ended = v1::AuditEnded { run: "r1".into(), state, error: "disk full".into() };
        assert_eq!(texts(Entry::Ended(ended))[4..], ["run r1 undone", "disk full"]);
    }
}
