//! The plan of *host retire*: all that is on the host, and what the arrays know of it.

use std::collections::BTreeSet;

use sanfleet_protocol::{ArrayId, HostId, VolumeId, v1};

use super::{PlanError, online, planned, reachable};
use crate::{
    catalog::{Catalog, Inventory},
    matching::Identity,
    runs::{Attached, HostRetire, Procedure},
};

/// Retires the host with these attachments, which are all that it has.
pub fn plan(
    catalog: &Catalog,
    host: &HostId,
    attachments: Vec<Attached>,
) -> Result<(HostRetire, v1::Plan), PlanError> {
    let inventory = online(catalog, host)?;
    refuse_unaccounted(catalog, host, inventory, &attachments)?;
    for initiator in &inventory.initiators {
        let others: Vec<String> =
            catalog.owners(initiator).filter(|owner| *owner != host).map(ToString::to_string).collect();
        if !others.is_empty() {
            return Err(PlanError::SharedInitiator {
                host: host.clone(),
                initiator: initiator.clone(),
                others,
            });
        }
    }
    let (mut arrays, mut warnings) = (Vec::new(), Vec::new());
    for array in catalog.arrays() {
        match reachable(array) {
            Ok(array) => arrays.push(array.name.clone()),
            Err(why) if attachments.iter().any(|what| what.array == array.name) => return Err(why),
            Err(why) => warnings.push(format!("{why}: what it knows of host {host} stays")),
        }
    }
    let params =
        HostRetire { host: host.clone(), attachments, initiators: inventory.initiators.clone(), arrays };
    let plan = v1::Plan { warnings, hosts: effects(catalog, &params), ..describe(&params) };
    Ok((params, plan))
}

/// What nobody has taken into account is not ours to take away.
fn refuse_unaccounted(
    catalog: &Catalog,
    host: &HostId,
    inventory: &Inventory,
    attachments: &[Attached],
) -> Result<(), PlanError> {
    let known: BTreeSet<&VolumeId> = attachments.iter().map(|what| &what.volume_id).collect();
    let unknown = inventory.devices().filter(|(device, ids)| {
        !matches!(catalog.identify(host, &device.name), Identity::Unknown)
            && !ids.iter().any(|id| known.contains(id))
    });
    let what: Vec<String> = unknown
        .map(|(device, _)| match inventory.mount_points(device).next() {
            Some(at) => format!("{host}:{at}"),
            None => format!("device {}", device.name),
        })
        .collect();
    match what.is_empty() {
        true => Ok(()),
        false => Err(PlanError::NotAccounted { host: host.clone(), what }),
    }
}

fn effects(catalog: &Catalog, params: &HostRetire) -> Vec<v1::PlanHost> {
    let row = |what: String| v1::PlanHost { host: params.host.to_string(), effect: "-".to_owned(), what };
    let attached = params
        .attachments
        .iter()
        .map(|what| row(format!("{} at {}; the volume stays", what.record.volume_name, what.mount_point)));
    let known: BTreeSet<&VolumeId> = params.attachments.iter().map(|what| &what.volume_id).collect();
    let volumes =
        catalog.arrays().filter_map(|array| array.state.as_ref()).flat_map(|state| state.volumes.values());
    let masked = volumes.filter(|volume| {
        params.initiators.iter().any(|initiator| volume.masked_to.contains_key(initiator))
            && volume.id.as_ref().is_none_or(|id| !known.contains(id))
    });
    let masked = masked.map(|volume| row(format!("{} may be seen, and will not be", volume.name)));
    attached.chain(masked).collect()
}

fn describe(params: &HostRetire) -> v1::Plan {
    let host = &params.host;
    let arrays = match params.arrays.as_slice() {
        [] => "no array".to_owned(),
        arrays => arrays.iter().map(ArrayId::as_str).collect::<Vec<_>>().join(", "),
    };
    let steps = HostRetire::STEPS.iter().map(|step| match step.name {
        "cordon" => planned(step, "~", host, "put nothing new on it".to_owned()),
        "detach" => planned(step, "-", host, format!("take {} attachments down", params.attachments.len())),
        _ => planned(step, "-", &arrays, format!("forget the initiators of {host} and its access groups")),
    });
    v1::Plan {
        procedure: HostRetire::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        ..Default::default()
    }
}
