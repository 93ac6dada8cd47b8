//! Operations that say something of a host: that nothing new is put there, what it is called by, whose reports are its own.

use sanfleet_protocol::{
    HostId, ReportPublicKey,
    labels::{LabelError, LabelKey, LabelValue, Labels},
    v1,
};

use super::{
    Api, Failure,
    change::Way,
    fleet::{summary, unknown_host},
};
use crate::{
    catalog::HostNotes,
    plan::host_retire,
    runs::{AnyProcedure, Attached},
};

impl Api {
    pub(super) async fn host_cordon(
        self,
        request: v1::HostCordonRequest,
    ) -> Result<v1::HostCordonReply, Failure> {
        let (host, _) = self.noted(&request.host)?;
        let cordoned = request.cordoned;
        self.hosts.change(&host, |notes| HostNotes { cordoned, ..notes }).await?;
        Ok(v1::HostCordonReply { host: self.summary_of(&host) })
    }

    pub(super) async fn host_label(
        self,
        request: v1::HostLabelRequest,
    ) -> Result<v1::HostLabelReply, Failure> {
        let (host, notes) = self.noted(&request.host)?;
        let set = request.set.iter().map(|(key, value)| Ok((key.parse()?, value.parse()?)));
        let set: Vec<(LabelKey, LabelValue)> = set.collect::<Result<_, LabelError>>()?;
        let remove = request.remove.iter().map(|key| key.parse()).collect::<Result<Vec<LabelKey>, _>>()?;
        relabelled(notes.labels, &set, &remove)?;
        let relabel = |notes: HostNotes| match relabelled(notes.labels.clone(), &set, &remove) {
            Ok(labels) => HostNotes { labels, ..notes },
            // Somebody else gave it as many as it may have, a moment ago.
            Err(_) => notes,
        };
        self.hosts.change(&host, relabel).await?;
        Ok(v1::HostLabelReply { host: self.summary_of(&host) })
    }

    pub(super) async fn host_trust(
        self,
        request: v1::HostTrustRequest,
    ) -> Result<v1::HostTrustReply, Failure> {
        let (host, _) = self.noted(&request.host)?;
        let key: ReportPublicKey = request.report_key.parse()?;
        self.hosts.change(&host, |notes| HostNotes { report_key: Some(key.clone()), ..notes }).await?;
        Ok(v1::HostTrustReply { host: self.summary_of(&host) })
    }

    pub(super) async fn host_retire(self, request: v1::HostRetireRequest) -> Result<v1::RunReply, Failure> {
        let way = Way::parse(request.dry_run, &request.as_planned)?;
        if let Some(reply) = self.begun_before(&way)? {
            return Ok(reply);
        }
        let host: HostId = request.host.parse()?;
        let attached = self.runs.attachments().into_iter().filter(|one| one.host == host.as_str());
        let attached = attached.map(|one| self.idle(one)).collect::<Result<Vec<Attached>, _>>()?;
        let (params, plan) = host_retire::plan(&self.catalog.read(), &host, attached)?;
        self.begin(way.run(), AnyProcedure::HostRetire(params), plan, &way).await
    }

    /// A host that is known, with what was said of it.
    fn noted(&self, name: &str) -> Result<(HostId, HostNotes), Failure> {
        let host: HostId = name.parse()?;
        let catalog = self.catalog.read();
        let record = catalog.host(&host).ok_or_else(|| unknown_host(name))?;
        Ok((host, record.notes.clone()))
    }

    fn summary_of(&self, host: &HostId) -> Option<v1::HostSummary> {
        let catalog = self.catalog.read();
        catalog.host(host).map(|record| summary(&catalog, host, record))
    }
}

fn relabelled(
    labels: Labels,
    set: &[(LabelKey, LabelValue)],
    remove: &[LabelKey],
) -> Result<Labels, LabelError> {
    let kept = remove.iter().fold(labels, Labels::without);
    set.iter().try_fold(kept, |labels, (key, value)| labels.with(key.clone(), value.clone()))
}
