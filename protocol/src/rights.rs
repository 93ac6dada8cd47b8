//! Who may say and hear what on the bus: a role, and the subjects that go with it. Pure; the server enforces it.
//!
//! Rights are no more than the first gate. What a command may do is decided by its signature and by the host's own policy.
//!
//! Source: NATS documentation, "Authorization" and "Scoped signing keys"; JetStream's wire API, "NATS API Reference".

use std::{fmt, str::FromStr, time::Duration};

use crate::subject::{self, own};

/// What a user of the bus is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// An agent. Its user's name is its host's.
    Host,
    Controller,
    /// Looks at everything the controller tells, and changes nothing.
    Reader,
    /// Puts volumes where they are needed, and takes them away.
    Operator,
    /// All operations, those on arrays, passwords and webhooks too.
    Administrator,
    /// Hears the events that its tags name, as they happen, and nothing else.
    Subscriber,
    /// A host that is none yet: it asks to become one.
    Newcomer,
    /// Hears newcomers, and answers them.
    Registrar,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no role; use host, controller, reader, operator, administrator or subscriber")]
pub struct RoleError {
    text: String,
}

impl Role {
    pub const ALL: [Self; 8] = [
        Self::Host,
        Self::Controller,
        Self::Reader,
        Self::Operator,
        Self::Administrator,
        Self::Subscriber,
        Self::Newcomer,
        Self::Registrar,
    ];

    /// True of what lasts as long as one enrolment, and is given to nobody by hand.
    fn is_passing(self) -> bool {
        matches!(self, Self::Newcomer | Self::Registrar)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Controller => "controller",
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
            Self::Subscriber => "subscriber",
            Self::Newcomer => "newcomer",
            Self::Registrar => "registrar",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let mut given = Self::ALL.into_iter().filter(|role| !role.is_passing());
        let found = given.find(|role| role.as_str() == text);
        found.ok_or_else(|| RoleError { text: text.chars().take(64).collect() })
    }
}

/// What a role may do. Subjects hold the bus's own placeholders, see [`own`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    pub publish: Vec<String>,
    pub subscribe: Vec<String>,
    /// So many answers to each message that it was sent, within this time.
    pub answers: Option<(u32, Duration)>,
}

/// Longer than any command or operation takes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3600);
/// A controller answers a request in one message, and a ping of its service in one as well.
const ONE_ANSWER: Option<(u32, Duration)> = Some((1, ANSWERS_WITHIN));

impl Rights {
    pub fn of(role: Role) -> Self {
        match role {
            Role::Host => Self {
                publish: vec![own::report(), own::heartbeat()],
                subscribe: vec![own::commands(), own::host_inbox()],
                answers: ONE_ANSWER,
            },
            Role::Controller => of_controller(),
            Role::Reader => of_person(&["*.list", "*.show"], &[EVENTS]),
            Role::Operator => of_person(
                &[
                    "*.list",
                    "*.show",
                    "backup.*",
                    "volume.*",
                    "run.control",
                    "doctor.fix",
                    "host.cordon",
                    "host.label",
                ],
                &[EVENTS],
            ),
            Role::Administrator => of_person(&[">"], &[EVENTS, AUDIT]),
            Role::Subscriber => Self { publish: Vec::new(), subscribe: vec![own::events()], answers: None },
            Role::Newcomer => {
                Self { publish: vec![own::enrolment()], subscribe: vec![own::inbox()], answers: None }
            }
            Role::Registrar => Self {
                publish: Vec::new(),
                subscribe: vec![subject::ALL_ENROLMENTS.to_owned()],
                answers: ONE_ANSWER,
            },
        }
    }
}

/// It keeps its journal, its events and what operators added in JetStream, and speaks to every host.
fn of_controller() -> Rights {
    let kept = [subject::ARRAYS_BUCKET, subject::HOSTS_BUCKET, subject::WEBHOOKS_BUCKET];
    let spoken = [
        subject::ALL_COMMANDS,
        subject::ALL_EVENTS,
        subject::ALL_RUNS,
        subject::ALL_DEAD,
        subject::ALL_CONTROLLERS,
        subject::AUDIT,
        "$JS.API.>",
        "$JS.ACK.>",
    ];
    let heard = [subject::ALL_REPORTS, subject::ALL_HEARTBEATS, subject::ALL_CONTROLLERS, "$SRV.>"];
    Rights {
        publish: spoken
            .map(str::to_owned)
            .into_iter()
            .chain(kept.map(|name| format!("$KV.{name}.>")))
            .collect(),
        subscribe: heard
            .map(str::to_owned)
            .into_iter()
            .chain([format!("{}.>", subject::API_OF_ALL), own::inbox()])
            .collect(),
        answers: ONE_ANSWER,
    }
}

const EVENTS: &str = subject::EVENTS_STREAM;
const AUDIT: &str = subject::AUDIT_STREAM;

/// Asks the controller these operations, hears every event, and reads what the bus has kept in these streams.
fn of_person(operations: &[&str], streams: &[&str]) -> Rights {
    let reading = streams.iter().flat_map(|kept| {
        [
            format!("$JS.API.STREAM.INFO.{kept}"),
            // Without a name: such a consumer lasts no longer than it is used, and nobody else's can be meant.
            format!("$JS.API.CONSUMER.CREATE.{kept}"),
            format!("$JS.API.CONSUMER.INFO.{kept}.*"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{kept}.*"),
        ]
    });
    let asking = operations.iter().map(|pattern| own::operations(pattern));
    Rights {
        publish: asking.chain(reading).collect(),
        subscribe: vec![subject::ALL_EVENTS.to_owned(), own::inbox()],
        answers: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_as_it_is_written() {
        for role in Role::ALL {
            let read = role.to_string().parse::<Role>();
            assert!(if role.is_passing() { read.is_err() } else { read == Ok(role) }, "{role}");
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn a_host_may_say_and_hear_what_is_its_own_alone() {
        let Rights { publish, subscribe, .. } = Rights::of(Role::Host);
        for subject in publish.iter().chain(&subscribe) {
            assert!(subject.contains(own::NAME), "{subject}");
        }
    }

    #[test]
    fn nobody_but_a_controller_may_command_hosts_or_write_what_is_kept() {
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Controller) {
            for subject in Rights::of(role).publish {
                let forbidden =
                    ["cmd", "$KV", ".event.", ".run.", "STREAM.CREATE", "STREAM.DELETE", "$JS.API.>"];
                let api = subject.starts_with(subject::API);
                assert!(api || forbidden.iter().all(|part| !subject.contains(part)), "{role}: {subject}");
            }
        }
    }
}
