//! Operations that start the backup procedures. Before a run begins the hosts are asked, so that wrong input is one clear
//! error and nothing has been touched.

use futures::future::join_all;
use sanfleet_protocol::{
    IdError, QuiesceBy, RunId,
    v1::{self, api_error::Kind, command::Action, command_done::Detail},
};

use super::{
    Api, Failure,
    change::{Way, expires_at},
};
use crate::{
    plan::{PlanError, Which, backup_attach, backup_detach},
    runs::{AnyProcedure, BackupAttach, BackupDetach, Copying, Place, Procedure},
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
        let wanted = parse(request, run)?;
        let planned = self.planned(run, |catalog| backup_attach::plan(catalog, wanted.clone(), run));
        let (params, plan) = planned.await?;
        self.refuse_if_busy(&params)?;
        self.ask_hosts(run, &params).await?;
        self.begin(run, AnyProcedure::BackupAttach(params), plan, &way).await
    }

    fn refuse_if_busy(&self, params: &BackupAttach) -> Result<(), PlanError> {
        let attachments = self.runs.attachments();
        for Place { host, mount_point: at } in params.places() {
            if let Some(run) = self.runs.busy_with(&host, &at) {
                return Err(PlanError::RunUnderWay { run, host, at });
            }
            let same = |one: &&v1::Attachment| one.host == host.as_str() && one.mount_point == at.as_str();
            if let Some(one) = attachments.iter().find(same) {
                let by = format!("attachment {}", one.id);
                return Err(PlanError::TargetTaken { host, at, by });
            }
        }
        Ok(())
    }

    /// Both hosts look, neither changes anything. The database's password is tried here, not in the middle of the run.
    async fn ask_hosts(&self, run: RunId, params: &BackupAttach) -> Result<(), Failure> {
        let only_frozen = QuiesceBy::Fsfreeze;
        let quiesces = [&params.quiesce].into_iter().chain(std::iter::repeat(&only_frozen));
        let asked =
            params.copies().zip(quiesces).map(|(copying, by)| self.ask_for_one(run, params, copying, by));
        join_all(asked).await.into_iter().collect()
    }

    async fn ask_for_one(
        &self,
        run: RunId,
        params: &BackupAttach,
        copying: &Copying,
        by: &QuiesceBy,
    ) -> Result<(), Failure> {
        let target = copying.to.check(String::new());
        let (source, target) = futures::join!(
            self.ask(run, &params.source, Action::CheckSource(copying.check_source(by))),
            self.ask(run, &copying.to.host, Action::CheckTarget(target)),
        );
        target?;
        let found = match source?.detail {
            Some(Detail::Source(source)) => source.volume_ids,
            _ => Vec::new(),
        };
        let wanted = &copying.resolved.volume_id;
        match found.contains(wanted) {
            true => Ok(()),
            false => Err(Failure::new(
                Kind::Conflict,
                format!(
                    "{}:{} is volume {}, reported was {wanted}",
                    params.source,
                    copying.source_mount,
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
        let chosen = backup_detach::choose(self.runs.attachments(), &which)?;
        let mut idle =
            chosen.into_iter().map(|one| self.idle(one)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let Some(what) = idle.next() else {
            return Err(Failure::new(Kind::NotFound, "nothing is attached there", ""));
        };
        let params = BackupDetach { what, also: idle.collect() };
        let plan = backup_detach::describe(&params);
        self.begin(way.run(), AnyProcedure::BackupDetach(params), plan, &way).await
    }
}

fn parse(request: v1::BackupAttachRequest, run: RunId) -> Result<backup_attach::Wanted, Failure> {
    let quiesce = QuiesceBy::from_wire(request.quiesce(), &request.hook)?.ok_or_else(|| {
        let hint = "--quiesce mysql, postgresql, fsfreeze, hook:NAME or none";
        Failure::new(Kind::Invalid, "no way to quiesce was named", hint)
    })?;
    let way =
        |from: &str, to: &str| Ok::<_, IdError>(backup_attach::Way { from: from.parse()?, to: to.parse()? });
    let also = request.also.iter().map(|one| way(&one.source_mount_point, &one.target_mount_point));
    Ok(backup_attach::Wanted {
        source: request.source_host.parse()?,
        target: request.target_host.parse()?,
        main: way(&request.source_mount_point, &request.target_mount_point)?,
        also: also.collect::<Result<_, _>>()?,
        quiesce,
        read_write: request.read_write,
        name: (!request.name.is_empty()).then_some(request.name),
        dead_man_ms: request.dead_man_ms,
        verify: request.verify,
        expires_at_unix_ms: expires_at(run, request.expire_ms),
    })
}
