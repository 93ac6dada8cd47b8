//! The columns of each class, in their order.

use jiff::tz::TimeZone;
use sanfleet_driver::{
    AccessGroup, Battery, CacheInfo, Disk, FileSystem, LinkType, NfsExport, PluginInfo, Pool, PoolId,
    PoolMemberInfo, RaidCreateCapabilities, RaidInfo, Rpm, Snapshot, System, SystemId, SystemMode,
    TargetPort, Volume, VolumeKey,
};
use serde::Serialize;

use super::{
    Column, Shown, Value,
    words::{self, bits, word},
};
use crate::lsm::{lamp::Slot, link_speed::LinkSpeed, local_disk::LocalDisk};

/// A record with the block devices of this host that are the same disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Located<T> {
    pub record: T,
    #[serde(skip)]
    pub paths: Vec<String>,
}

/// What `volume-raid-info` shows. As JSON the information is the list that the protocol has; so it is for the rows below.
#[derive(Debug, Serialize)]
pub struct RaidRow {
    pub volume_id: VolumeKey,
    pub info: RaidInfo,
}

/// What `pool-member-info` shows.
#[derive(Debug, Serialize)]
pub struct PoolRow {
    pub pool_id: PoolId,
    pub info: PoolMemberInfo,
}

/// What `volume-raid-create-cap` shows.
#[derive(Debug, Serialize)]
pub struct RaidCreateRow {
    pub system_id: SystemId,
    pub info: RaidCreateCapabilities,
}

/// What `volume-cache-info` shows.
#[derive(Debug, Serialize)]
pub struct CacheRow {
    pub volume_id: VolumeKey,
    pub info: CacheInfo,
}

/// What a plug-in says of itself.
#[derive(Debug, Serialize)]
pub struct PluginRow {
    pub description: String,
    pub version: String,
}

impl From<PluginInfo> for PluginRow {
    fn from(PluginInfo { description, version }: PluginInfo) -> Self {
        Self { description, version }
    }
}

/// A column of every layout.
const fn column<T>(heading: &'static str, value: for<'a> fn(&'a T) -> Value<'a>) -> Column<T> {
    Column { heading, detail: false, value }
}

/// A column that only the layout with all properties has.
const fn detail<T>(heading: &'static str, value: for<'a> fn(&'a T) -> Value<'a>) -> Column<T> {
    Column { heading, detail: true, value }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

fn texts(texts: &[String]) -> Value<'_> {
    Value::List(texts.iter().map(|item| text(item)).collect())
}

/// The original prints Python's word for nothing.
fn maybe(value: Option<&str>) -> Value<'_> {
    text(value.unwrap_or("None"))
}

/// Minus one, as on the wire, when the array does not say.
fn bytes(count: Option<u64>) -> Value<'static> {
    Value::Bytes(count.map_or(-1, i128::from))
}

fn blocks(count: Option<u64>) -> Value<'static> {
    Value::Number(count.map_or(-1, i128::from))
}

fn size(block_size: Option<u64>, count: Option<u64>) -> Value<'static> {
    let known = block_size.zip(count);
    Value::Bytes(known.map_or(-1, |(block_size, count)| i128::from(block_size) * i128::from(count)))
}

/// Blank when the array does not have the property at all.
fn optional(number: i64, none: i64) -> Value<'static> {
    if number == none { text("") } else { Value::Number(number.into()) }
}

fn mode(mode: SystemMode) -> Value<'static> {
    match mode {
        SystemMode::NO_SUPPORT => text(""),
        SystemMode::HARDWARE_RAID => word(mode.0, &[(0, "HW RAID")]),
        SystemMode::HBA => word(mode.0, &[(1, "HBA")]),
        _ => Value::Word { number: mode.0.into(), word: "".into() },
    }
}

fn rpm(rpm: Rpm) -> Value<'static> {
    let named = match rpm {
        Rpm::NO_SUPPORT => "No Support",
        Rpm::UNKNOWN => "Unknown",
        Rpm::NON_ROTATING => "Non-Rotating Medium",
        Rpm::ROTATING_UNKNOWN_SPEED => "Rotating Medium Unknown Speed",
        speed => return Value::Number(speed.0.into()),
    };
    Value::Word { number: rpm.0.into(), word: named.into() }
}

fn link_speed(speed: LinkSpeed) -> Value<'static> {
    let word = match speed {
        LinkSpeed::UNKNOWN => "Unknown".into(),
        LinkSpeed(megabits) => format!("{}.{} Gbps", megabits / 1000, megabits % 1000 / 100).into(),
    };
    Value::Word { number: speed.0.into(), word }
}

