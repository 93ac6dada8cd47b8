//! The exit statuses: scripts decide on them, so a number never changes its meaning.

use std::process::ExitCode;

use sanfleet_protocol::v1::{RunState, api_error};

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 5,
    Partial = 6,
    Stuck = 8,
    Findings = 10,
    Unreachable = 20,
    TimedOut = 21,
    Interrupted = 130,
}

/// The table at the end of `--help`.
pub const HELP: &str = "\
EXIT CODES
    0    done
    1    failed: the run was undone or failed, or the controller ran into an error
    2    usage, or a request that makes no sense
    3    not found
    5    conflict: something else is in the way
    6    in part: some of the hosts failed, no more than were allowed to
    8    stuck: the run could neither end nor be undone, a person has to look
    10   findings: `doctor` found what puts data or access at stake, or the audit is broken
    20   the controller, or what it needs for its answer, cannot be reached
    21   timed out: the work may go on
    130  interrupted: a run that was started goes on

EXAMPLES
    sanfleet map
    sanfleet backup attach db1:/var/lib/mysql --to backup1 --mount /mnt/copy --quiesce mysql
    sanfleet backup detach backup1:/mnt/copy
    sanfleet -o json run list";

impl Exit {
    /// What a run that has ended, or stopped, means for the one who waited for it.
    pub fn of_run(state: RunState) -> Self {
        match state {
            RunState::Succeeded => Self::Done,
            RunState::Stuck => Self::Stuck,
            RunState::Partial => Self::Partial,
            RunState::Undone
            | RunState::Failed
            | RunState::Unspecified
            | RunState::Running
            | RunState::Undoing => Self::Failed,
        }
    }

    /// What a refusal of the controller means.
    pub fn of_refusal(kind: api_error::Kind) -> Self {
        match kind {
            api_error::Kind::Invalid => Self::Usage,
            api_error::Kind::NotFound => Self::NotFound,
            api_error::Kind::Conflict => Self::Conflict,
            api_error::Kind::Unavailable => Self::Unreachable,
            api_error::Kind::Internal | api_error::Kind::Unspecified => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_in_the_help() {
        let documented: Vec<u8> =
            HELP.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Conflict,
            Exit::Partial,
            Exit::Stuck,
            Exit::Findings,
            Exit::Unreachable,
            Exit::TimedOut,
            Exit::Interrupted,
        ];
        assert_eq!(documented, all.map(|exit| exit as u8));
    }

    #[test]
    fn only_a_run_that_succeeded_is_done() {
        let done: Vec<i32> = (0..=7)
            .filter(|state| RunState::try_from(*state).is_ok_and(|s| Exit::of_run(s) == Exit::Done))
            .collect();
        assert_eq!(done, [RunState::Succeeded as i32]);
        assert_eq!(Exit::of_run(RunState::Stuck), Exit::Stuck);
    }
}
