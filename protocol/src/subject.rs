//! Every subject on the bus, built and taken apart in this one file.
//!
//! A host may publish below [`host_prefix`] and subscribe [`command`] and its own inbox, nothing else.

use crate::id::{BusUser, ControllerId, HostId, IdError, RunId, WebhookId};

/// Everything of ours lives below this.
pub const ROOT: &str = "sanfleet.v1";

/// All reports, and what captures them on the server.
pub const ALL_REPORTS: &str = "sanfleet.v1.host.*.report";
pub const ALL_HEARTBEATS: &str = "sanfleet.v1.host.*.alive";
pub const ALL_EVENTS: &str = "sanfleet.v1.event.>";
pub const ALL_RUNS: &str = "sanfleet.v1.run.*";
pub const ALL_DEAD: &str = "sanfleet.v1.dead.*";
pub const ALL_CONTROLLERS: &str = "sanfleet.v1.controller.*";

/// Every host's commands.
pub const ALL_COMMANDS: &str = "sanfleet.v1.cmd.*";

/// Streams, by what they capture.
pub const REPORTS_STREAM: &str = "SANFLEET_REPORTS";
pub const EVENTS_STREAM: &str = "SANFLEET_EVENTS";
pub const RUNS_STREAM: &str = "SANFLEET_RUNS";
pub const DEAD_STREAM: &str = "SANFLEET_DEAD";
pub const CONTROLLERS_STREAM: &str = "SANFLEET_CONTROLLERS";
/// Key-value bucket of the webhooks that operators added.
pub const WEBHOOKS_BUCKET: &str = "SANFLEET_WEBHOOKS";
/// Key-value bucket of the arrays that operators added.
pub const ARRAYS_BUCKET: &str = "SANFLEET_ARRAYS";
/// Key-value bucket of what operators said of hosts.
pub const HOSTS_BUCKET: &str = "SANFLEET_HOSTS";

/// The API; an operation is `<API>.<who asks>.<noun>.<verb>`. The bus lets nobody ask under another's name.
pub const API: &str = "sanfleet.v1.api";
/// The API's group, whoever asks.
pub const API_OF_ALL: &str = "sanfleet.v1.api.*";
/// Who asks where the bus is open to all.
pub const ANYBODY: &str = "anybody";

/// The record of who asked for what.
pub const AUDIT: &str = "sanfleet.v1.audit";
pub const AUDIT_STREAM: &str = "SANFLEET_AUDIT";

/// Whoever asks to become a user of the bus, each by the key of its invitation.
pub const ALL_ENROLMENTS: &str = "sanfleet.v1.enroll.*";

pub fn report(host: &HostId) -> String {
    format!("{ROOT}.host.{host}.report")
}

/// Where the holder of an invitation asks to be let in. `key`: the public key of the user that the invitation makes one.
pub fn enrolment(key: &str) -> String {
    format!("{ROOT}.enroll.{key}")
}

pub fn heartbeat(host: &HostId) -> String {
    format!("{ROOT}.host.{host}.alive")
}

pub fn host_prefix(host: &HostId) -> String {
    format!("{ROOT}.host.{host}.>")
}

pub fn command(host: &HostId) -> String {
    format!("{ROOT}.cmd.{host}")
}

/// Where a controller says that it is there.
pub fn controller(name: &ControllerId) -> String {
    format!("{ROOT}.controller.{name}")
}

pub fn run(run: &RunId) -> String {
    format!("{ROOT}.run.{run}")
}

pub fn api(by: &BusUser, operation: &str) -> String {
    format!("{API}.{by}.{operation}")
}

/// Who asks on this subject.
pub fn asker(subject: &str) -> Result<BusUser, SubjectError> {
    let asked = between(subject, ".api.", "", "an operation of the API")?;
    Ok(asked.split('.').next().unwrap_or_default().parse()?)
}

/// `kind` is a dotted event type such as `host.online`; `about` the object it is about.
pub fn event(kind: &str, about: &str) -> String {
    format!("{ROOT}.event.{kind}.{about}")
}

/// All events about one object. A kind has two tokens, whichever it is.
pub fn events_about(about: &str) -> String {
    event("*.*", about)
}

