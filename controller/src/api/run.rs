//! Operations that show runs.

use sanfleet_protocol::v1::{self, api_error::Kind};

use super::{Api, Failure};

/// Runs that are listed when nobody says how many.
const DEFAULT_LIMIT: usize = 50;

impl Api {
    pub(super) async fn run_list(self, request: v1::RunListRequest) -> Result<v1::RunListReply, Failure> {
        let limit = match request.limit {
            0 => DEFAULT_LIMIT,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        Ok(v1::RunListReply { runs: self.runs.list().into_iter().take(limit).collect() })
    }

    pub(super) async fn run_show(self, request: v1::RunShowRequest) -> Result<v1::RunShowReply, Failure> {
        let mut found = self.runs.find(&request.run);
        match (found.pop(), found.len()) {
            (Some(run), 0) => Ok(v1::RunShowReply { run: Some(run) }),
            (Some(_), _) => Err(Failure::new(
                Kind::Invalid,
                format!("{:?} fits more than one run", request.run),
                "give more of the id",
            )),
            (None, _) => {
                let hint = "`sanfleet run list` shows the runs";
                Err(Failure::not_found("run", &request.run, hint))
            }
        }
    }
}
