//! Operations that start the backup procedures. Before a run begins the hosts are asked, so that wrong input is one clear
//! error and nothing has been touched.

use sanfleet_protocol::{
    RunId,
    v1::{self, QuiesceMethod, api_error::Kind, command::Action, command_done::Detail},
};

use super::{
    Api, Failure,
    change::{Way, expires_at},
};
use crate::{
    plan::{PlanError, Which, backup_attach, backup_detach},
    runs::{AnyProcedure, BackupAttach, BackupDetach},
};

impl Api {
    pub(super) async fn backup_attach(
        self,
        request: v1::BackupAttachRequest,
    ) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let run = way.run();
        let (params, plan) = backup_attach::plan(&self.catalog.read(), parse(request, run)?, run)?;
        self.refuse_if_busy(&params)?;
        self.ask_hosts(run, &params).await?;
        self.begin(run, AnyProcedure::BackupAttach(params), plan, &way).await
    }

    fn refuse_if_busy(&self, params: &BackupAttach) -> Result<(), PlanError> {
        let (host, at) = (params.to.host.clone(), params.to.mount_point.clone());
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
        let target = v1::CheckTarget { mount_point: params.to.mount_point.to_string() };
        let (source, target) = futures::join!(
            self.ask(run, &params.source, Action::CheckSource(source)),
            self.ask(run, &params.to.host, Action::CheckTarget(target)),
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

    pub(super) async fn backup_detach(
        self,
        request: v1::BackupDetachRequest,
    ) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let which = Which::named(request.attachment, request.host, request.mount_point);
        let what = self.idle(backup_detach::choose(self.runs.attachments(), &which)?)?;
        let params = BackupDetach { what };
        let plan = backup_detach::describe(&params);
        self.begin(way.run(), AnyProcedure::BackupDetach(params), plan, &way).await
    }
}

fn parse(request: v1::BackupAttachRequest, run: RunId) -> Result<backup_attach::Wanted, Failure> {
    let quiesce = request.quiesce();
    if quiesce == QuiesceMethod::Unspecified {
        return Err(Failure::new(
            Kind::Invalid,
            "no way to quiesce was named",
            "--quiesce mysql, postgresql, fsfreeze or none",
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
        verify: request.verify,
        expires_at_unix_ms: expires_at(run, request.expire_ms),
    })
}
