//! `sanfleet volume`: volumes as the arrays hold them, and the hosts that see them.

use sanfleet_protocol::v1;

use super::{Console, change::carry_out};
use crate::{
    args::{Detach, Source, VolumeCommand, VolumeRef, What},
    exit::Exit,
    failure::Failure,
    output::{Cell, Table, Tone, View, human},
};

pub async fn run(console: &Console, command: VolumeCommand) -> Result<Exit, Failure> {
    match command {
        VolumeCommand::List { array } => {
            let array = array.map(|array| array.to_string()).unwrap_or_default();
            console.ask(v1::VolumeListRequest { array }, list).await
        }
        VolumeCommand::Detach(detach) => {
            let how = detach.how.clone();
            carry_out(console, detach_request(detach), &how).await
        }
        VolumeCommand::Resize { volume, size, how } => {
            carry_out(console, resize_request(volume, size), &how).await
        }
        VolumeCommand::Move { from, to, mount, how } => {
            let request = v1::VolumeMoveRequest {
                host: from.host.to_string(),
                mount_point: from.mount_point.to_string(),
                to_host: to.to_string(),
                to_mount_point: mount.map(|at| at.to_string()).unwrap_or_default(),
                ..Default::default()
            };
            carry_out(console, request, &how).await
        }
        VolumeCommand::Delete { volume, how } => carry_out(console, delete_request(volume), &how).await,
    }
}

fn detach_request(detach: Detach) -> v1::VolumeDetachRequest {
    match detach.what {
        What::Attachment(id) => v1::VolumeDetachRequest { attachment: id.into_inner(), ..Default::default() },
        What::At(place) => v1::VolumeDetachRequest {
            host: place.host.to_string(),
            mount_point: place.mount_point.to_string(),
            ..Default::default()
        },
    }
}

fn delete_request(volume: VolumeRef) -> v1::VolumeDeleteRequest {
    v1::VolumeDeleteRequest { array: volume.array.to_string(), volume: volume.volume, ..Default::default() }
}

fn resize_request(volume: Source, size_bytes: u64) -> v1::VolumeResizeRequest {
    let mut request = v1::VolumeResizeRequest { size_bytes, ..Default::default() };
    match volume {
        Source::At(place) => {
            request.source_host = place.host.to_string();
            request.source_mount_point = place.mount_point.to_string();
        }
        Source::Volume(volume) => {
            request.source_array = volume.array.to_string();
            request.source_volume = volume.volume;
        }
    }
    request
}

/// The hosts that still see the volume smaller than it is.
fn pending(hosts: &[String]) -> Cell {
    match hosts {
        [] => Cell::from(String::new()),
        hosts => Cell::toned(hosts.join(", "), Tone::Busy),
    }
}

fn list(reply: &v1::VolumeListReply) -> View {
    let rows = reply.volumes.iter().map(|volume| {
        [
            Cell::from(&volume.array),
            Cell::from(&volume.name),
            Cell::from(human::size(volume.size_bytes)),
            Cell::from(&volume.pool),
            Cell::from(volume.hosts.join(", ")),
            pending(&volume.grow_pending),
            Cell::from(&volume.volume_id),
            Cell::from(&volume.id),
        ]
    });
    View::table(Table::new(
        ["ARRAY", "NAME", "SIZE", "POOL", "SEEN BY", "GROW PENDING", "VOLUME ID", "ID"],
        rows,
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn volume(line: &str) -> VolumeCommand {
        match Args::try_parse_from(line.split(' ')).unwrap().command {
            Command::Volume(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_volume_is_grown_where_it_is_mounted_or_by_its_name_and_deleted_by_its_name_alone() {
        let VolumeCommand::Resize { volume: at, size, .. } =
            volume("sanfleet volume resize db1:/srv --size 2GiB")
        else {
            panic!()
        };
        let request = resize_request(at, size);
        assert_eq!((request.source_host.as_str(), request.size_bytes), ("db1", 2 << 30));
        let VolumeCommand::Delete { volume: named, .. } = volume("sanfleet volume delete lab/data") else {
            panic!()
        };
        let request = delete_request(named);
        assert_eq!((request.array.as_str(), request.volume.as_str()), ("lab", "data"));
        assert!(Args::try_parse_from("sanfleet volume delete db1:/srv".split(' ')).is_err());
    }

    #[test]
    fn a_volume_that_nobody_sees_has_a_dash() {
        let volume = v1::VolumeRow { name: "data".to_owned(), size_bytes: 512, ..Default::default() };
        assert_eq!(
            list(&v1::VolumeListReply { volumes: vec![volume] }).piped(),
            "ARRAY\tNAME\tSIZE\tPOOL\tSEEN BY\tGROW PENDING\tVOLUME ID\tID\n-\tdata\t512 B\t-\t-\t-\t-\t-\n"
        );
    }
}