fn link(link: LinkType) -> Value<'static> {
    word(link.0, words::LINK_TYPE)
}

impl Shown for System {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |s| text(s.id.as_str())),
        column("Name", |s| text(&s.name)),
        column("Status", |s| bits(s.status.0, words::SYSTEM_STATUS)),
        column("Info", |s| text(&s.status_info)),
        column("FW Ver", |s| text(&s.fw_version)),
        column("Mode", |s| mode(s.mode)),
        column("Read Cache Percentage", |s| optional(s.read_cache_pct, -2)),
    ];
}

impl Shown for PluginRow {
    const COLUMNS: &'static [Column<Self>] =
        &[column("Description", |p| text(&p.description)), column("Version", |p| text(&p.version))];
}

impl Shown for Pool {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |p| text(p.id.as_str())),
        column("Name", |p| text(&p.name)),
        column("Element Type", |p| bits(p.element_type.0, words::ELEMENT_TYPE)),
        detail("Does not support", |p| bits(p.unsupported_actions.0, words::UNSUPPORTED_ACTIONS)),
        column("Total Space", |p| bytes(p.total_space)),
        column("Free Space", |p| bytes(p.free_space)),
        column("Status", |p| bits(p.status.0, words::POOL_STATUS)),
        column("Info", |p| text(&p.status_info)),
        column("System ID", |p| text(p.system_id.as_str())),
    ];
}

impl Shown for Located<Volume> {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |v| text(v.record.id.as_str())),
        column("Name", |v| text(&v.record.name)),
        column("SCSI VPD 0x83", |v| text(&v.record.vpd83)),
        detail("Block Size", |v| bytes(v.record.block_size)),
        detail("Block Count", |v| blocks(v.record.num_of_blocks)),
        column("Size", |v| size(v.record.block_size, v.record.num_of_blocks)),
        column("Disabled", |v| word(v.record.admin_state.0, words::DISABLED)),
        column("Pool ID", |v| text(v.record.pool_id.as_str())),
        column("System ID", |v| text(v.record.system_id.as_str())),
        column("Disk Paths", |v| texts(&v.paths)),
    ];
}

impl Shown for Located<Disk> {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |d| text(d.record.id.as_str())),
        column("Name", |d| text(&d.record.name)),
        column("Type", |d| word(d.record.disk_type.0, words::DISK_TYPE)),
        detail("Block Size", |d| bytes(d.record.block_size)),
        detail("Block Count", |d| blocks(d.record.num_of_blocks)),
        column("Size", |d| size(d.record.block_size, d.record.num_of_blocks)),
        column("Status", |d| bits(d.record.status.0, words::DISK_STATUS)),
        column("System ID", |d| text(d.record.system_id.as_str())),
        column("SCSI VPD 0x83", |d| text(&d.record.vpd83)),
        column("Disk Paths", |d| texts(&d.paths)),
        column("Revolutions Per Minute", |d| match d.record.rpm {
            Rpm::NO_SUPPORT => Value::Lacking("No Support"),
            known => rpm(known),
        }),
        column("Link Type", |d| match d.record.link_type {
            LinkType::NO_SUPPORT => Value::Lacking("No Support"),
            known => link(known),
        }),
        detail("Location", |d| text(&d.record.location)),
    ];
}

impl Shown for AccessGroup {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |g| text(g.id.as_str())),
        column("Name", |g| text(&g.name)),
        column("Initiator IDs", |g| texts(&g.init_ids)),
        detail("Type", |g| word(g.init_type.0, words::INITIATOR_TYPE)),
        column("System ID", |g| text(g.system_id.as_str())),
    ];
}

impl Shown for FileSystem {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |f| text(f.id.as_str())),
        column("Name", |f| text(&f.name)),
        column("Total Space", |f| bytes(f.total_space)),
        column("Free Space", |f| bytes(f.free_space)),
        column("Pool ID", |f| text(f.pool_id.as_str())),
        column("System ID", |f| text(f.system_id.as_str())),
    ];
}

impl Shown for Snapshot {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |s| text(s.id.as_str())),
        column("Name", |s| text(&s.name)),
        column("Time Stamp", |s| words::moment(s.ts, &TimeZone::system())),
    ];
}