/// The events that a webhook did not take.
pub fn dead(webhook: &WebhookId) -> String {
    format!("{ROOT}.dead.{webhook}")
}

/// What is not a subject of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("{subject:?} is not the subject of {wanted}")]
    Other { subject: String, wanted: &'static str },
    #[error("subject names an id that is none")]
    Id(#[from] IdError),
}

/// Patterns for the rights of users of the bus. The server puts a user's own name, key or tag in (NATS, "Scoped signing keys").
pub mod own {
    use super::{API, ROOT};

    /// What the server replaces by the name of the user: of a host's user the host.
    pub const NAME: &str = "{{name()}}";

    pub fn report() -> String {
        format!("{ROOT}.host.{NAME}.report")
    }

    pub fn heartbeat() -> String {
        format!("{ROOT}.host.{NAME}.alive")
    }

    pub fn commands() -> String {
        format!("{ROOT}.cmd.{NAME}")
    }

    /// Where one asks to be let in who is nobody yet.
    pub fn enrolment() -> String {
        format!("{ROOT}.enroll.{{{{subject()}}}}")
    }

    /// The inboxes of a host: its agent goes by its name.
    pub fn host_inbox() -> String {
        format!("_INBOX_{NAME}.>")
    }

    /// The inboxes of anybody else, who goes by its key (`credentials`).
    pub fn inbox() -> String {
        "_INBOX_{{subject()}}.>".to_owned()
    }

    /// The events that the user's tags `event:…` name.
    pub fn events() -> String {
        format!("{ROOT}.event.{{{{tag(event)}}}}")
    }

    /// Operations of the API, asked under one's own name; `*` and `>` as the bus has them.
    pub fn operations(pattern: &str) -> String {
        format!("{API}.{NAME}.{pattern}")
    }
}

fn between<'a>(
    subject: &'a str,
    before: &str,
    after: &str,
    wanted: &'static str,
) -> Result<&'a str, SubjectError> {
    subject
        .strip_prefix(ROOT)
        .and_then(|rest| rest.strip_prefix(before))
        .and_then(|rest| rest.strip_suffix(after))
        .ok_or_else(|| SubjectError::Other { subject: subject.chars().take(200).collect(), wanted })
}

/// The controller that speaks on this subject.
pub fn controller_name(subject: &str) -> Result<ControllerId, SubjectError> {
    Ok(between(subject, ".controller.", "", "a controller")?.parse()?)
}

/// The host whose report came on this subject.
pub fn report_host(subject: &str) -> Result<HostId, SubjectError> {
    Ok(between(subject, ".host.", ".report", "a report")?.parse()?)
}

/// The host whose heartbeat came on this subject.
pub fn heartbeat_host(subject: &str) -> Result<HostId, SubjectError> {
    Ok(between(subject, ".host.", ".alive", "a heartbeat")?.parse()?)
}

/// The run whose journal this subject is.
pub fn run_id(subject: &str) -> Result<RunId, SubjectError> {
    Ok(between(subject, ".run.", "", "a run's journal")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_can_be_taken_apart() {
        let host: HostId = "db1".parse().unwrap();
        assert_eq!(report_host(&report(&host)), Ok(host.clone()));
        assert_eq!(heartbeat_host(&heartbeat(&host)), Ok(host));
        let alice: BusUser = "alice".parse().unwrap();
        assert_eq!(asker(&api(&alice, "status.show")), Ok(alice));
        let id = RunId::new(uuid::Uuid::from_u128(7));
        assert_eq!(run_id(&run(&id)), Ok(id));
    }

    #[test]
    fn a_host_s_own_patterns_are_its_subjects() {
        let host: HostId = "db1".parse().unwrap();
        let of_host = |pattern: String| pattern.replace(own::NAME, "db1");
        assert_eq!(of_host(own::report()), report(&host));
        assert_eq!(of_host(own::heartbeat()), heartbeat(&host));
        assert_eq!(of_host(own::commands()), command(&host));
    }

    #[test]
    fn a_subject_of_another_kind_is_refused() {
        for subject in
            ["", "sanfleet.v1.host.db1.alive", "sanfleet.v1.host.a.b.report", "other.host.db1.report"]
        {
            assert!(report_host(subject).is_err(), "{subject:?}");
        }
    }
}
