//! Operations that put volumes on hosts: new ones, and copies of others.

use sanfleet_protocol::{
    FileSystemKind, Label, RunId,
    v1::{self, command::Action},
};

use super::{
    Api, Failure,
    change::{Way, expires_at},
};
use crate::{
    plan::{Source, clone_volume, limits, provision},
    runs::AnyProcedure,
};

impl Api {
    pub(super) async fn provision(self, request: v1::ProvisionRequest) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let (run, wanted) = (way.run(), wanted_volume(request)?);
        let occupied = self.occupied();
        let (procedure, plan) = provision::plan(&self.catalog.read(), &wanted, &occupied, run)?;
        let (file_system, format) = (wanted.file_system.to_string(), true);
        let check = v1::CheckTarget { file_system, format, read_write: true, ..Default::default() };
        self.ask_the_one_host(run, &procedure, check).await?;
        self.begin(run, procedure, plan, &way).await
    }

    pub(super) async fn clone_volume(self, request: v1::CloneRequest) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let run = way.run();
        let wanted = wanted_clone(request, run)?;
        let occupied = self.occupied();
        let planned = self.planned(run, |catalog| clone_volume::plan(catalog, &wanted, &occupied, run));
        let (procedure, plan) = planned.await?;
        let check = v1::CheckTarget { read_write: wanted.read_write, ..Default::default() };
        self.ask_the_one_host(run, &procedure, check).await?;
        self.begin(run, procedure, plan, &way).await
    }

    /// One host is asked whether it could, so that wrong input is one clear error. Of many each is asked by its own run.
    async fn ask_the_one_host(
        &self,
        run: RunId,
        procedure: &AnyProcedure,
        check: v1::CheckTarget,
    ) -> Result<(), Failure> {
        let places = procedure.places();
        let [place] = places.as_slice() else { return Ok(()) };
        let check = v1::CheckTarget { mount_point: place.mount_point.to_string(), ..check };
        self.ask(run, &place.host, Action::CheckTarget(check)).await.map(drop)
    }
}

fn wanted_volume(request: v1::ProvisionRequest) -> Result<provision::Wanted, Failure> {
    let file_system: FileSystemKind = request.file_system.parse()?;
    Ok(provision::Wanted {
        hosts: request.hosts.parse()?,
        size_bytes: request.size_bytes,
        file_system,
        label: Label::new(file_system, &request.label)?,
        mount_point: request.mount_point.parse()?,
        array: some(&request.array).map(|name| name.parse()).transpose()?,
        pool: some(&request.pool),
        thin: request.thin,
        persist: request.persist,
        name: some(&request.name),
        limits: limits(request.limits.as_ref()),
        skip_unfit: request.skip_unfit,
    })
}

fn wanted_clone(request: v1::CloneRequest, run: RunId) -> Result<clone_volume::Wanted, Failure> {
    let source = source(
        &request.source_host,
        &request.source_mount_point,
        &request.source_array,
        request.source_volume,
    )?;
    Ok(clone_volume::Wanted {
        source,
        hosts: request.hosts.parse()?,
        mount_point: request.mount_point.parse()?,
        read_write: request.read_write,
        persist: request.persist,
        expires_at_unix_ms: expires_at(run, request.expire_ms),
        name: some(&request.name),
        limits: limits(request.limits.as_ref()),
        skip_unfit: request.skip_unfit,
    })
}

/// A volume by where it is mounted, or else by what its array calls it.
pub(super) fn source(host: &str, at: &str, array: &str, volume: String) -> Result<Source, Failure> {
    Ok(match host.is_empty() {
        false => Source::At(host.parse()?, at.parse()?),
        true => Source::Volume(array.parse()?, volume),
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
