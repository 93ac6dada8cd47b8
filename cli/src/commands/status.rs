//! `sanfleet status`: the fleet on one screen.

use sanfleet_protocol::v1;

use super::{Console, array, backup, run};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Cell, Tone, View},
};

pub async fn show(console: &Console) -> Result<Exit, Failure> {
    console.ask(v1::StatusRequest {}, view).await
}

fn view(reply: &v1::StatusReply) -> View {
    View::fields(vec![
        ("controller", format!("{} {}", reply.controller, reply.version).trim().into()),
        ("hosts", hosts(reply.hosts_online, reply.hosts_offline)),
        ("devices", format!("{}, {} of them volumes of known arrays", reply.devices, reply.matched).into()),
        ("findings", findings(reply.findings.unwrap_or_default())),
    ])
    .and_table_if_any("Arrays", array::table(&reply.arrays))
    .and_table_if_any("Attachments", backup::attachments(&reply.attachments))
    .and_table_if_any("Runs that have not ended well or at all", run::table(&reply.unfinished_runs))
}

fn hosts(online: u32, offline: u32) -> Cell {
    let tone = if offline == 0 { Tone::Plain } else { Tone::Bad };
    Cell::toned(format!("{online} online, {offline} offline"), tone)
}

fn findings(counts: v1::FindingCounts) -> Cell {
    let v1::FindingCounts { errors, warnings, infos } = counts;
    match (errors, warnings, infos) {
        (0, 0, 0) => Cell::new("none"),
        _ => {
            let tone = if errors == 0 { Tone::Plain } else { Tone::Bad };
            let counted = format!("errors: {errors}, warnings: {warnings}, notes: {infos}");
            Cell::toned(format!("{counted}; see `sanfleet doctor`"), tone)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_fleet_takes_four_lines() {
        let reply = v1::StatusReply {
            controller: "c1".to_owned(),
            version: "0.1.0".to_owned(),
            hosts_online: 2,
            devices: 9,
            matched: 3,
            ..Default::default()
        };
        assert_eq!(
            view(&reply).plain(),
            "controller  c1 0.1.0\nhosts       2 online, 0 offline\ndevices     9, 3 of them volumes of known arrays\nfindings    none\n"
        );
    }

    #[test]
    fn what_needs_a_person_is_on_the_screen() {
        let reply = v1::StatusReply {
            arrays: vec![v1::ArraySummary {
                name: "sim1".to_owned(),
                error: "the driver died".to_owned(),
                ..Default::default()
            }],
            unfinished_runs: vec![v1::Run {
                id: "0199".to_owned(),
                state: v1::RunState::Stuck as i32,
                ..Default::default()
            }],
            ..Default::default()
        };
        let shown = view(&reply).plain();
        assert!(shown.contains("the driver died") && shown.contains("stuck"), "{shown}");
    }
}
