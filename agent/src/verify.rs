//! The only place where a [`VerifiedDevice`] is made: a device that was asked for its id just now, on every path.
//!
//! This module refuses to trust sysfs, udev links and names: the kernel goes on showing the old id of a reused LUN while
//! reads already return another volume's data.

use sanfleet_protocol::{Layers, VolumeId, v1::DeviceKind, volume_id};

use crate::{
    host::{DeviceNumber, Host, HostError, OpenDevice, SysDevice},
    layers,
};

/// An open device that has proved to be `volume`, or to be on it and on nothing else. Actions on volumes take this and nothing
/// else.
#[derive(Debug)]
pub struct VerifiedDevice {
    volume: VolumeId,
    device: Box<dyn OpenDevice>,
    /// The devices at the bottom, where the device itself rests on others (a multipath map's paths, a partition's disk): held open
    /// too, so that none can change its identity while we act.
    paths: Vec<Box<dyn OpenDevice>>,
    /// Paths of a multipath map that did not answer while others did.
    silent: Vec<String>,
}

impl VerifiedDevice {
    pub fn volume(&self) -> &VolumeId {
        &self.volume
    }

    pub fn device(&self) -> &dyn OpenDevice {
        self.device.as_ref()
    }

    pub fn number(&self) -> DeviceNumber {
        self.device.number()
    }

    pub fn paths(&self) -> &[Box<dyn OpenDevice>] {
        &self.paths
    }

    /// The names of paths that are down: what needs every path refuses to begin.
    pub fn silent(&self) -> &[String] {
        &self.silent
    }
}

/// Why no device has proved to be the volume.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("no device of this host is volume {wanted}")]
    NotFound { wanted: VolumeId },
    #[error("device {device} is volume {}, not {wanted}", shown(found))]
    WrongVolume { device: String, wanted: VolumeId, found: Vec<VolumeId> },
    #[error("volume {volume} ({device}) has no {layers}")]
    NotWithin { volume: VolumeId, device: String, layers: Layers },
    #[error("devices {devices} all say that they are volume {wanted} and are not paths of one multipath map")]
    Ambiguous { wanted: VolumeId, devices: String },
    #[error(transparent)]
    Host(#[from] HostError),
}

fn shown(ids: &[VolumeId]) -> String {
    volume_id::preferred(ids).map_or_else(|| "without an id".to_owned(), ToString::to_string)
}

/// Finds the device that is `wanted` and asks it, and every path below it, for its id.
pub fn verify(host: &dyn Host, wanted: &VolumeId) -> Result<VerifiedDevice, VerifyError> {
    let devices = host.devices()?;
    let device = choose(&devices, wanted)?;
    verify_device(host, &devices, device, wanted)
}

/// Asks one device, found in another way (by a mount, or remembered from its attachment), whether it is `wanted`: itself, or where it
/// rests on others, all at the bottom.
pub fn verify_device(
    host: &dyn Host,
    devices: &[SysDevice],
    device: &SysDevice,
    wanted: &VolumeId,
) -> Result<VerifiedDevice, VerifyError> {
    let bottoms = layers::bottoms(devices, device);
    if bottoms.iter().all(|bottom| bottom.number == device.number) {
        return Ok(VerifiedDevice {
            volume: wanted.clone(),
            device: ask(host, device, wanted)?,
            paths: Vec::new(),
            silent: Vec::new(),
        });
    }
    let (paths, silent) = ask_bottoms(devices, device, |bottom| ask(host, bottom, wanted))?;
    Ok(VerifiedDevice { volume: wanted.clone(), device: host.open(device)?, paths, silent })
}

/// What rests on others has no id of its own: the devices at the bottom, each asked, are its identity. A path of a map may be down; it
/// is enough that another one of the same map answers. All answers, and the names of those that are down.
pub fn ask_bottoms<T>(
    devices: &[SysDevice],
    device: &SysDevice,
    mut ask: impl FnMut(&SysDevice) -> Result<T, VerifyError>,
) -> Result<(Vec<T>, Vec<String>), VerifyError> {
    let (mut answers, mut up, mut down) = (Vec::new(), Vec::new(), Vec::new());
    for bottom in layers::bottoms(devices, device) {
        match ask(bottom) {
            Ok(answer) => {
                answers.push(answer);
                up.push(&bottom.name);
            }
            Err(error @ VerifyError::Host(_)) => down.push((bottom.name.clone(), error)),
            Err(error) => return Err(error),
        }
    }
    let maps = || devices.iter().filter(|device| device.kind == DeviceKind::Multipath);
    let stands_in = |map: &SysDevice| map.slaves.iter().any(|path| up.contains(&path));
    let is_covered = |name: &String| maps().any(|map| map.slaves.contains(name) && stands_in(map));
    match down.iter().position(|(name, _)| !is_covered(name)) {
        Some(place) => Err(down.swap_remove(place).1),
        None => Ok((answers, down.into_iter().map(|(name, _)| name).collect())),
    }
}

/// Of a volume the device that its file system is on, with these layers between; all of it is on this volume.
pub fn within(
    host: &dyn Host,
    volume: VerifiedDevice,
    layers: &Layers,
) -> Result<VerifiedDevice, VerifyError> {
    if layers.is_none() {
        return Ok(volume);
    }
    let devices = host.devices()?;
    let whole = devices.iter().find(|device| device.number == volume.number());
    match whole.and_then(|whole| layers::within(&devices, whole, layers)) {
        Some(inner) => verify_device(host, &devices, inner, volume.volume()),
        None => Err(VerifyError::NotWithin {
            device: volume.device().name(),
            volume: volume.volume,
            layers: layers.clone(),
        }),
    }
}

/// The one device whose cached ids name the volume: a hint that says whom to ask.
fn choose<'a>(devices: &'a [SysDevice], wanted: &VolumeId) -> Result<&'a SysDevice, VerifyError> {
    let hinted: Vec<&SysDevice> = devices.iter().filter(|d| d.cached_ids.contains(wanted)).collect();
    let is_path = |device: &SysDevice| hinted.iter().any(|other| other.slaves.contains(&device.name));
    let tops: Vec<&SysDevice> = hinted.iter().copied().filter(|device| !is_path(device)).collect();
    match tops.as_slice() {
        [] => Err(VerifyError::NotFound { wanted: wanted.clone() }),
        [device] => Ok(device),
        many => Err(VerifyError::Ambiguous {
            wanted: wanted.clone(),
            devices: many.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn ask(host: &dyn Host, device: &SysDevice, wanted: &VolumeId) -> Result<Box<dyn OpenDevice>, VerifyError> {
    let open = host.open(device)?;
    let found = open.identify()?;
    if volume_id::same_volume(&found, std::slice::from_ref(wanted)) {
        return Ok(open);
    }
    Err(VerifyError::WrongVolume { device: device.name.clone(), wanted: wanted.clone(), found })
}
