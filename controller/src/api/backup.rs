//! Operations that start the backup procedures. Before a run begins the hosts are asked, so that wrong input is one clear
//! error and nothing has been touched.

use std::time::Duration;

use sanfleet_protocol::{
    Fence, HostId, RunId,
    v1::{self, QuiesceMethod, api_error::Kind, command::Action, command_done::Detail},
};

use super::{Api, Failure};
use crate::{
    agents::{IfOffline, Order},
    plan::{PlanError, backup_attach, backup_detach},
    runs::{AnyProcedure, BackupAttach, BackupDetach, Runs},
};

/// How long a host may take to say whether it could.
const ASK: Duration = Duration::from_secs(8);

impl Api {
    pub(super) async fn backup_attach(
        self,
        request: v1::BackupAttachRequest,
    ) -> Result<v1::RunReply, Failure> {
        let dry_run = request.dry_run;
        let run = Runs::mint();
        let (params, plan) = backup_attach::plan(&self.catalog.read(), parse(request)?, run)?;
        self.refuse_if_busy(&params)?;
        self.ask_hosts(run, &params).await?;
        self.begin(run, AnyProcedure::BackupAttach(params), plan, dry_run).await
    }

    fn refuse_if_busy(&self, params: &BackupAttach) -> Result<(), PlanError> {
        let (host, at) = (params.target.clone(), params.target_mount.clone());
        if let Some(run) = self.runs.busy_with(&host, &at) {
            return Err(PlanError::RunUnderWay { run, host, at });
        }
        let same = |one: &v1::Attachment| one.host == host.as_str() && one.mount_point == at.as_str();
        match self.runs.attachments().iter().find(|one| same(one)) {
            Some(one) => {
                let by = format!("attachment {}", one.id);
                Err(PlanError::TargetTaken { host, at, by })
            }
            None => Ok(()),
        }
    }

    /// Both hosts look, neither changes anything. The database's password is tried here, not in the middle of the run.
    async fn ask_hosts(&self, run: RunId, params: &BackupAttach) -> Result<(), Failure> {
        let source =
            v1::CheckSource { mount_point: params.source_mount.to_string(), quiesce: params.quiesce.into() };
        let target = v1::CheckTarget { mount_point: params.target_mount.to_string() };
        let (source, target) = futures::join!(
            self.ask(run, &params.source, Action::CheckSource(source)),
            self.ask(run, &params.target, Action::CheckTarget(target)),
        );
        target?;
        let found = match source?.detail {
            Some(Detail::Source(source)) => source.volume_ids,
            _ => Vec::new(),
        };
        let wanted = &params.resolved.volume_id;
        match found.contains(wanted) {
            true => Ok(()),
            false => Err(Failure::new(
                Kind::Conflict,
                format!(
                    "{}:{} is volume {}, reported was {wanted}",
                    params.source,
                    params.source_mount,
                    found.join(" ")
                ),
                "the host has not yet reported a change; try again in a moment",
            )),
        }
    }

    async fn ask(&self, run: RunId, host: &HostId, action: Action) -> Result<v1::CommandDone, Failure> {
        let order = Order { run, step: "plan", fence: Fence(0), if_offline: IfOffline::GiveUp };
        Ok(self.agents.command(host, order, action, ASK).await?)
    }

    pub(super) async fn backup_detach(
        self,
        request: v1::BackupDetachRequest,
    ) -> Result<v1::RunReply, Failure> {
        let which = match request.attachment.is_empty() {
            true => backup_detach::Which::At { host: request.host, mount_point: request.mount_point },
            false => backup_detach::Which::Id(request.attachment),
        };
        let attachment = backup_detach::choose(self.runs.attachments(), &which)?;
        let params =
            BackupDetach::try_from(attachment).map_err(|error| Failure::new(Kind::Internal, error, ""))?;
        if let Some(run) = self.runs.busy_with(&params.host, &params.mount_point) {
            let (host, at) = (params.host, params.mount_point);
            return Err(PlanError::RunUnderWay { run, host, at }.into());
        }
        let plan = backup_detach::describe(&params);
        self.begin(Runs::mint(), AnyProcedure::BackupDetach(params), plan, request.dry_run).await
    }

    async fn begin(
        &self,
        run: RunId,
        procedure: AnyProcedure,
        plan: v1::Plan,
        dry_run: bool,
    ) -> Result<v1::RunReply, Failure> {
        if dry_run {
            return Ok(v1::RunReply { plan: Some(plan), run: String::new() });
        }
        self.runs.start(run, &procedure).await?;
        Ok(v1::RunReply { plan: Some(plan), run: run.to_string() })
    }
}

fn parse(request: v1::BackupAttachRequest) -> Result<backup_attach::Wanted, Failure> {
    let quiesce = request.quiesce();
    if quiesce == QuiesceMethod::Unspecified {
        return Err(Failure::new(
            Kind::Invalid,
            "no way to quiesce was named",
            "--quiesce mysql, fsfreeze or none",
        ));
    }
    Ok(backup_attach::Wanted {
        source: request.source_host.parse()?,
        source_mount: request.source_mount_point.parse()?,
        target: request.target_host.parse()?,
        target_mount: request.target_mount_point.parse()?,
        quiesce,
        read_write: request.read_write,
        name: (!request.name.is_empty()).then_some(request.name),
        dead_man_ms: request.dead_man_ms,
    })
}
