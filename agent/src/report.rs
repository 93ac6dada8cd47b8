//! Turns a picture of the host into the message that says it. Pure: time and generation are arguments.
//!
//! A report has a greatest size. What does not fit is left out in an order that keeps what matters, and is counted, so that
//! it is never lost in silence.

use std::num::NonZeroU32;

use prost::Message;
use sanfleet_protocol::{Generation, HostId, Labels, VERSION, limits, v1};

use crate::{
    discover::{Content, Device, Snapshot},
    host::{FileSystem, MountEntry, SysDevice, Usage},
};

/// A report, and how much of the picture had no room in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub message: v1::HostReport,
    pub devices_left_out: usize,
    pub mounts_left_out: usize,
}

impl Report {
    /// True when both say the same of the host, whenever they were taken. What is free changes all the time: that alone is
    /// no news.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.timeless() == other.timeless()
    }

    fn timeless(&self) -> v1::HostReport {
        let mut message = v1::HostReport { generation: 0, taken_at_unix_ms: 0, ..self.message.clone() };
        let file_systems = message.devices.iter_mut().filter_map(|device| device.file_system.as_mut());
        file_systems.for_each(|file_system| file_system.free_bytes = 0);
        message
    }

    /// The same picture under another generation.
    pub fn numbered(mut self, generation: Generation) -> Self {
        self.message.generation = generation.0;
        self
    }
}

/// What of a report's limits a test may lower.
#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: usize,
    devices: usize,
}

const ROOM: Room = Room { bytes: limits::REPORT_BYTES, devices: limits::DEVICES };

pub fn host_report(
    host: &HostId,
    labels: &Labels,
    generation: Generation,
    taken_at_unix_ms: i64,
    snapshot: &Snapshot,
) -> Report {
    within(ROOM, host, labels, generation, taken_at_unix_ms, snapshot)
}

fn within(
    room: Room,
    host: &HostId,
    labels: &Labels,
    generation: Generation,
    taken_at_unix_ms: i64,
    snapshot: &Snapshot,
) -> Report {
    let mut message = v1::HostReport {
        version: VERSION,
        host: host.to_string(),
        generation: generation.0,
        boot_id: snapshot.boot_id.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at_unix_ms,
        facts: Some(snapshot.facts.clone()),
        devices: Vec::new(),
        mounts: Vec::new(),
        initiators: snapshot.initiators.iter().map(ToString::to_string).collect(),
        fabrics: snapshot.fabrics.clone(),
        labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    };
    let free = room.bytes.saturating_sub(message.encoded_len());

    // Hosts with tens of thousands of bind mounts exist: they get half of the room and no more.
    let (mounts, mount_bytes, mounts_left_out) = fitting(ranked_mounts(snapshot), free / 2, usize::MAX);
    let (devices, _, devices_left_out) = fitting(ranked_devices(snapshot), free - mount_bytes, room.devices);
    message.mounts = mounts;
    message.mounts.sort_by(|a, b| mount_order(a).cmp(&mount_order(b)));
    message.devices = devices;
    message.devices.sort_by_key(|device| (device.major, device.minor));
    Report { message, devices_left_out, mounts_left_out }
}

fn mount_order(mount: &v1::Mount) -> (&str, u32, u32, &str) {
    (&mount.mount_point, mount.major, mount.minor, &mount.root)
}

/// The first of the messages that fit, their size, and how many did not. After the first that does not fit none is
/// taken, so that what is left out is always the least important.
fn fitting<M: Message>(ranked: Vec<M>, bytes: usize, count: usize) -> (Vec<M>, usize, usize) {
    let all = ranked.len();
    let mut used = 0;
    let kept: Vec<M> = ranked
        .into_iter()
        .take(count)
        .take_while(|message| {
            used += field_bytes(message);
            used <= bytes
        })
        .collect();
    let used = kept.iter().map(field_bytes).sum();
    let left_out = all - kept.len();
    (kept, used, left_out)
}

/// A message as an element of a repeated field: one byte of tag (all our field numbers are below 16), its length, itself.
fn field_bytes(message: &impl Message) -> usize {
    let length = message.encoded_len();
    1 + prost::length_delimiter_len(length) + length
}

/// Devices that may be volumes first, then those in use, then the others.
fn ranked_devices(snapshot: &Snapshot) -> Vec<v1::BlockDevice> {
    let mut devices: Vec<&Device> = snapshot.devices.iter().collect();
    devices.sort_by_key(|device| {
        let mounted = snapshot.mounts.iter().any(|mount| mount.device == device.sys.number);
        (device.sys.cached_ids.is_empty(), !mounted, device.sys.number)
    });
    devices.into_iter().map(block_device).collect()
}

/// Mounts of block devices, whole file systems before bind mounts.
fn ranked_mounts(snapshot: &Snapshot) -> Vec<v1::Mount> {
    let mut mounts: Vec<&MountEntry> = snapshot
        .mounts
        .iter()
        // Major 0 is for file systems without a device.
        .filter(|mount| mount.device.major != 0)
        .collect();
    mounts.sort_by_key(|mount| (mount.root != std::path::Path::new("/"), &mount.mount_point, mount.device));
    mounts.into_iter().map(mount).collect()
}

fn block_device(device: &Device) -> v1::BlockDevice {
    let sys = &device.sys;
    let (file_system, unreadable) = match &device.content {
        Content::NotAsked | Content::Nothing => (None, String::new()),
        Content::FileSystem(found, usage) => (Some(file_system(found, *usage)), String::new()),
        Content::Unreadable(why) => (None, limits::legible(why)),
    };
    v1::BlockDevice {
        name: sys.name.clone(),
        major: sys.number.major,
        minor: sys.number.minor,
        kind: sys.kind.into(),
        size_bytes: sys.size_bytes,
        read_only: sys.read_only,
        volume_ids: sys.cached_ids.iter().map(ToString::to_string).collect(),
        vendor: sys.vendor.clone(),
        model: sys.model.clone(),
        serial: sys.serial.clone(),
        holders: sys.holders.clone(),
        slaves: sys.slaves.clone(),
        parent: sys.parent.clone().unwrap_or_default(),
        partition: sys.partition.map(NonZeroU32::get).unwrap_or_default(),
        volume_group: sys.lvm.as_ref().map(|map| map.group.to_string()).unwrap_or_default(),
        logical_volume: logical_volume(sys),
        disk_sequence: sys.disk_sequence,
        file_system,
        fabric: sys.fabric.clone().unwrap_or_default(),
        unreadable,
    }
}

fn logical_volume(sys: &SysDevice) -> String {
    let volume = sys.lvm.as_ref().and_then(|map| map.volume.as_ref());
    volume.map(ToString::to_string).unwrap_or_default()
}

pub fn file_system(found: &FileSystem, usage: Option<Usage>) -> v1::FileSystem {
    let usage = usage.unwrap_or_default();
    v1::FileSystem {
        r#type: found.kind.clone(),
        uuid: found.uuid.clone(),
        label: found.label.clone(),
        size_bytes: usage.size_bytes,
        free_bytes: usage.free_bytes,
    }
}

fn mount(entry: &MountEntry) -> v1::Mount {
    v1::Mount {
        mount_point: entry.mount_point.to_string_lossy().into_owned(),
        major: entry.device.major,
        minor: entry.device.minor,
        r#type: entry.file_system.clone(),
        read_only: entry.read_only,
        root: entry.root.to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests;
