//! Which volume is meant, and what is known of it.

use std::collections::BTreeSet;

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{ArrayId, HostId, Layers, MountPoint, VolumeId, v1};

use super::{Found, PlanError, found_at, online, reachable};
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

/// The volume that is meant, and its array, which answers. A volume that is named by where it is mounted has to be mounted as a whole.
pub(super) fn find<'a>(
    catalog: &'a Catalog,
    source: &Source,
) -> Result<(&'a ArrayRecord, &'a VolumeRecord), PlanError> {
    let content = find_content(catalog, source)?;
    match source {
        Source::At(host, at) if !content.layers.is_none() => {
            Err(PlanError::Layered { host: host.clone(), at: at.clone(), layers: content.layers })
        }
        _ => Ok((content.array, content.volume)),
    }
}

/// A volume, and where on it which file system is.
pub(super) struct Content<'a> {
    pub array: &'a ArrayRecord,
    pub volume: &'a VolumeRecord,
    pub layers: Layers,
    /// What hosts have reported to be there; empty when none sees it.
    pub file_system: v1::FileSystem,
}

/// The volume that is meant, with all that lies on it.
pub(super) fn find_content<'a>(catalog: &'a Catalog, source: &Source) -> Result<Content<'a>, PlanError> {
    match source {
        Source::At(host, at) => {
            let Found { volume, layers, file_system } = found_at(catalog, host, online(catalog, host)?, at)?;
            let missing = || PlanError::UnknownVolume {
                array: volume.array.clone(),
                volume: volume.volume.to_string(),
            };
            let array = reachable(catalog.array(&volume.array).ok_or_else(missing)?)?;
            Ok(Content { array, volume: catalog.volume(volume).ok_or_else(missing)?, layers, file_system })
        }
        Source::Volume(name, text) => {
            let unknown = || PlanError::UnknownArray { array: name.clone() };
            let array = reachable(catalog.array(name).ok_or_else(unknown)?)?;
            let volume = named(array, text)?;
            let file_system = file_system(catalog, volume);
            Ok(Content { array, volume, layers: Layers::default(), file_system })
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

/// What hosts have reported to be on the whole of it; empty when none sees it.
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
