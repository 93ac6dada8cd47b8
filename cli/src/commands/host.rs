//! `sanfleet host`: the machines that have an agent.

use sanfleet_protocol::{HostId, v1};

use super::{Console, change::carry_out, device};
use crate::{
    args::{HostCommand, LabelChange},
    exit::Exit,
    failure::Failure,
    output::{Cell, Table, Tone, View, human},
};

pub async fn run(console: &Console, command: HostCommand) -> Result<Exit, Failure> {
    match command {
        HostCommand::List => console.ask(v1::HostListRequest {}, list).await,
        HostCommand::Cordon { host } => cordon(console, host, true).await,
        HostCommand::Uncordon { host } => cordon(console, host, false).await,
        HostCommand::Label { host, labels } => {
            console.ask(label_request(&host, labels), |reply| of_one(reply.host.as_ref())).await
        }
        HostCommand::Trust { host, key } => {
            let request = v1::HostTrustRequest { host: host.to_string(), report_key: key.to_string() };
            console.ask(request, |reply| of_one(reply.host.as_ref())).await
        }
        HostCommand::Retire { host, how } => {
            let request = v1::HostRetireRequest { host: host.to_string(), ..Default::default() };
            carry_out(console, request, &how).await
        }
        HostCommand::Show { host } => console.ask(v1::HostShowRequest { host: host.to_string() }, one).await,
    }
}

async fn cordon(console: &Console, host: HostId, cordoned: bool) -> Result<Exit, Failure> {
    let request = v1::HostCordonRequest { host: host.to_string(), cordoned };
    console.ask(request, |reply| of_one(reply.host.as_ref())).await
}

fn label_request(host: &HostId, changes: Vec<LabelChange>) -> v1::HostLabelRequest {
    let mut request = v1::HostLabelRequest { host: host.to_string(), ..Default::default() };
    for change in changes {
        match change {
            LabelChange::Set(key, value) => {
                request.set.insert(key.to_string(), value.to_string());
            }
            LabelChange::Remove(key) => request.remove.push(key.to_string()),
        }
    }
    request
}

fn of_one(host: Option<&v1::HostSummary>) -> View {
    View::fields(host.map(said).unwrap_or_default())
}

/// What operators have said of a host.
fn said(host: &v1::HostSummary) -> Vec<(&'static str, Cell)> {
    vec![
        ("host", Cell::from(&host.host)),
        ("state", state(host)),
        ("labels", labels(host).into()),
        ("reports signed by", Cell::from(&host.report_key)),
    ]
}

fn labels(host: &v1::HostSummary) -> String {
    host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Whether it can be heard, and whether anything new is put there.
fn state(host: &v1::HostSummary) -> Cell {
    match (host.online, host.cordoned) {
        (online, false) => presence(online),
        (true, true) => Cell::toned("online, cordoned", Tone::Busy),
        (false, true) => Cell::toned("offline, cordoned", Tone::Bad),
    }
}

/// Whether a host can be heard, as every command says it.
pub fn presence(online: bool) -> Cell {
    if online { Cell::toned("online", Tone::Good) } else { Cell::toned("offline", Tone::Bad) }
}

fn list(reply: &v1::HostListReply) -> View {
    let rows = reply.hosts.iter().map(|host| {
        [
            Cell::from(&host.host),
            state(host),
            Cell::from(labels(host)),
            Cell::from(&host.os),
            Cell::from(&host.kernel),
            Cell::from(host.devices.to_string()),
            Cell::from(host.matched.to_string()),
            Cell::from(host.mounts.to_string()),
            Cell::from(human::moment(host.last_seen_unix_ms)),
            Cell::from(&host.agent_version),
        ]
    });
    let columns =
        ["HOST", "STATE", "LABELS", "OS", "KERNEL", "DEVICES", "MATCHED", "MOUNTS", "LAST SEEN", "AGENT"];
    View::table(Table::new(columns, rows))
}

fn one(reply: &v1::HostShowReply) -> View {
    let summary = reply.summary.clone().unwrap_or_default();
    let report = reply.report.clone().unwrap_or_default();
    let facts = report.facts.unwrap_or_default();
    View::fields(vec![
        ("host", Cell::from(&summary.host)),
        ("state", state(&summary)),
        ("labels", labels(&summary).into()),
        ("last seen", human::moment(summary.last_seen_unix_ms).into()),
        ("os", format!("{} {}", facts.os_name, facts.os_version).trim().into()),
        ("kernel", format!("{} {}", facts.kernel, facts.architecture).trim().into()),
        ("cpus", facts.cpus.to_string().into()),
        ("memory", human::size(facts.memory_bytes).into()),
        ("agent", summary.agent_version.into()),
        ("report", format!("generation {}", summary.generation).into()),
        ("reports signed by", summary.report_key.into()),
        ("initiators", report.initiators.join(", ").into()),
        ("fabrics", report.fabrics.join(", ").into()),
    ])
    .and_table_if_any("Devices", devices(&report.devices))
    .and_table_if_any("Mounts", mounts(&report.mounts))
}

fn devices(devices: &[v1::BlockDevice]) -> Table {
    let rows = devices.iter().map(|device| {
        [
            Cell::from(&device.name),
            Cell::from(device::kind(device)),
            Cell::from(human::size(device.size_bytes)),
            Cell::from(device::file_system(device)),
            Cell::from(&device.fabric),
            device::ids(device),
        ]
    });
    Table::new(["DEVICE", "KIND", "SIZE", "FS", "FABRIC", "VOLUME ID"], rows)
}

fn mounts(mounts: &[v1::Mount]) -> Table {
    let rows = mounts.iter().map(|mount| {
        [
            Cell::from(&mount.mount_point),
            Cell::from(format!("{}:{}", mount.major, mount.minor)),
            Cell::from(&mount.r#type),
            Cell::from(access(!mount.read_only)),
        ]
    });
    Table::new(["MOUNT POINT", "DEVICE", "FS", "ACCESS"], rows)
}

/// How a mount may be used, as every command says it.
pub fn access(read_write: bool) -> &'static str {
    if read_write { "read-write" } else { "read-only" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_gone_is_listed_as_offline() {
        let reply = v1::HostListReply {
            hosts: vec![v1::HostSummary { host: "db1".to_owned(), devices: 4, ..Default::default() }],
        };
        assert_eq!(
            list(&reply).piped(),
            "HOST\tSTATE\tLABELS\tOS\tKERNEL\tDEVICES\tMATCHED\tMOUNTS\tLAST SEEN\tAGENT\n\
             db1\toffline\t-\t-\t-\t4\t0\t0\t-\t-\n"
        );
    }

    #[test]
    fn a_host_is_shown_with_its_devices_and_mounts() {
        let report = v1::HostReport {
            devices: vec![v1::BlockDevice {
                name: "sda".to_owned(),
                size_bytes: 1 << 30,
                volume_ids: vec!["naa.60014053fef180bf1000000000000000".to_owned()],
                ..Default::default()
            }],
            mounts: vec![v1::Mount {
                mount_point: "/srv".to_owned(),
                r#type: "xfs".to_owned(),
                read_only: true,
                ..Default::default()
            }],
            ..Default::default()
        };
        let shown = one(&v1::HostShowReply { summary: None, report: Some(report) }).plain();
        for part in ["sda", "1.0 GiB", "naa.60014053fef180bf1000000000000000", "/srv", "read-only"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn a_host_without_a_report_is_shown_all_the_same() {
        assert!(one(&v1::HostShowReply::default()).plain().contains("offline"));
    }
}
