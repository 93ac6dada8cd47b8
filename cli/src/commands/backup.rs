//! `sanfleet backup`: consistent copies of live volumes on other hosts.

use sanfleet_protocol::v1;

use super::{
    Console,
    change::{carry_out, millis},
    host,
};
use crate::{
    args::{Also, Attach, BackupCommand, DeadMan, Detach, What},
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
        quiesce: attach.quiesce.method().into(),
        hook: attach.quiesce.hook_name(),
        read_write: attach.rw,
        name: attach.name.unwrap_or_default(),
        dead_man_ms: attach.dead_man.map(DeadMan::millis).unwrap_or_default(),
        verify: attach.verify,
        expire_ms: millis(attach.expire),
        also: attach.also.iter().map(also).collect(),
        ..Default::default()
    }
}

fn also(one: &Also) -> v1::AlsoWanted {
    v1::AlsoWanted { source_mount_point: one.from.to_string(), target_mount_point: one.to.to_string() }
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
            Cell::from(human::moment(copy.expires_at_unix_ms)),
            Cell::from(&copy.id),
        ]
    });
    Table::new(["MOUNTED AT", "ACCESS", "COPY OF", "ARRAY", "VOLUME", "SINCE", "EXPIRES", "ATTACHMENT"], rows)
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
        let line = "sanfleet backup attach db1:/var/lib/mysql --also /log=/mnt-log --to b1 --mount //mnt/ \
                    --quiesce hook:shop --rw --name n --dead-man 2s --dry-run";
        let BackupCommand::Attach(attach) = backup(line) else { panic!() };
        assert_eq!(
            attach_request(*attach),
            v1::BackupAttachRequest {
                source_host: "db1".to_owned(),
                source_mount_point: "/var/lib/mysql".to_owned(),
                target_host: "b1".to_owned(),
                target_mount_point: "/mnt".to_owned(),
                quiesce: v1::QuiesceMethod::Hook as i32,
                hook: "shop".to_owned(),
                also: vec![v1::AlsoWanted {
                    source_mount_point: "/log".to_owned(),
                    target_mount_point: "/mnt-log".to_owned(),
                }],
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
        let second = "01990000-0000-7000-8000-0123456789ab-2";
        let BackupCommand::Detach(by_id) = backup(&format!("sanfleet backup detach {second}")) else {
            panic!()
        };
        assert_eq!(detach_request(by_id).attachment, second);
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
