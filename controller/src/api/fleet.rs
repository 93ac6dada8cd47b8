//! Operations that show hosts and their devices.

use sanfleet_protocol::{HostId, v1};

use super::{Api, Failure};
use crate::{
    catalog::{Catalog, HostRecord},
    doctor::Filter,
    matching::Identity,
    reconciler,
};

impl Api {
    pub(super) async fn status(self, _: v1::StatusRequest) -> Result<v1::StatusReply, Failure> {
        let (attachments, arrays) = (self.runs.attachments(), self.summaries());
        let unfinished_runs = self.runs.unfinished();
        let (findings, _) = self.reconciler.findings(&Filter::default());
        let catalog = self.catalog.read();
        let hosts: Vec<v1::HostSummary> =
            catalog.hosts().map(|(host, record)| summary(&catalog, host, record)).collect();
        let online = hosts.iter().filter(|host| host.online).count();
        Ok(v1::StatusReply {
            controller: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hosts_online: count(online),
            hosts_offline: count(hosts.len() - online),
            devices: hosts.iter().map(|host| host.devices).sum(),
            matched: hosts.iter().map(|host| host.matched).sum(),
            arrays,
            attachments,
            unfinished_runs,
            findings: Some(reconciler::count(&findings)),
            controllers: self.runs.controllers().iter().map(ToString::to_string).collect(),
        })
    }

    pub(super) async fn host_list(self, _: v1::HostListRequest) -> Result<v1::HostListReply, Failure> {
        let catalog = self.catalog.read();
        Ok(v1::HostListReply {
            hosts: catalog.hosts().map(|(host, record)| summary(&catalog, host, record)).collect(),
        })
    }

    pub(super) async fn host_show(self, request: v1::HostShowRequest) -> Result<v1::HostShowReply, Failure> {
        let host: HostId = request.host.parse()?;
        let catalog = self.catalog.read();
        let record = catalog.host(&host).ok_or_else(|| unknown_host(&request.host))?;
        Ok(v1::HostShowReply {
            summary: Some(summary(&catalog, &host, record)),
            report: record.inventory.as_ref().map(|inventory| inventory.report.clone()),
        })
    }

    pub(super) async fn device_list(
        self,
        request: v1::DeviceListRequest,
    ) -> Result<v1::DeviceListReply, Failure> {
        let catalog = self.catalog.read();
        let hosts = chosen_hosts(&catalog, &request.host)?;
        let devices = hosts.into_iter().flat_map(|(host, record)| rows(&catalog, host, record)).collect();
        Ok(v1::DeviceListReply { devices })
    }
}

/// The one host that is named, or all of them.
pub(super) fn chosen_hosts<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<Vec<(&'a HostId, &'a HostRecord)>, Failure> {
    if name.is_empty() {
        return Ok(catalog.hosts().collect());
    }
    let wanted: HostId = name.parse()?;
    let found: Vec<_> = catalog.hosts().filter(|(host, _)| **host == wanted).collect();
    match found.is_empty() {
        true => Err(unknown_host(name)),
        false => Ok(found),
    }
}

pub(super) fn unknown_host(name: &str) -> Failure {
    Failure::not_found("host", name, "`sanfleet host list` shows the hosts that have reported")
}

fn rows<'a>(
    catalog: &'a Catalog,
    host: &'a HostId,
    record: &'a HostRecord,
) -> impl Iterator<Item = v1::DeviceRow> + 'a {
    record.inventory.iter().flat_map(move |inventory| {
        inventory.devices().map(move |(device, _)| {
            let (array, volume, volume_name) = match catalog.identify(host, &device.name) {
                Identity::Volume(found) => {
                    let name = catalog.volume(found).map(|volume| volume.name.clone()).unwrap_or_default();
                    (found.array.to_string(), found.volume.to_string(), name)
                }
                Identity::Ambiguous(_) => (String::new(), "ambiguous".to_owned(), String::new()),
                Identity::Unknown => Default::default(),
            };
            v1::DeviceRow {
                host: host.to_string(),
                device: Some(device.clone()),
                mount_points: inventory.mount_points(device).map(str::to_owned).collect(),
                array,
                volume,
                volume_name,
            }
        })
    })
}

pub(super) fn summary(catalog: &Catalog, host: &HostId, record: &HostRecord) -> v1::HostSummary {
    let report = record.inventory.as_ref().map(|inventory| &inventory.report);
    let facts = report.and_then(|report| report.facts.as_ref());
    v1::HostSummary {
        host: host.to_string(),
        online: record.online,
        os: facts.map(|facts| format!("{} {}", facts.os_name, facts.os_version)).unwrap_or_default(),
        kernel: facts.map(|facts| facts.kernel.clone()).unwrap_or_default(),
        devices: count(report.map_or(0, |report| report.devices.len())),
        matched: count(catalog.matched_devices(host)),
        mounts: count(report.map_or(0, |report| report.mounts.len())),
        last_seen_unix_ms: record.last_seen_unix_ms,
        generation: report.map_or(0, |report| report.generation),
        agent_version: report.map(|report| report.agent_version.clone()).unwrap_or_default(),
        cordoned: record.notes.cordoned,
        labels: record.notes.merged(report.map(|report| &report.labels).unwrap_or(&Default::default())),
        report_key: record.notes.report_key.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// A number of things, for a message: more than fit are as many as fit.
pub(super) fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
