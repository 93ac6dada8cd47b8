//! How what changes storage is asked for: planned, shown, and begun as a run, exactly as it was shown if that is wanted.

use std::time::Duration;

use futures::future::join_all;
use sanfleet_protocol::{
    ArrayId, Fence, HostId, RunId,
    v1::{self, command::Action},
};
use tokio::time::{sleep, timeout};

use super::{Api, Failure};
use crate::{
    agents::{IfOffline, Order},
    catalog::Catalog,
    clock::now_unix_ms,
    plan::{AsPlanned, Occupied, PlanError, sealed},
    runs::{AnyProcedure, Runs},
};

/// How long a plan that was shown may wait.
const PLANS_LIVE_MS: i64 = 24 * 3600 * 1000;
/// How long a list of an array is waited for before it is planned on an old one.
const SETTLE: Duration = Duration::from_secs(20);
/// Pause before it is looked again whether a report is in.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long a host may take to report when it is asked to, or to say whether it could.
const ASK: Duration = Duration::from_secs(8);

/// How somebody asks for a change.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Show, and touch nothing.
    pub dry_run: bool,
    pub as_planned: Option<AsPlanned>,
}

impl Way {
    pub fn parse(dry_run: bool, as_planned: &str) -> Result<Self, Failure> {
        Ok(Self { dry_run, as_planned: AsPlanned::parse(as_planned)? })
    }

    /// The run that is planned: the one that was shown, or a new one.
    pub fn run(&self) -> RunId {
        self.as_planned.as_ref().map_or_else(Runs::mint, |plan| plan.run)
    }
}

/// The moment so many milliseconds after the run was planned; 0 for never. It is the same whenever the plan is made again.
pub(super) fn expires_at(run: RunId, after_ms: u64) -> i64 {
    match after_ms {
        0 => 0,
        after => run.minted_at_unix_ms().saturating_add(i64::try_from(after).unwrap_or(i64::MAX)),
    }
}

impl Api {
    /// Waits, though not for long, until what runs have just done to the array was listed: a volume that was detached a moment ago would
    /// look used.
    pub(super) async fn settle(&self, array: &ArrayId) {
        let Some(signals) = self.looker.arrays.signals(array) else { return };
        if timeout(SETTLE, signals.settled()).await.is_err() {
            tracing::debug!(%array, "planned on a list from before the last run");
        }
    }

    /// Plans. What a run did a moment ago, or somebody by hand, may not be known yet: before a plan is refused because nothing is mounted
    /// somewhere, or because what is mounted is no array's, who knows better is asked.
    pub(super) async fn planned<T>(
        &self,
        run: RunId,
        plan: impl Fn(&Catalog) -> Result<T, PlanError>,
    ) -> Result<T, Failure> {
        let mut planned = self.plan_now(&plan);
        if let Err(PlanError::NothingMounted { host, .. }) = &planned {
            self.hear_anew(run, &host.clone()).await;
            planned = self.plan_now(&plan);
        }
        if let Err(PlanError::NotOnArray { .. }) = &planned {
            let arrays: Vec<ArrayId> = self.catalog.read().arrays().map(|array| array.name.clone()).collect();
            join_all(arrays.iter().map(|array| self.settle(array))).await;
            planned = self.plan_now(&plan);
        }
        Ok(planned?)
    }

    fn plan_now<T>(&self, plan: impl Fn(&Catalog) -> Result<T, PlanError>) -> Result<T, PlanError> {
        plan(&self.catalog.read())
    }

    /// Waits, though not for long, for a report that a host makes now.
    async fn hear_anew(&self, run: RunId, host: &HostId) {
        let generation = || self.catalog.read().generation(host);
        let known = generation();
        let news = async {
            self.ask(run, host, Action::ReportNow(v1::ReportNow {})).await?;
            while generation() == known {
                sleep(LOOK_AGAIN).await;
            }
            Ok::<_, Failure>(())
        };
        if !matches!(timeout(ASK, news).await, Ok(Ok(()))) {
            tracing::debug!(%host, "planned on the report from before");
        }
    }

    /// Who uses which place now.
    pub(super) fn occupied(&self) -> Occupied {
        Occupied(self.runs.occupied())
    }

    /// Begins the run of a plan, unless it is only to be shown. Asked for again, the same plan is the same run.
    pub(super) async fn begin(
        &self,
        run: RunId,
        procedure: AnyProcedure,
        plan: v1::Plan,
        way: &Way,
    ) -> Result<v1::RunReply, Failure> {
        let plan = sealed(plan, run, &procedure, self.catalog.read().generation_now());
        if let Some(wanted) = &way.as_planned {
            wanted.require(&plan)?;
        }
        if way.dry_run {
            return Ok(v1::RunReply { plan: Some(plan), run: String::new() });
        }
        self.runs.start(run, &procedure).await?;
        Ok(v1::RunReply { plan: Some(plan), run: run.to_string() })
    }

    /// The run of a plan that was begun before: whoever asks again has lost the answer.
    pub(super) fn begun_before(&self, way: &Way) -> Result<Option<v1::RunReply>, Failure> {
        let Some(wanted) = &way.as_planned else { return Ok(None) };
        let Some(procedure) = self.runs.procedure(wanted.run) else {
            return match now_unix_ms().saturating_sub(wanted.run.minted_at_unix_ms()) {
                ..=PLANS_LIVE_MS => Ok(None),
                // It may have been carried out, and forgotten since.
                _ => Err(PlanError::Stale.into()),
            };
        };
        let plan = sealed(v1::Plan::default(), wanted.run, &procedure, 0);
        wanted.require(&plan).map_err(|_| PlanError::DoneAlready { run: wanted.run })?;
        Ok(Some(v1::RunReply { plan: None, run: wanted.run.to_string() }))
    }

    /// Asks a host whether something could be done, before anything is.
    pub(super) async fn ask(
        &self,
        run: RunId,
        host: &HostId,
        action: Action,
    ) -> Result<v1::CommandDone, Failure> {
        let order = Order { run, step: "plan", fence: Fence(0), if_offline: IfOffline::GiveUp };
        Ok(self.agents.command(host, order, action, ASK).await?)
    }
}
