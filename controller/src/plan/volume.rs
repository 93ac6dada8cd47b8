//! Which volume is meant, and what is known of it.

use std::collections::BTreeSet;

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{ArrayId, HostId, MountPoint, VolumeId, v1};

use super::{PlanError, online, reachable, volume_at};
use crate::{
    catalog::{ArrayRecord, Catalog, VolumeRecord},
    runs::ArrayVolume,
};

/// How a volume was named by whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    At(HostId, MountPoint),
    /// The volume's id or name on its array.
    Volume(ArrayId, String),
}

/// The volume that is meant, and its array, which answers.
pub(super) fn find<'a>(
    catalog: &'a Catalog,
    source: &Source,
) -> Result<(&'a ArrayRecord, &'a VolumeRecord), PlanError> {
    match source {
        Source::At(host, at) => {
            let volume = volume_at(catalog, host, online(catalog, host)?, at)?;
            let missing = || PlanError::UnknownVolume {
                array: volume.array.clone(),
                volume: volume.volume.to_string(),
            };
            let array = reachable(catalog.array(&volume.array).ok_or_else(missing)?)?;
            Ok((array, catalog.volume(volume).ok_or_else(missing)?))
        }
        Source::Volume(name, text) => {
            let unknown = || PlanError::UnknownArray { array: name.clone() };
            let array = reachable(catalog.array(name).ok_or_else(unknown)?)?;
            Ok((array, named(array, text)?))
        }
    }
}

/// The volume with this id, or else the only one of this name.
fn named<'a>(array: &'a ArrayRecord, text: &str) -> Result<&'a VolumeRecord, PlanError> {
    let volumes = || array.state.iter().flat_map(|state| state.volumes.values());
    if let Some(volume) = array.state.as_ref().and_then(|state| state.volumes.get(&VolumeKey::new(text))) {
        return Ok(volume);
    }
    let fitting: Vec<&VolumeRecord> = volumes().filter(|volume| volume.name == text).collect();
    let (array, volume) = (array.name.clone(), text.to_owned());
    match fitting.as_slice() {
        [one] => Ok(one),
        [] => Err(PlanError::UnknownVolume { array, volume }),
        several => Err(PlanError::SeveralVolumes { array, volume, fits: several.len() }),
    }
}

/// The id that runs check before they act on it.
pub(super) fn id(volume: &VolumeRecord) -> Result<VolumeId, PlanError> {
    let none = || PlanError::NoVolumeId { array: volume.key.array.clone(), volume: volume.name.clone() };
    volume.id.clone().ok_or_else(none)
}

pub(super) fn for_run(volume: &VolumeRecord) -> Result<ArrayVolume, PlanError> {
    Ok(ArrayVolume {
        at: volume.key.clone(),
        id: id(volume)?,
        name: volume.name.clone(),
        size_bytes: volume.size_bytes,
    })
}

/// What hosts have reported to be on it; empty when none sees it.
pub(super) fn file_system(catalog: &Catalog, volume: &VolumeRecord) -> v1::FileSystem {
    let seen = catalog.devices_of(&volume.key).filter_map(|key| {
        let device = catalog.host(&key.host)?.inventory.as_ref()?.device(&key.device)?;
        device.file_system.clone()
    });
    seen.into_iter().next().unwrap_or_default()
}

/// Where it is mounted.
pub(super) fn mounts(catalog: &Catalog, volume: &VolumeRecord) -> Vec<(HostId, String)> {
    let mounts = catalog.devices_of(&volume.key).flat_map(|key| {
        let inventory = catalog.host(&key.host).and_then(|record| record.inventory.as_ref());
        let at = inventory.map(|inventory| inventory.mounts_of(&key.device)).unwrap_or_default();
        at.into_iter().map(|at| (key.host.clone(), at.to_owned())).collect::<BTreeSet<_>>()
    });
    mounts.collect()
}
