//! The targets: one decoder each.

use std::fmt::Debug;

use prost::Message;
use sanfleet_agent::{
    discover::superblock,
    door::Frame,
    trust::{Pinned, Trust},
};
use sanfleet_controller::catalog::{Catalog, Inventory};
use sanfleet_driver::{
    AccessGroup, Battery, BlockRange, CacheInfo, Capabilities, Changes, Disk, FileSystem, FrameBuffer,
    JobFailure, JobOr, JobStatus, Mapping, NfsExport, Page, Pool, PoolMemberInfo, RaidCreateCapabilities,
    RaidInfo, Replication, Snapshot, System, TargetPort, Uri, Volume, VolumeDetail, fuzz,
};
use sanfleet_protocol::{
    credentials::identity,
    delegation::OperatorKey,
    enrolment::Invitation,
    initiator::Initiator,
    report_key,
    sign::CommandKey,
    size,
    volume_id::{self, VolumeId},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::request;

/// A decoder, and the folder of its seeds.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const TARGETS: &[Target] = &[
    Target { name: "frame", run: frame },
    Target { name: "request", run: |body| drop(request::reply(body)) },
    Target { name: "reply", run: reply },
    Target { name: "record", run: record },
    Target { name: "uri", run: uri },
    Target { name: "capabilities", run: capabilities },
    Target { name: "id", run: id },
    Target { name: "size", run: sizes },
    Target { name: "nexentastor", run: nexentastor },
    Target { name: "word", run: word },
    Target { name: "envelope", run: envelope },
    Target { name: "superblock", run: superblock },
    Target { name: "vpd", run: vpd },
    Target { name: "report", run: report },
    Target { name: "config", run: config },
    Target { name: "invitation", run: invitation },
];

pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// In Unix milliseconds, some moment.
const NOON: i64 = 1_800_000_000_000;

/// Small, so that a frame over the limit is within reach.
const LONGEST_FRAME: usize = 4_096;

/// Frames, in pieces as long as the first byte says.
fn frame(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let (mut buffer, mut whole) = (FrameBuffer::new(LONGEST_FRAME), FrameBuffer::new(LONGEST_FRAME));
    let mut cut = Vec::new();
    'stream: for piece in stream.chunks(usize::from(*piece).max(1)) {
        buffer.push(piece);
        loop {
            match buffer.next_frame() {
                Ok(Some(body)) => cut.push(body),
                Ok(None) => break,
                Err(_) => break 'stream,
            }
        }
    }
    whole.push(stream);
    let mut uncut = Vec::new();
    while let Ok(Some(body)) = whole.next_frame() {
        uncut.push(body);
    }
    assert_eq!(cut, uncut, "frames depend on how the stream was cut");
}

/// One reply as the calling end reads it.
fn reply(body: &[u8]) {
    fuzz::reply::<serde_json::Value>(body);
    fuzz::reply::<Vec<Volume>>(body);
    fuzz::reply::<JobOr<Volume>>(body);
    fuzz::reply::<JobStatus>(body);
    fuzz::reply::<()>(body);
}

/// Every record and every tuple of the protocol and of its extensions.
fn record(json: &[u8]) {
    again::<System>(json);
    again::<Pool>(json);
    again::<Volume>(json);
    again::<Disk>(json);
    again_but_for_spelling::<AccessGroup>(json);
    again_but_for_spelling::<TargetPort>(json);
    again::<FileSystem>(json);
    again::<Snapshot>(json);
    again::<NfsExport>(json);
    again::<BlockRange>(json);
    again::<Battery>(json);
    again::<RaidInfo>(json);
    again::<PoolMemberInfo>(json);
    again::<RaidCreateCapabilities>(json);
    again::<CacheInfo>(json);
    again::<JobStatus>(json);
    again::<JobOr<Volume>>(json);
    again::<Page<VolumeDetail>>(json);
    again::<Page<Mapping>>(json);
    again::<Changes>(json);
    again::<Replication>(json);
    again::<JobFailure>(json);
    if let Ok(volume) = serde_json::from_slice::<Volume>(json) {
        let _ = (volume.size_bytes(), volume.volume_id());
    }
}

fn uri(text: &[u8]) {
    if let Ok(uri) = String::from_utf8_lossy(text).parse::<Uri>() {
        assert!(!uri.kind.is_empty() && !uri.kind.contains('+'), "{uri:?}");
    }
}

fn capabilities(text: &[u8]) {
    again::<Capabilities>(text);
    let wire = serde_json::json!({"class": "Capabilities", "cap": String::from_utf8_lossy(text)});
    again::<Capabilities>(wire.to_string().as_bytes());
}

/// Identities of volumes and initiators, as arrays spell them.
fn id(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Some(id) = VolumeId::from_lsm_vpd83(&text) {
        let spelled = id.lsm_vpd83().and_then(|hex| VolumeId::from_lsm_vpd83(&hex));
        assert_eq!(spelled, Some(id), "an identity changes on its way");
    }
    if let Ok(initiator) = text.parse::<Initiator>() {
        assert_eq!(initiator.to_string().parse(), Ok(initiator), "an initiator changes on its way");
    }
}

