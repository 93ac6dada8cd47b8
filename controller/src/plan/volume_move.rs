//! The plan of *volume move*: the old host has to be there to let go, and the new one has to be free.

use sanfleet_protocol::{HostId, MountPoint, v1};

use super::{Occupied, PlanError, Source, fleet, online, planned, simulated, volume, way_to};
use crate::{
    catalog::Catalog,
    runs::{Attached, Placement, Procedure, VolumeMove},
};

/// Moves the attachment to this place.
pub fn plan(
    catalog: &Catalog,
    what: Attached,
    to: &HostId,
    at: &MountPoint,
    occupied: &Occupied,
) -> Result<(VolumeMove, v1::Plan), PlanError> {
    if *to == what.host {
        return Err(PlanError::SameHost { host: to.clone() });
    }
    let old = online(catalog, &what.host)?;
    let source = Source::Volume(what.array.clone(), what.record.volume.clone());
    let (array, found) = volume::find(catalog, &source)?;
    let gone = || PlanError::UnknownVolume { array: array.name.clone(), volume: what.volume_id.to_string() };
    if volume::id(found)? != what.volume_id {
        return Err(gone());
    }
    let elsewhere = volume::mounts(catalog, found).into_iter();
    let elsewhere =
        elsewhere.filter(|(host, at)| (host, at.as_str()) != (&what.host, what.mount_point.as_str()));
    let users: Vec<String> =
        elsewhere.map(|(host, at)| format!("host {host} has it mounted at {at}")).collect();
    if !users.is_empty() {
        return Err(PlanError::VolumeUsed { volume: found.name.clone(), users });
    }
    let (fabric, initiator) = way_to(catalog, &what.host, old, array)?;
    let from = Placement {
        host: what.host.clone(),
        mount_point: what.mount_point.clone(),
        read_write: what.record.read_write,
        array: what.array.clone(),
        initiator,
        fabric,
    };
    let target = fleet::target(catalog, to, array, at, occupied)?;
    let to = target.placement(what.array.clone(), at.clone(), what.record.read_write);
    let mounted = old.mounted_at(&what.mount_point).and_then(|(device, _)| device.file_system.as_ref());
    let file_system = mounted.map(|found| found.r#type.clone()).unwrap_or_default();
    let params = VolumeMove { what: Box::new(what), from, to, file_system };
    let plan = describe(&params);
    Ok((params, plan))
}

fn describe(params: &VolumeMove) -> v1::Plan {
    let (from, to, name) = (&params.from, &params.to, &params.what.record.volume_name);
    let mode = if to.read_write { "read-write" } else { "read-only" };
    let steps = VolumeMove::STEPS.iter().map(|step| match step.name {
        "check" => planned(step, "?", &to.host, format!("see that {} is free", to.mount_point)),
        "unmount" => planned(step, "-", &from.host, format!("unmount {}", from.mount_point)),
        "forget" => {
            planned(step, "-", &from.host, format!("do not mount {} at the next start", from.mount_point))
        }
        "detach" => planned(step, "-", &from.host, format!("flush and remove the device of {name}")),
        "unmask" => planned(step, "-", &from.array, format!("hide {name} from {}", from.host)),
        "clean" => planned(step, "?", &from.host, format!("see that nothing of {name} is left")),
        "mask" => planned(step, "+", &to.array, format!("let {} see {name}, and nobody else", to.host)),
        "attach" => planned(step, "+", &to.host, format!("find {name} on fabric {}", to.fabric)),
        _ => planned(step, "+", &to.host, format!("mount {name} {mode} at {}", to.mount_point)),
    });
    v1::Plan {
        procedure: VolumeMove::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        warnings: simulated(&to.array, &to.fabric).into_iter().collect(),
        ..Default::default()
    }
}
