//! Operations that change volumes that are there: they are taken from hosts, and deleted.

use sanfleet_protocol::v1::{self, api_error::Kind};

use super::{Api, Failure, change::Way};
use crate::{
    plan::{PlanError, Source, Which, attachment, volume_delete, volume_detach},
    runs::{AnyProcedure, ArrayVolume, Attached, VolumeDelete, VolumeDetach},
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
        let wanted = Source::Volume(request.array.parse()?, request.volume);
        let (params, plan) = volume_delete::plan(&self.catalog.read(), &wanted)?;
        self.refuse_used(&params).await?;
        self.begin(way.run(), AnyProcedure::VolumeDelete(params), plan, &way).await
    }

    /// An attachment that no run is working on.
    pub(super) fn idle(&self, attachment: v1::Attachment) -> Result<Attached, Failure> {
        let what = Attached::try_from(attachment).map_err(|error| Failure::new(Kind::Internal, error, ""))?;
        match self.runs.busy_with(&what.host, &what.mount_point) {
            Some(run) => {
                let (host, at) = (what.host, what.mount_point);
                Err(PlanError::RunUnderWay { run, host, at }.into())
            }
            None => Ok(what),
        }
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
