//! Why a command gave no answer, told as: what, why, and what to do next.

use std::{error::Error, io, time::Duration};

use sanfleet_protocol::{event_filter::FilterError, limits::legible};

use crate::{
    bus::BusError, client::ClientError, commands::AuditError, exit::Exit, output::human, secret::SecretError,
};

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("cannot ask on the terminal")]
    Terminal(#[source] io::Error),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("interrupted before the controller answered: a run may have been started")]
    InterruptedEarly,
    #[error("interrupted: run {run} goes on")]
    Interrupted { run: String },
    #[error("run {run} has not ended within {}; it goes on", human::duration(*.after))]
    StillGoing { run: String, after: Duration },
}

impl Failure {
    /// Tells it on stderr, and gives the status to leave with.
    pub fn report(&self) -> Exit {
        if !self.is_broken_pipe() {
            // Nobody is left to tell when stderr is gone as well.
            let _ = io::Write::write_all(&mut io::stderr().lock(), self.text().as_bytes());
        }
        self.exit()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => error.exit(),
            Self::Secret(error) => error.exit(),
            Self::Bus(error) => error.exit(),
            Self::Audit(_) => Exit::Findings,
            Self::Filter(_) => Exit::Usage,
            Self::Output(_) if self.is_broken_pipe() => Exit::Done,
            Self::Output(_) | Self::Terminal(_) => Exit::Failed,
            Self::InterruptedEarly | Self::Interrupted { .. } => Exit::Interrupted,
            Self::StillGoing { .. } => Exit::TimedOut,
        }
    }

    /// The reader had enough, as `head` does.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Client(error) => error.hint(),
            Self::Secret(error) => error.hint().map(str::to_owned),
            Self::Bus(error) => error.hint().map(str::to_owned),
            Self::Audit(error) => Some(error.hint().to_owned()),
            Self::Output(_) | Self::Filter(_) => None,
            Self::Terminal(_) => Some("with --yes nobody is asked".to_owned()),
            Self::InterruptedEarly => Some("look for it with: sanfleet run list".to_owned()),
            Self::Interrupted { run } | Self::StillGoing { run, .. } => {
                Some(format!("watch it with: sanfleet run watch {run}"))
            }
        }
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", legible(&self.to_string()));
        for reason in reasons(self) {
            text.push_str(&format!("  because: {}\n", legible(&reason)));
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("  next: {}\n", legible(&hint)));
        }
        text
    }
}

/// The sources of an error, without those that only repeat what was said before: other people's errors do.
fn reasons(error: &dyn Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut reasons = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !said.contains(&text) {
            said.clone_from(&text);
            reasons.push(text);
        }
        source = error.source();
    }
    reasons
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::v1::api_error;

    use super::*;

    fn refusal(message: &str, hint: &str) -> Failure {
        Failure::Client(ClientError::Refused {
            kind: api_error::Kind::NotFound,
            message: message.to_owned(),
            hint: hint.to_owned(),
        })
    }

    #[test]
    fn a_refusal_says_what_and_what_to_do_next() {
        let failure = refusal("host \"db9\" is not known", "sanfleet host list shows those that are");
        assert_eq!(
            failure.text(),
            "error: host \"db9\" is not known\n  next: sanfleet host list shows those that are\n"
        );
        assert_eq!(failure.exit(), Exit::NotFound);
    }

    #[test]
    fn a_refusal_cannot_drive_the_terminal() {
        assert!(!refusal("\u{1b}]0;gone\u{7}", "\u{9b}2J").text().contains(['\u{1b}', '\u{7}', '\u{9b}']));
    }

    #[test]
    fn a_reader_that_goes_away_is_success() {
        let failure = Failure::Output(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.report(), Exit::Done);
        assert_eq!(Failure::Output(io::Error::other("disk full")).exit(), Exit::Failed);
    }

    #[test]
    fn whoever_leaves_a_run_behind_learns_how_to_watch_it() {
        let failure = Failure::Interrupted { run: "0199-7".to_owned() };
        assert!(failure.text().contains("goes on"));
        assert!(failure.text().contains("sanfleet run watch 0199-7"));
        assert_eq!(failure.exit(), Exit::Interrupted);
    }

    #[test]
    fn a_source_that_repeats_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: inner")]
        struct Outer(#[source] io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("top")]
        struct Top(#[source] Outer);
        assert_eq!(reasons(&Top(Outer(io::Error::other("inner")))), ["outer: inner"]);
    }
}
