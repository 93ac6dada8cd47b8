//! Every kind of event, once: its name, what it is about, the message in its body, and when it is told. The table in
//! `docs/events.md` is made from this one.

use std::fmt;

macro_rules! kinds {
    ($($variant:ident $name:literal about $about:literal with $message:ident when $when:literal;)*) => {
        /// The type of an event, as `ce-type` and subject have it: a noun and a verb, two tokens, always.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EventKind {
            $($variant,)*
        }

        impl EventKind {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the last token of the subject names.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => $about,)*
                }
            }

            /// The message of `event.proto` in its body.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($message),)*
                }
            }

            pub fn when(self) -> &'static str {
                match self {
                    $(Self::$variant => $when,)*
                }
            }
        }
    };
}

kinds! {
    HostOnline "host.online" about "HOST" with HostPresence
        when "a host is heard for the first time, or again after `host.offline`";
    HostOffline "host.offline" about "HOST" with HostPresence
        when "its agent said goodbye, or was silent for 16 s";
    DeviceAppeared "device.appeared" about "HOST" with DeviceChange
        when "a report has a block device that the one before had not";
    DeviceGone "device.gone" about "HOST" with DeviceChange
        when "a report lacks a block device that the one before had";
    VolumeMatched "volume.matched" about "HOST" with VolumeMatch
        when "a device of the host was found to be a volume of an array";
    VolumeUnmatched "volume.unmatched" about "HOST" with VolumeMatch
        when "a device is that volume no longer, or is not known to be";
    FindingRaised "finding.raised" about "CODE" with Finding
        when "the doctor has found something that does not fit, and it did not pass by itself";
    FindingCleared "finding.cleared" about "CODE" with Finding
        when "what a finding was about fits again";
    ArrayReachable "array.reachable" about "ARRAY" with ArrayHealth
        when "an array was listed for the first time, or again after `array.unreachable`";
    ArrayUnreachable "array.unreachable" about "ARRAY" with ArrayHealth
        when "an array could not be listed; told once, not with every try";
    RunStarted "run.started" about "RUN" with RunChange
        when "a run is in the journal; nothing has been touched yet";
    RunFinished "run.finished" about "RUN" with RunChange
        when "a run is over, however it ended: see its state";
    RunPaused "run.paused" about "RUN" with RunChange
        when "somebody asked that no further step begin";
    RunResumed "run.resumed" about "RUN" with RunChange
        when "somebody asked that a paused run go on";
    RunCancelled "run.cancelled" about "RUN" with RunChange
        when "somebody asked that a run be taken back";
    RunRetried "run.retried" about "RUN" with RunChange
        when "somebody asked that what failed be tried again";
    StepStarted "step.started" about "RUN" with StepChange
        when "a try of a step begins";
    StepFinished "step.finished" about "RUN" with StepChange
        when "a step is done and verified";
    StepFailed "step.failed" about "RUN" with StepChange
        when "a step is not tried again";
    UndoStarted "undo.started" about "RUN" with StepChange
        when "a step begins to be taken back";
    UndoFinished "undo.finished" about "RUN" with StepChange
        when "a step has been taken back";
    UndoFailed "undo.failed" about "RUN" with StepChange
        when "a step could not be taken back: the run will be stuck";
    AttachmentReady "attachment.ready" about "RUN" with Attachment
        when "a volume is usable on a host; RUN is the run that attached it, and for a further one that it attached `RUN-2`, `RUN-3` …";
    AttachmentRemoved "attachment.removed" about "RUN" with Attachment
        when "an attachment was taken down; RUN is the run that had attached it";
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::{subject, v1};

    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/events.md");

    fn table() -> String {
        let head = "| type | subject | body | when |\n|---|---|---|---|\n".to_owned();
        EventKind::ALL.iter().fold(head, |text, kind| {
            let subject = subject::event(kind.as_str(), kind.about());
            text + &format!("| `{kind}` | `{subject}` | `{}` | {} |\n", kind.message(), kind.when())
        })
    }

    #[test]
    fn the_table_in_the_documentation_has_every_kind_as_it_is() {
        let (_, rest) = DOCUMENT.split_once("<!-- kinds -->\n").unwrap();
        let (documented, _) = rest.split_once("<!-- /kinds -->").unwrap();
        assert!(documented == table(), "docs/events.md should have:\n\n{}", table());
    }

    #[test]
    fn every_kind_is_two_tokens_that_no_other_has() {
        let mut names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert!(names.iter().all(|name| name.split('.').filter(|token| !token.is_empty()).count() == 2));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventKind::ALL.len());
    }

    /// The name of the message that a body holds.
    fn message(body: &str) -> &'static str {
        use v1::event_data::Event;
        match serde_json::from_str::<v1::EventData>(body).unwrap().event.unwrap() {
            Event::Host(_) => "HostPresence",
            Event::Device(_) => "DeviceChange",
            Event::Match(_) => "VolumeMatch",
            Event::Run(_) => "RunChange",
            Event::Step(_) => "StepChange",
            Event::Attachment(_) => "Attachment",
            Event::Array(_) => "ArrayHealth",
            Event::Finding(_) => "Finding",
        }
    }

    #[test]
    fn every_message_has_an_example_that_can_be_read() {
        let examples = DOCUMENT.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
        let shown: Vec<_> = examples.map(message).collect();
        for kind in EventKind::ALL {
            assert!(shown.contains(&kind.message()), "{} has no example", kind.message());
        }
    }
}