/// Sizes, as people type them.
fn sizes(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Ok(bytes) = size::parse(&text) else { return };
    assert_eq!(size::parse(&bytes.to_string()), Ok(bytes), "{text:?} is another size in bytes");
    assert_eq!(size::parse(&text.to_ascii_lowercase()), Ok(bytes), "{text:?} hangs on its capitals");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let whole: u64 = number.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or_default();
    let below = size::parse(&format!("{whole}{unit}"));
    assert!(below.is_ok_and(|below| below <= bytes), "{text:?} is less than its whole units");
    // One unit more may be too large a size.
    let above = whole.checked_add(1).and_then(|more| size::parse(&format!("{more}{unit}")).ok());
    assert!(above.is_none_or(|above| bytes < above), "{text:?} is a whole unit more");
}

/// What an appliance of any release says.
fn nexentastor(body: &[u8]) {
    sanfleet_driver_nexentastor::fuzz::rest(body);
    sanfleet_driver_nexentastor::fuzz::nms(body);
}

/// What one of the agent's two processes hears from the other.
fn word(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    assert_eq!(
        Frame::decode(frame.encode_to_vec().as_slice()).as_ref(),
        Ok(&frame),
        "a word changes on its way"
    );
}

/// What comes off the bus as a command, to a host that pins an operator and to one that pins a controller. Nobody here has either's key.
fn envelope(bytes: &[u8]) {
    let operator = OperatorKey::from_bytes(&[1; 32]).public();
    let controller = CommandKey::from_bytes(&[2; 32]).public();
    for pinned in [Pinned::Operator(operator), Pinned::Controller(controller)] {
        assert!(
            Trust::new(pinned).open(bytes, 0, NOON).is_err(),
            "a command that nobody has signed is believed"
        );
    }
}

/// A disk from its first byte on; what is behind its end cannot be read.
fn superblock(disk: &[u8]) {
    let read_at = |at: u64, into: &mut [u8]| {
        let from = usize::try_from(at).ok().and_then(|at| disk.get(at..at.checked_add(into.len())?));
        into.copy_from_slice(from.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    if let Ok(Some(found)) = superblock::parse(read_at) {
        assert!(!found.kind.is_empty(), "{found:?}");
    }
}

/// What a device says that it is.
fn vpd(page: &[u8]) {
    let Ok(ids) = volume_id::designators(page) else { return };
    assert_eq!(
        volume_id::designators(&volume_id::page(&ids)).as_ref(),
        Ok(&ids),
        "a device says something else when it says the same"
    );
}

/// What comes off the bus in a host's name, and what is then asked of it.
fn report(bytes: &[u8]) {
    let Ok((report, _)) = report_key::open(bytes) else { return };
    let Ok(host) = report.host.parse() else { return };
    let Ok(inventory) = Inventory::from_report(&host, report) else { return };
    for (device, _) in inventory.devices() {
        let _ = (inventory.down(device), inventory.mounts_of(&device.name), inventory.writable_at(device));
    }
    let (written, mounts) = (inventory.written().count(), inventory.report.mounts.len());
    assert!(written <= mounts, "more is written to than is mounted");
    let mut catalog = Catalog::default();
    catalog.take_report(&host, inventory, NOON);
    assert!(catalog.host(&host).is_some(), "{host} has reported and is not there");
}

/// What an administrator writes for either program.
fn config(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let _ = toml::from_str::<sanfleet_agent::config::Config>(&text);
    let _ = toml::from_str::<sanfleet_controller::config::Config>(&text);
}

/// What a host is handed that is to become a user of the bus. What makes its holder somebody is not shown.
fn invitation(json: &[u8]) {
    let Ok(invitation) = serde_json::from_slice::<Invitation>(json) else { return };
    let shown = format!("{invitation:?}");
    let secret = &invitation.credentials;
    assert!(secret.len() < 16 || !shown.contains(secret.as_str()), "{shown}");
    let _ = identity(secret);
}

/// What can be read can be written, and reads the same.
fn again<T: DeserializeOwned + Serialize + PartialEq + Debug>(json: &[u8]) {
    let Some((read, written, reread)) = there_and_back::<T>(json) else { return };
    assert!(read == reread, "{read:?} was written as {written} and reads as {reread:?}");
}

/// The same for records whose initiators and ports are sent in their canonical spelling, whatever they were read in: once
/// written they do not change any more.
fn again_but_for_spelling<T: DeserializeOwned + Serialize + Debug>(json: &[u8]) {
    let Some((read, written, reread)) = there_and_back::<T>(json) else { return };
    let rewritten = serde_json::to_string(&reread).unwrap_or_default();
    assert_eq!(written, rewritten, "{read:?} is written in two ways");
}

/// What was read, how that is written, and what is read from it then.
fn there_and_back<T: DeserializeOwned + Serialize + Debug>(json: &[u8]) -> Option<(T, String, T)> {
    let read = serde_json::from_slice::<T>(json).ok()?;
    let written = serde_json::to_string(&read).unwrap_or_default();
    let reread = serde_json::from_str::<T>(&written);
    assert!(reread.is_ok(), "{read:?} was written as {written}, which cannot be read: {reread:?}");
    Some((read, written, reread.ok()?))
}
