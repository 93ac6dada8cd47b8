//! The plan of *volume resize*: which hosts see the volume, and where its file system is mounted.

use std::collections::BTreeMap;

use sanfleet_protocol::{HostId, MountPoint, size, v1};

use super::{PlanError, Source, online, planned, volume};
use crate::{
    catalog::{Catalog, VolumeRecord},
    runs::{Procedure, SeenVolume, VolumeResize},
};

/// A volume is only made larger. One that has the size already is grown where hosts are behind.
pub fn plan(
    catalog: &Catalog,
    wanted: &Source,
    size_bytes: u64,
) -> Result<(VolumeResize, v1::Plan), PlanError> {
    let (_, found) = volume::find(catalog, wanted)?;
    let volume = volume::for_run(found)?;
    if size_bytes < volume.size_bytes {
        let (name, now) = (volume.name, volume.size_bytes);
        return Err(PlanError::Shrinks { volume: name, now, wanted: size_bytes });
    }
    let (hosts, warnings) = hosts(catalog, found)?;
    let params = VolumeResize { volume, size_bytes, hosts };
    let plan = v1::Plan { warnings, ..describe(&params) };
    Ok((params, plan))
}

/// Every host that sees it has to be there: one that is not would go on with the old size.
fn hosts(catalog: &Catalog, found: &VolumeRecord) -> Result<(Vec<SeenVolume>, Vec<String>), PlanError> {
    let (mut seen, mut warnings) = (BTreeMap::<HostId, Option<MountPoint>>::new(), Vec::new());
    for key in catalog.devices_of(&found.key) {
        let (host, inventory) = (&key.host, online(catalog, &key.host)?);
        let mount_point = inventory.device(&key.device).and_then(|device| {
            let over = device.holders.join(", ");
            if !over.is_empty() {
                warnings.push(format!("{over} on host {host} lies over it, and is not grown"));
            }
            inventory.writable_at(device)
        });
        if mount_point.is_none() {
            warnings
                .push(format!("host {host} has it not mounted read-write: no file system is grown there"));
        }
        let known = seen.entry(host.clone()).or_default();
        *known = known.take().or(mount_point);
    }
    let hosts = seen.into_iter().map(|(host, mount_point)| SeenVolume { host, mount_point });
    Ok((hosts.collect(), warnings))
}

fn describe(params: &VolumeResize) -> v1::Plan {
    let volume = &params.volume;
    let (from, to) = (size::shown(volume.size_bytes), size::shown(params.size_bytes));
    let on = match params.hosts.as_slice() {
        [] => "no host".to_owned(),
        hosts => hosts.iter().map(|seen| seen.host.as_str()).collect::<Vec<_>>().join(", "),
    };
    let mounts: Vec<String> = params.places().iter().map(|at| at.mount_point.to_string()).collect();
    let name = &volume.name;
    let steps = VolumeResize::STEPS.iter().map(|step| match step.name {
        "check" => planned(step, "?", &on, format!("see that every path of {name} answers")),
        "array" => planned(step, "~", volume.array(), format!("grow {name} from {from} to {to}")),
        "paths" => planned(step, "~", &on, format!("see the new size of {name} on every path")),
        "file systems" => planned(step, "~", &on, format!("grow what is mounted: {}", mounts.join(", "))),
        _ => planned(step, "?", &on, format!("see that {to} is what hosts report")),
    });
    v1::Plan {
        procedure: VolumeResize::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        size_bytes: params.size_bytes.saturating_sub(volume.size_bytes),
        ..Default::default()
    }
}
