//! `sanfleet doctor`: what does not fit, and what to do about it.

use sanfleet_protocol::{
    FindingCode,
    v1::{self, FindingSeverity},
};

use super::Console;
use crate::{
    args::Doctor,
    exit::Exit,
    failure::Failure,
    follow,
    output::{self, Cell, Table, Tone, View, human},
};

/// The pages, a section a code.
const PAGES: &str = include_str!("../../../docs/doctor.md");

pub async fn run(console: &Console, args: Doctor) -> Result<Exit, Failure> {
    let filter = v1::FindingFilter {
        code: args.code.map(|code| code.to_string()).unwrap_or_default(),
        host: args.host.map(|host| host.to_string()).unwrap_or_default(),
        array: args.array.map(|array| array.to_string()).unwrap_or_default(),
    };
    match args.fix {
        true => fix(console, filter).await,
        false => list(console, filter).await,
    }
}

async fn list(console: &Console, filter: v1::FindingFilter) -> Result<Exit, Failure> {
    let reply = console.client.call(v1::DoctorListRequest { filter: Some(filter) }).await?;
    console.output.show(&reply, found)?;
    Ok(verdict(&reply.findings))
}

/// Only what is grave is a status of its own: scripts are to wake somebody by it.
fn verdict(findings: &[v1::Finding]) -> Exit {
    let grave = findings.iter().any(|finding| finding.severity() == FindingSeverity::Error);
    if grave { Exit::Findings } else { Exit::Done }
}

/// Has everything put right that can be, and waits for it.
async fn fix(console: &Console, filter: v1::FindingFilter) -> Result<Exit, Failure> {
    let asked = console.client.call(v1::DoctorFixRequest { filter: Some(filter) });
    let reply = follow::unless_interrupted(asked, || Failure::InterruptedEarly).await??;
    let mut exit = verdict(&reply.left);
    for fixed in &reply.fixed {
        let (talk, run) = (console.output.talk(), fixed.run.clone());
        let run = follow::to_the_end(&console.client, talk, run, console.timeout).await?;
        let ended = Exit::of_run(run.state());
        if ended != Exit::Done {
            output::say(&format!(
                "error: run {} did not put it right: {}",
                run.id,
                Cell::new(&run.error).text()
            ));
            exit = ended;
        }
    }
    console.output.show(&reply, fixed)?;
    Ok(exit)
}

fn found(reply: &v1::DoctorListReply) -> View {
    match reply.findings.is_empty() {
        true if reply.looked_at_unix_ms == 0 => {
            View::fields(vec![("findings", "the controller has not looked yet".into())])
        }
        true => {
            let looked = human::moment(reply.looked_at_unix_ms);
            View::fields(vec![("findings", format!("none, as of {looked}").into())])
        }
        false => View::table(table(&reply.findings)),
    }
}

fn fixed(reply: &v1::DoctorFixReply) -> View {
    let rows = reply.fixed.iter().map(|fixed| {
        let finding = fixed.finding.clone().unwrap_or_default();
        [
            Cell::from(&finding.code),
            Cell::from(&finding.what),
            Cell::from(&finding.fix),
            Cell::from(&fixed.run),
        ]
    });
    View::table(Table::new(["CODE", "WHAT", "WAS DONE", "RUN"], rows))
        .and_table_if_any("Left for a person", table(&reply.left))
}

fn table(findings: &[v1::Finding]) -> Table {
    let rows = findings.iter().map(|finding| {
        [
            Cell::from(&finding.code),
            severity(finding.severity()),
            Cell::from(&finding.what),
            Cell::from(finding.evidence.join("; ")),
            Cell::from(human::moment(finding.since_unix_ms)),
            Cell::from(&finding.remedy),
            Cell::from(&finding.fix),
        ]
    });
    Table::new(["CODE", "SEVERITY", "WHAT", "EVIDENCE", "SINCE", "REMEDY", "--fix WOULD"], rows)
}

fn severity(severity: FindingSeverity) -> Cell {
    match severity {
        FindingSeverity::Error => Cell::toned("error", Tone::Bad),
        FindingSeverity::Warning => Cell::toned("warning", Tone::Busy),
        FindingSeverity::Info | FindingSeverity::Unspecified => Cell::new("info"),
    }
}

/// Prints the page of a code.
pub fn explain(code: FindingCode) -> Result<Exit, Failure> {
    output::page(page(code).unwrap_or("there is no page for it"))?;
    Ok(Exit::Done)
}

/// From the heading with the code to the next one.
fn page(code: FindingCode) -> Option<&'static str> {
    let sections = PAGES.match_indices("\n## ").map(|(at, _)| at + 1);
    let start = sections
        .clone()
        .find(|at| PAGES.get(at + 3..).is_some_and(|rest| rest.starts_with(code.as_str())))?;
    let end = sections.into_iter().find(|at| *at > start).unwrap_or(PAGES.len());
    PAGES.get(start..end).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: FindingSeverity) -> v1::Finding {
        v1::Finding {
            code: "SF-D002".to_owned(),
            severity: severity.into(),
            what: "shown for no reason".to_owned(),
            evidence: vec!["one".to_owned(), "two".to_owned()],
            remedy: "sanfleet map db1".to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn every_code_has_a_page_that_says_what_it_means_and_what_to_do() {
        for code in FindingCode::ALL {
            let page = page(*code).unwrap_or_else(|| panic!("{code} has no section in docs/doctor.md"));
            let others = FindingCode::ALL.iter().filter(|other| page.contains(&format!("## {other}")));
            assert_eq!(others.count(), 1, "{page}");
            for part in ["**Comes from**", "**What to do**", "**`--fix`**"] {
                assert!(page.contains(part), "{code} lacks {part}");
            }
        }
    }

    #[test]
    fn a_finding_is_a_row_with_its_evidence_and_remedy() {
        let findings = vec![finding(FindingSeverity::Warning)];
        let shown = found(&v1::DoctorListReply { findings, looked_at_unix_ms: 1 }).piped();
        assert!(shown.contains("SF-D002\twarning\tshown for no reason\tone; two\t"), "{shown}");
        assert!(shown.contains("sanfleet map db1"), "{shown}");
    }

    #[test]
    fn only_what_is_grave_is_a_status_of_its_own() {
        assert_eq!(verdict(&[]), Exit::Done);
        assert_eq!(verdict(&[finding(FindingSeverity::Warning)]), Exit::Done);
        let both = [finding(FindingSeverity::Info), finding(FindingSeverity::Error)];
        assert_eq!(verdict(&both), Exit::Findings);
    }
}