impl Shown for NfsExport {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |e| text(e.id.as_str())),
        column("FileSystem ID", |e| text(e.fs_id.as_str())),
        column("Export Path", |e| text(&e.export_path)),
        detail("Auth Type", |e| maybe(e.auth.as_deref())),
        column("Root Hosts", |e| texts(&e.root)),
        column("RW Hosts", |e| texts(&e.rw)),
        column("RO Hosts", |e| texts(&e.ro)),
        detail("Anonymous UID", |e| Value::Number(e.anonuid.0.into())),
        detail("Anonymous GID", |e| Value::Number(e.anongid.0.into())),
        column("Options", |e| maybe(e.options.as_deref())),
    ];
}

impl Shown for TargetPort {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |t| text(t.id.as_str())),
        column("Type", |t| word(t.port_type.0, words::PORT_TYPE)),
        detail("Physical Name", |t| text(&t.physical_name)),
        column("Address", |t| text(&t.service_address)),
        column("Network Address", |t| text(&t.network_address)),
        detail("Physical Address", |t| text(&t.physical_address)),
        column("System ID", |t| text(t.system_id.as_str())),
    ];
}

impl Shown for RaidRow {
    const COLUMNS: &'static [Column<Self>] = &[
        column("Volume ID", |r| text(r.volume_id.as_str())),
        column("RAID Type", |r| word(r.info.raid_type.0, words::RAID_TYPE)),
        column("Strip Size", |r| Value::Bytes(r.info.strip_size.into())),
        column("Disk Count", |r| Value::Number(r.info.disk_count.into())),
        column("Minimum I/O Size", |r| Value::Bytes(r.info.min_io_size.into())),
        column("Optimal I/O Size", |r| Value::Bytes(r.info.opt_io_size.into())),
    ];
}

impl Shown for PoolRow {
    const COLUMNS: &'static [Column<Self>] = &[
        column("Pool ID", |r| text(r.pool_id.as_str())),
        column("RAID Type", |r| word(r.info.raid_type.0, words::RAID_TYPE)),
        column("Member Type", |r| word(r.info.member_type.0, words::MEMBER_TYPE)),
        column("Member IDs", |r| texts(&r.info.members)),
    ];
}

impl Shown for RaidCreateRow {
    const COLUMNS: &'static [Column<Self>] = &[
        column("System ID", |r| text(r.system_id.as_str())),
        column("Supported RAID Types", |r| {
            Value::List(r.info.raid_types.iter().map(|kind| word(kind.0, words::RAID_TYPE)).collect())
        }),
        column("Supported Strip Sizes", |r| {
            Value::List(r.info.strip_sizes.iter().map(|size| Value::Bytes((*size).into())).collect())
        }),
    ];
}

impl Shown for Battery {
    const COLUMNS: &'static [Column<Self>] = &[
        column("ID", |b| text(b.id.as_str())),
        column("Name", |b| text(&b.name)),
        column("Type", |b| word(b.battery_type.0, words::BATTERY_TYPE)),
        column("Status", |b| bits(b.status.0, words::BATTERY_STATUS)),
        column("System ID", |b| text(b.system_id.as_str())),
    ];
}

impl Shown for CacheRow {
    const COLUMNS: &'static [Column<Self>] = &[
        column("Volume ID", |r| text(r.volume_id.as_str())),
        column("Write Cache Policy", |r| word(r.info.write_policy.0, words::WRITE_CACHE_POLICY)),
        column("Write Cache", |r| word(r.info.write_status.0, words::WRITE_CACHE_STATUS)),
        column("Read Cache Policy", |r| word(r.info.read_policy.0, words::READ_CACHE)),
        column("Read Cache", |r| word(r.info.read_status.0, words::READ_CACHE)),
        column("Physical Disk Cache", |r| word(r.info.physical_disk.0, words::PHYSICAL_DISK_CACHE)),
    ];
}

impl Shown for LocalDisk {
    const COLUMNS: &'static [Column<Self>] = &[
        column("Path", |d| text(&d.path)),
        column("SCSI VPD 0x83", |d| text(&d.vpd83)),
        detail("Revolutions Per Minute", |d| rpm(d.rpm)),
        column("Link Type", |d| link(d.link_type)),
        column("Serial Number", |d| text(&d.serial)),
        detail("LED Status", |d| bits(d.led_status.0, words::LED_STATUS)),
        detail("Link Speed", |d| link_speed(d.link_speed)),
        column("Health Status", |d| word(d.health.0, words::HEALTH)),
    ];
}

impl Shown for Slot {
    const COLUMNS: &'static [Column<Self>] = &[
        column("Slot ID", |s| text(&s.id)),
        column("LED state", |s| bits(s.status.0, words::LED_STATUS)),
        column("Device Node", |s| text(s.device_node.as_deref().unwrap_or_default())),
    ];
}
