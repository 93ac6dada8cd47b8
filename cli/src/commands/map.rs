//! `sanfleet map`: what lies where, from the host down to the array.

use sanfleet_protocol::{HostId, v1};

use super::{Console, host};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Cell, Node, Table, Tone, View, human},
};

pub async fn show(console: &Console, host: Option<HostId>) -> Result<Exit, Failure> {
    let host = host.map(|host| host.to_string()).unwrap_or_default();
    console.ask(v1::MapRequest { host }, view).await
}

fn view(reply: &v1::MapReply) -> View {
    View::tree(reply.hosts.iter().map(of_host).collect(), rows(reply))
}

fn of_host(host: &v1::MapHost) -> Node {
    let devices = host.devices.iter().map(of_device).collect();
    if host.online {
        Node::over(&host.host, devices)
    } else {
        Node::over(Cell::toned(format!("{} (offline: as last seen)", host.host), Tone::Bad), devices)
    }
}

/// One device on its way down: where it is mounted, itself, the volume that it is, and where that lies.
fn of_device(device: &v1::MapDevice) -> Node {
    let mounted = match device.mount_points.as_slice() {
        [] => Cell::toned("(not mounted)", Tone::Faint),
        points => Cell::from(points.join(", ")),
    };
    Node::over(mounted, vec![Node::over(described(device), of_volume(device))])
}

fn described(device: &v1::MapDevice) -> String {
    let size = human::size(device.size_bytes);
    [&*device.device, &*size, &*device.file_system].join("  ").trim_end().to_owned()
}

fn of_volume(device: &v1::MapDevice) -> Vec<Node> {
    if device.array.is_empty() {
        let text = match device.volume_id.as_str() {
            "" => "no volume of a known array".to_owned(),
            id => format!("no volume of a known array: {id}"),
        };
        return vec![Node::leaf(Cell::toned(text, Tone::Faint))];
    }
    let array = vec![Node::leaf(format!("array {}", device.array))];
    let pool =
        if device.pool.is_empty() { array } else { vec![Node::over(format!("pool {}", device.pool), array)] };
    let volume = format!("volume {}  {}", name(device), device.volume_id);
    vec![Node::over(volume.trim_end(), pool)]
}

fn name(device: &v1::MapDevice) -> &str {
    if device.volume_name.is_empty() { &device.volume } else { &device.volume_name }
}

/// The same for programs: a row a device.
fn rows(reply: &v1::MapReply) -> Table {
    let devices = reply.hosts.iter().flat_map(|host| host.devices.iter().map(move |device| (host, device)));
    let rows = devices.map(|(on, device)| {
        [
            Cell::from(&on.host),
            host::presence(on.online),
            Cell::from(device.mount_points.join(", ")),
            Cell::from(&device.device),
            Cell::from(human::size(device.size_bytes)),
            Cell::from(&device.file_system),
            Cell::from(name(device)),
            Cell::from(&device.volume_id),
            Cell::from(&device.pool),
            Cell::from(&device.array),
        ]
    });
    let columns =
        ["HOST", "STATE", "MOUNTED AT", "DEVICE", "SIZE", "FS", "VOLUME", "VOLUME ID", "POOL", "ARRAY"];
    Table::new(columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> v1::MapReply {
        let volume = v1::MapDevice {
            mount_points: vec!["/var/lib/mysql".to_owned()],
            device: "loop3".to_owned(),
            size_bytes: 1 << 30,
            file_system: "xfs".to_owned(),
            volume_id: "naa.6001".to_owned(),
            volume: "v1".to_owned(),
            volume_name: "mysql".to_owned(),
            pool: "p0".to_owned(),
            array: "sim1".to_owned(),
        };
        let local = v1::MapDevice { device: "sda".to_owned(), size_bytes: 512, ..Default::default() };
        v1::MapReply {
            hosts: vec![v1::MapHost { host: "db1".to_owned(), online: true, devices: vec![volume, local] }],
        }
    }

    #[test]
    fn the_way_from_host_to_array_is_a_tree() {
        assert_eq!(
            view(&reply()).plain(),
            "db1\n\
             ├─ /var/lib/mysql\n\
             │  └─ loop3  1.0 GiB  xfs\n\
             │     └─ volume mysql  naa.6001\n\
             │        └─ pool p0\n\
             │           └─ array sim1\n\
             └─ (not mounted)\n   \
                └─ sda  512 B\n      \
                   └─ no volume of a known array\n"
        );
    }

    #[test]
    fn a_program_gets_a_row_a_device() {
        assert_eq!(
            view(&reply()).piped().lines().nth(1),
            Some("db1\tonline\t/var/lib/mysql\tloop3\t1.0 GiB\txfs\tmysql\tnaa.6001\tp0\tsim1")
        );
    }

    #[test]
    fn an_offline_host_is_marked_as_such() {
        let reply = v1::MapReply { hosts: vec![v1::MapHost { host: "b".to_owned(), ..Default::default() }] };
        assert_eq!(view(&reply).plain(), "b (offline: as last seen)\n");
    }
}
