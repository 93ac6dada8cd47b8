//! Operations that change volumes that are there: they are taken from hosts, and deleted.

use sanfleet_protocol::{
    HostId,
    v1::{self, api_error::Kind, command::Action},
};

use super::{Api, Failure, change::Way, place::source};
use crate::{
    plan::{
        PlanError, Source, Which, adopt, attachment, volume_delete, volume_detach, volume_move, volume_resize,
    },
    runs::{AnyProcedure, ArrayVolume, Attached, Place, Procedure, VolumeDelete, VolumeDetach},
};

impl Api {
    pub(super) async fn volume_detach(
        self,
        request: v1::VolumeDetachRequest,
    ) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let which = Which::named(request.attachment, request.host, request.mount_point);
        let what = self.idle(attachment::choose(self.runs.attachments(), &which)?)?;
        let params = VolumeDetach { what };
        let plan = volume_detach::describe(&params);
        self.begin(way.run(), AnyProcedure::VolumeDetach(params), plan, &way).await
    }

    pub(super) async fn volume_delete(
        self,
        request: v1::VolumeDeleteRequest,
    ) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let array = request.array.parse()?;
        self.settle(&array).await;
        let wanted = Source::Volume(array, request.volume);
        let (params, plan) = volume_delete::plan(&self.catalog.read(), &wanted)?;
        self.refuse_used(&params).await?;
        self.begin(way.run(), AnyProcedure::VolumeDelete(params), plan, &way).await
    }

    pub(super) async fn volume_resize(
        self,
        request: v1::VolumeResizeRequest,
    ) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let wanted = source(
            &request.source_host,
            &request.source_mount_point,
            &request.source_array,
            request.source_volume,
        )?;
        let (run, size_bytes) = (way.run(), request.size_bytes);
        let planned = self.planned(run, |catalog| volume_resize::plan(catalog, &wanted, size_bytes));
        let (params, plan) = planned.await?;
        self.refuse_busy(&params.places())?;
        self.begin(run, AnyProcedure::VolumeResize(params), plan, &way).await
    }

    pub(super) async fn volume_move(self, request: v1::VolumeMoveRequest) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let to: HostId = request.to_host.parse()?;
        let at = match request.to_mount_point.as_str() {
            "" => request.mount_point.parse()?,
            at => at.parse()?,
        };
        let which = Which::At { host: request.host, mount_point: request.mount_point };
        let what = self.idle(attachment::choose(self.runs.attachments(), &which)?)?;
        let occupied = self.occupied();
        let (params, plan) = volume_move::plan(&self.catalog.read(), what, &to, &at, &occupied)?;
        let run = way.run();
        let check = params.to.check(params.file_system.clone());
        self.ask(run, &to, Action::CheckTarget(check)).await?;
        self.begin(run, AnyProcedure::VolumeMove(params), plan, &way).await
    }

    pub(super) async fn adopt(self, request: v1::AdoptRequest) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let (host, at) = (request.host.parse()?, request.mount_point.parse()?);
        let occupied = self.occupied();
        let run = way.run();
        let planned = self.planned(run, |catalog| adopt::plan(catalog, &host, &at, &occupied));
        let (params, plan) = planned.await?;
        self.begin(run, AnyProcedure::Adopt(params), plan, &way).await
    }

    /// Places that no run is working on.
    fn refuse_busy(&self, places: &[Place]) -> Result<(), PlanError> {
        let busy = places
            .iter()
            .find_map(|place| Some((self.runs.busy_with(&place.host, &place.mount_point)?, place.clone())));
        match busy {
            Some((run, Place { host, mount_point: at })) => Err(PlanError::RunUnderWay { run, host, at }),
            None => Ok(()),
        }
    }

    /// An attachment that no run is working on.
    pub(super) fn idle(&self, attachment: v1::Attachment) -> Result<Attached, Failure> {
        let what = Attached::try_from(attachment).map_err(|error| Failure::new(Kind::Internal, error, ""))?;
        self.refuse_busy(&[what.place()])?;
        Ok(what)
    }

    /// What the catalog cannot know: attachments, runs, and what the array itself says at this moment.
    async fn refuse_used(&self, params: &VolumeDelete) -> Result<(), Failure> {
        let volume: &ArrayVolume = &params.volume;
        let mut users = self.runs.using(&volume.id);
        let array = self.looker.arrays.get(volume.array())?;
        let found = array.volume_must_be(volume.key(), &volume.id).await?;
        users.extend(array.users(&found).await?);
        Ok(volume_delete::refuse_used(params, users)?)
    }
}
