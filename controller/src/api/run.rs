//! Operations that show runs, and that ask something of them.

use std::time::Duration;

use sanfleet_protocol::{
    RunId,
    v1::{self, RunState, RunVerb, api_error::Kind},
};

use super::{Api, Failure};
use crate::runs::ControlError;

/// How far this controller may be behind the journals: one that hung reads up on what it missed.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(3);
/// Runs that are listed when nobody says how many.
const DEFAULT_LIMIT: usize = 50;

impl Api {
    pub(super) async fn run_list(self, request: v1::RunListRequest) -> Result<v1::RunListReply, Failure> {
        let limit = match request.limit {
            0 => DEFAULT_LIMIT,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        Ok(v1::RunListReply { runs: self.runs.list(limit) })
    }

    pub(super) async fn run_show(self, request: v1::RunShowRequest) -> Result<v1::RunShowReply, Failure> {
        let run = self.the_run(&request.run).await?;
        let mut parts = match request.parts {
            true => self.runs.parts(id(&run)?),
            false => Vec::new(),
        };
        parts.sort_by_key(|part| part.state() == RunState::Succeeded);
        Ok(v1::RunShowReply { run: Some(run), parts })
    }

    pub(super) async fn run_control(
        self,
        request: v1::RunControlRequest,
    ) -> Result<v1::RunControlReply, Failure> {
        let run = self.the_run(&request.run).await?;
        // Forgetting is for controllers to decide.
        let verb = Some(request.verb()).filter(|verb| *verb != RunVerb::Forget).unwrap_or_default();
        self.runs.control(id(&run)?, verb, &request.by).await?;
        Ok(v1::RunControlReply { run: Some(self.the_run(&run.id).await?) })
    }

    /// The one run that is meant. Another controller may have begun it just now, so that its journal is still to be followed.
    async fn the_run(&self, text: &str) -> Result<v1::Run, Failure> {
        if let Ok(run) = text.parse() {
            self.runs.wait_for(run, FOLLOWED_WITHIN).await;
        }
        let mut found = self.runs.find(text);
        match (found.pop(), found.len()) {
            (Some(run), 0) => Ok(run),
            (Some(_), _) => Err(Failure::new(
                Kind::Invalid,
                format!("{text:?} fits more than one run"),
                "give more of the id",
            )),
            (None, _) => Err(Failure::not_found("run", text, "`sanfleet run list` shows the runs")),
        }
    }
}

fn id(run: &v1::Run) -> Result<RunId, Failure> {
    Ok(run.id.parse()?)
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Unknown(_) => {
                Self::new(Kind::NotFound, error, "`sanfleet run list` shows the runs")
            }
            ControlError::Refused(_) => {
                Self::new(Kind::Conflict, error, "`sanfleet run show` says how it is")
            }
            ControlError::Journal(error) => error.into(),
        }
    }
}
