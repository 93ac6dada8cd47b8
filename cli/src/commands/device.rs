//! `sanfleet device`: block devices as the hosts see them, and which volumes they are.

use sanfleet_protocol::v1;

use super::Console;
use crate::{
    args::DeviceCommand,
    exit::Exit,
    failure::Failure,
    output::{Cell, Table, Tone, View, human},
};

pub async fn run(console: &Console, command: DeviceCommand) -> Result<Exit, Failure> {
    let DeviceCommand::List { host } = command;
    let host = host.map(|host| host.to_string()).unwrap_or_default();
    console.ask(v1::DeviceListRequest { host }, list).await
}

fn list(reply: &v1::DeviceListReply) -> View {
    let rows = reply.devices.iter().map(|row| {
        let device = row.device.clone().unwrap_or_default();
        [
            Cell::from(&row.host),
            Cell::from(&device.name),
            Cell::from(kind(&device)),
            Cell::from(human::size(device.size_bytes)),
            Cell::from(file_system(&device)),
            Cell::from(row.mount_points.join(", ")),
            Cell::from(&row.array),
            Cell::from(if row.volume_name.is_empty() { &row.volume } else { &row.volume_name }),
            ids(&device),
        ]
    });
    let columns = ["HOST", "DEVICE", "KIND", "SIZE", "FS", "MOUNTED AT", "ARRAY", "VOLUME", "VOLUME ID"];
    View::table(Table::new(columns, rows))
}

pub fn kind(device: &v1::BlockDevice) -> &'static str {
    match device.kind() {
        v1::DeviceKind::Unspecified => "",
        v1::DeviceKind::Disk => "disk",
        v1::DeviceKind::Partition => "partition",
        v1::DeviceKind::Multipath => "multipath",
        v1::DeviceKind::DeviceMapper => "dm",
        v1::DeviceKind::Loop => "loop",
        v1::DeviceKind::Nvme => "nvme",
        v1::DeviceKind::Md => "md",
    }
}

pub fn file_system(device: &v1::BlockDevice) -> &str {
    device.file_system.as_ref().map_or("", |file_system| &file_system.r#type)
}

/// The first id, the agent's preferred one, and how many others; or why there is none.
pub fn ids(device: &v1::BlockDevice) -> Cell {
    match device.volume_ids.as_slice() {
        [] if !device.unreadable.is_empty() => {
            Cell::toned(format!("unreadable: {}", device.unreadable), Tone::Bad)
        }
        [] => Cell::from(""),
        [only] => Cell::from(only),
        [first, others @ ..] => Cell::from(format!("{first} (+{})", others.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(device: v1::BlockDevice) -> v1::DeviceRow {
        v1::DeviceRow { host: "db1".to_owned(), device: Some(device), ..Default::default() }
    }

    #[test]
    fn a_device_is_listed_with_the_volume_that_it_is() {
        let device = v1::BlockDevice {
            name: "dm-3".to_owned(),
            kind: v1::DeviceKind::Multipath as i32,
            size_bytes: 3 << 30,
            volume_ids: vec!["naa.6001".to_owned(), "t10.x".to_owned()],
            file_system: Some(v1::FileSystem { r#type: "xfs".to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let known = v1::DeviceRow {
            mount_points: vec!["/a".to_owned(), "/b".to_owned()],
            array: "sim1".to_owned(),
            volume: "v7".to_owned(),
            ..row(device)
        };
        assert_eq!(
            list(&v1::DeviceListReply { devices: vec![known] }).piped().lines().last(),
            Some("db1\tdm-3\tmultipath\t3.0 GiB\txfs\t/a, /b\tsim1\tv7\tnaa.6001 (+1)")
        );
    }

    #[test]
    fn a_dead_device_says_why_it_has_no_id() {
        let device = v1::BlockDevice { unreadable: "no answer in 2 s".to_owned(), ..Default::default() };
        let shown = list(&v1::DeviceListReply { devices: vec![row(device)] }).plain();
        assert!(shown.contains("unreadable: no answer in 2 s"), "{shown}");
    }

    #[test]
    fn a_kind_from_a_newer_agent_is_no_failure() {
        assert_eq!(kind(&v1::BlockDevice { kind: 999, ..Default::default() }), "");
    }
}
