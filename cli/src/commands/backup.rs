//! `sanfleet backup`: consistent copies of live volumes on other hosts.

use sanfleet_protocol::v1;

use super::{Console, change::carry_out, host};
use crate::{
    args::{Attach, BackupCommand, DeadMan, Detach, What},
    exit::Exit,
    failure::Failure,
    output::{Cell, Table, View, human},
};

pub async fn run(console: &Console, command: BackupCommand) -> Result<Exit, Failure> {
    match command {
        BackupCommand::Attach(attach) => {
            let how = attach.how.clone();
            carry_out(console, attach_request(*attach), &how).await
        }
        BackupCommand::Detach(detach) => {
            let how = detach.how.clone();
            carry_out(console, detach_request(detach), &how).await
        }
        // The attachments are part of the fleet's status.
        BackupCommand::List => console.ask(v1::StatusRequest {}, list).await,
    }
}

fn attach_request(attach: Attach) -> v1::BackupAttachRequest {
    v1::BackupAttachRequest {
        source_host: attach.source.host.to_string(),
        source_mount_point: attach.source.mount_point.to_string(),
        target_host: attach.to.to_string(),
        target_mount_point: attach.mount.to_string(),
        quiesce: v1::QuiesceMethod::from(attach.quiesce).into(),
        read_write: attach.rw,
        name: attach.name.unwrap_or_default(),
        dead_man_ms: attach.dead_man.map(DeadMan::millis).unwrap_or_default(),
        ..Default::default()
    }
}

fn detach_request(detach: Detach) -> v1::BackupDetachRequest {
    match detach.what {
        What::Attachment(id) => v1::BackupDetachRequest { attachment: id.into_inner(), ..Default::default() },
        What::At(place) => v1::BackupDetachRequest {
            host: place.host.to_string(),
            mount_point: place.mount_point.to_string(),
            ..Default::default()
        },
    }
}

fn list(status: &v1::StatusReply) -> View {
    View::table(attachments(&status.attachments))
}

pub fn attachments(attachments: &[v1::Attachment]) -> Table {
    let rows = attachments.iter().map(|copy| {
        [
            Cell::from(format!("{}:{}", copy.host, copy.mount_point)),
            Cell::from(host::access(copy.read_write)),
            Cell::from(format!("{}:{}", copy.source_host, copy.source_mount_point)),
            Cell::from(&copy.array),
            Cell::from(&copy.volume_name),
            Cell::from(human::moment(copy.since_unix_ms)),
            Cell::from(&copy.id),
        ]
    });
    Table::new(["MOUNTED AT", "ACCESS", "COPY OF", "ARRAY", "VOLUME", "SINCE", "ATTACHMENT"], rows)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn backup(line: &str) -> BackupCommand {
        match Args::try_parse_from(line.split(' ')).unwrap().command {
            Command::Backup(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_attach_asks_for_all_that_was_said() {
        let line = "sanfleet backup attach db1:/var/lib/mysql --to b1 --mount //mnt/ --quiesce none \
                    --rw --name n --dead-man 2s --dry-run";
        let BackupCommand::Attach(attach) = backup(line) else { panic!() };
        assert_eq!(
            attach_request(*attach),
            v1::BackupAttachRequest {
                source_host: "db1".to_owned(),
                source_mount_point: "/var/lib/mysql".to_owned(),
                target_host: "b1".to_owned(),
                target_mount_point: "/mnt".to_owned(),
                quiesce: v1::QuiesceMethod::None as i32,
                read_write: true,
                name: "n".to_owned(),
                dead_man_ms: 2_000,
                ..Default::default()
            }
        );
    }

    #[test]
    fn a_detach_names_the_attachment_or_its_place_never_both() {
        let BackupCommand::Detach(by_id) = backup("sanfleet backup detach 0199a") else { panic!() };
        let by_id = detach_request(by_id);
        assert_eq!((by_id.attachment.as_str(), by_id.host.as_str()), ("0199a", ""));
        let BackupCommand::Detach(by_place) = backup("sanfleet backup detach b1:/mnt") else { panic!() };
        let by_place = detach_request(by_place);
        assert_eq!(
            (by_place.attachment.as_str(), by_place.host.as_str(), by_place.mount_point.as_str()),
            ("", "b1", "/mnt")
        );
    }

    #[test]
    fn an_attachment_is_listed_by_where_it_is() {
        let copy = v1::Attachment {
            host: "b1".to_owned(),
            mount_point: "/mnt".to_owned(),
            source_host: "db1".to_owned(),
            source_mount_point: "/srv".to_owned(),
            read_write: true,
            ..Default::default()
        };
        let shown = list(&v1::StatusReply { attachments: vec![copy], ..Default::default() }).piped();
        assert!(shown.contains("b1:/mnt\tread-write\tdb1:/srv\t"), "{shown}");
    }
}
