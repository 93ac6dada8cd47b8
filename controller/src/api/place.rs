//! Operations that put volumes on hosts: new ones, and copies of others.

use sanfleet_protocol::{
    FileSystemKind, Label, RunId,
    v1::{self, command::Action},
};

use super::{Api, Failure, change::Way};
use crate::{
    plan::{clone_volume, limits, provision},
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
        self.ask_the_one_host(run, &procedure).await?;
        self.begin(run, procedure, plan, &way).await
    }

    pub(super) async fn clone_volume(self, request: v1::CloneRequest) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let (run, wanted) = (way.run(), wanted_clone(request)?);
        let occupied = self.occupied();
        let (procedure, plan) = clone_volume::plan(&self.catalog.read(), &wanted, &occupied, run)?;
        self.ask_the_one_host(run, &procedure).await?;
        self.begin(run, procedure, plan, &way).await
    }

    /// One host is asked whether it could, so that wrong input is one clear error. Of many each is asked by its own run.
    async fn ask_the_one_host(&self, run: RunId, procedure: &AnyProcedure) -> Result<(), Failure> {
        let places = procedure.places();
        let [place] = places.as_slice() else { return Ok(()) };
        let check = v1::CheckTarget { mount_point: place.mount_point.to_string() };
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
        name: some(&request.name),
        limits: limits(request.limits.as_ref()),
        skip_unfit: request.skip_unfit,
    })
}

fn wanted_clone(request: v1::CloneRequest) -> Result<clone_volume::Wanted, Failure> {
    let source = match request.source_host.is_empty() {
        false => clone_volume::Source::At(request.source_host.parse()?, request.source_mount_point.parse()?),
        true => clone_volume::Source::Volume(request.source_array.parse()?, request.source_volume),
    };
    Ok(clone_volume::Wanted {
        source,
        hosts: request.hosts.parse()?,
        mount_point: request.mount_point.parse()?,
        read_write: request.read_write,
        name: some(&request.name),
        limits: limits(request.limits.as_ref()),
        skip_unfit: request.skip_unfit,
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
