//! Runs as the [doctor](crate::doctor) looks at them.

use std::sync::Arc;

use sanfleet_protocol::{
    RunId,
    v1::{self, run_created},
};

use super::{
    any::{AnyProcedure, name_of},
    known::Known,
    minted::MintedVolumes,
    procedure::Place,
    progress::Progress,
};

/// All that accounts for what is on arrays and hosts, at one moment.
#[derive(Debug, Clone, Default)]
pub struct RunsSeen {
    pub attachments: Vec<v1::Attachment>,
    pub open: Vec<OpenRun>,
    pub stuck: Vec<StuckRun>,
    pub minted: Arc<MintedVolumes>,
}

#[derive(Debug, Clone)]
pub struct OpenRun {
    pub run: RunId,
    pub procedure: &'static str,
    pub owner: String,
    pub paused: bool,
    /// The newest record of its journal, or of that of a part of it.
    pub last_at_unix_ms: i64,
    /// Where it works. Of a run with parts, the parts say it.
    pub places: Vec<Place>,
}

#[derive(Debug, Clone)]
pub struct StuckRun {
    pub run: RunId,
    pub procedure: &'static str,
    pub error: String,
    pub since_unix_ms: i64,
}

pub fn seen(known: &Known) -> RunsSeen {
    RunsSeen {
        attachments: known.attachments().cloned().collect(),
        open: known.open().map(|run| open(known, run)).collect(),
        stuck: known.stuck().map(stuck).collect(),
        minted: known.minted(),
    }
}

fn open(known: &Known, progress: &Progress) -> OpenRun {
    let parts = known.parts(progress.run).map(|part| part.last_at_unix_ms);
    OpenRun {
        run: progress.run,
        procedure: name_of(&progress.procedure),
        owner: progress.owner.clone(),
        paused: progress.paused,
        last_at_unix_ms: parts.fold(progress.last_at_unix_ms, i64::max),
        places: places(progress),
    }
}

fn places(progress: &Progress) -> Vec<Place> {
    if matches!(*progress.procedure, run_created::Procedure::Rollout(_)) {
        return Vec::new();
    }
    AnyProcedure::try_from(progress.procedure.as_ref()).map(|one| one.places()).unwrap_or_default()
}

fn stuck(progress: &Progress) -> StuckRun {
    StuckRun {
        run: progress.run,
        procedure: name_of(&progress.procedure),
        error: progress.error.clone(),
        since_unix_ms: progress.last_at_unix_ms,
    }
}
