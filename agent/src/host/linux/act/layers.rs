//! Partition tables and LVM on a copy: ids of its own, and a device to mount.
//!
//! The original may be on this host too, with the same names and ids. So LVM is told of the one device that it may see, and nothing
//! that it does can reach another. This module refuses to rename a group that is neither the source's nor has its new name already.

use std::{
    os::unix::fs::{FileTypeExt, MetadataExt},
    thread,
    time::Duration,
};

use rustix::fs::{fsync, major, minor};
use sanfleet_protocol::{Layers, LogicalVolume, LvmName, layers::table_id};

use super::descriptor;
use crate::{
    deadline::Deadline,
    host::{
        Host, HostError, SysDevice,
        linux::{
            LinuxHost,
            tool::{DEVICE, Tool},
        },
    },
    layers,
    verify::VerifiedDevice,
};

const SFDISK: Tool = Tool { program: "sfdisk", package: "fdisk" };
const LVM: Tool = Tool { program: "lvm", package: "lvm2" };
/// How long the kernel and udev may take to show what is there, and to take away what is not.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// See [`Host::physical_volumes`].
pub fn physical_volumes(group: &LvmName, deadline: Deadline) -> Result<u32, HostError> {
    let group = group.as_str();
    let words =
        LVM.ask(&["vgs", "--noheadings", "--nameprefixes", "-o", "pv_count", group], None, deadline)?;
    value(&words, "LVM2_PV_COUNT").and_then(|count| count.parse().ok()).ok_or_else(|| HostError::Invalid {
        what: format!("volume group {group}"),
        why: "is not counted by LVM".to_owned(),
    })
}

/// See [`Host::open_layers`].
pub fn open_layers(
    host: &LinuxHost,
    copy: &VerifiedDevice,
    of_source: &Layers,
    deadline: Deadline,
) -> Result<bool, HostError> {
    let own = of_source.on_copy(copy.volume());
    let base = || layers::base(&host.devices().ok()?, &whole(host, copy)?, &own).cloned();
    let base = Base::of(host, shown(deadline, base).ok_or_else(|| absent(copy, &own))?, deadline)?;
    let groups = of_source.lvm.as_ref().map(|lvm| &lvm.group).zip(own.lvm.as_ref());
    let is_imported = groups.map(|(of_source, own)| base.is_imported(of_source, &own.group)).transpose()?;
    let mut changed = own.partition.is_some() && own_table(host, copy, deadline)?;
    if let Some((of_source, own)) = groups {
        if is_imported == Some(false) {
            base.import(of_source, &own.group)?;
            changed = true;
        }
        changed |= base.activate(own)?;
    }
    Ok(changed)
}

/// See [`Host::close_layers`].
pub fn close_layers(host: &LinuxHost, copy: &VerifiedDevice, deadline: Deadline) -> Result<bool, HostError> {
    let Some(whole) = whole(host, copy) else { return Ok(false) };
    let devices = host.devices()?;
    let mut changed = false;
    for base in
        [&whole].into_iter().chain(layers::above(&devices, &whole)).filter(|device| device.lvm.is_none())
    {
        let base = Base::of(host, base.clone(), deadline)?;
        let groups = base.groups()?;
        let own = groups.iter().find(|group| Layers::is_own_group(group, copy.volume()));
        changed |= own.map_or(Ok(false), |own| base.deactivate(own))?;
    }
    Ok(changed)
}

/// The copy as the kernel shows it now.
fn whole(host: &LinuxHost, copy: &VerifiedDevice) -> Option<SysDevice> {
    host.devices().ok()?.into_iter().find(|device| device.number == copy.number())
}

/// Gives the table and all of its partitions ids that follow from the copy's. The kernel goes by none of them and is not told.
fn own_table(host: &LinuxHost, copy: &VerifiedDevice, deadline: Deadline) -> Result<bool, HostError> {
    let opened = copy.device();
    let disk = descriptor(opened)?;
    let ask = |arguments: &[&str]| SFDISK.ask(arguments, Some(disk), deadline);
    let table = ask(&["--disk-id", DEVICE])?;
    if !is_gpt(&table) {
        // An old table's 32 bits are not enough to be of one's own, and nothing goes by them.
        return Ok(false);
    }
    let devices = host.devices()?;
    let parts = devices.iter().filter(|part| part.parent.as_deref() == Some(&opened.name()));
    let mut numbers: Vec<u32> = parts.filter_map(|part| Some(part.partition?.get())).collect();
    numbers.sort_unstable();
    let mut changed = false;
    for number in numbers {
        let (number, id) = (number.to_string(), table_id(copy.volume(), number).to_string());
        changed |= own_id(&ask, &["--part-uuid", DEVICE, &number], &id)?;
    }
    // The table's own comes last: where it is right, all are.
    changed |= own_id(&ask, &["--disk-id", DEVICE], &table_id(copy.volume(), 0).to_string())?;
    fsync(disk).map_err(|e| HostError::os(format!("write back {}", opened.name()), e))?;
    Ok(changed)
}

fn own_id(
    ask: &impl Fn(&[&str]) -> Result<String, HostError>,
    question: &[&str],
    wanted: &str,
) -> Result<bool, HostError> {
    let is_wanted = |words: &str| words.lines().any(|line| line.trim().eq_ignore_ascii_case(wanted));
    if is_wanted(&ask(question)?) {
        return Ok(false);
    }
    ask(&[&["--no-reread", "--no-tell-kernel"], question, &[wanted]].concat())?;
    match is_wanted(&ask(question)?) {
        true => Ok(true),
        false => Err(HostError::Invalid {
            what: question.join(" "),
            why: format!("does not say {wanted} after it was written"),
        }),
    }
}

/// UUIDs are GPT's; the id of a DOS table is eight hex digits.
fn is_gpt(words: &str) -> bool {
    words.lines().any(|line| uuid_like(line.trim()))
}

fn uuid_like(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The device of a copy that is a physical volume of LVM.
struct Base<'a> {
    host: &'a LinuxHost,
    device: SysDevice,
    /// As LVM takes it.
    node: String,
    deadline: Deadline,
}

impl<'a> Base<'a> {
    /// LVM takes a name and no descriptor. The name is of this device, and stays so: the copy is held open.
    fn of(host: &'a LinuxHost, device: SysDevice, deadline: Deadline) -> Result<Self, HostError> {
        let path = host.options().dev_root.join(device.name.replace('!', "/"));
        let node = path.metadata().map_err(|e| HostError::os(format!("look at {}", path.display()), e))?;
        let is_it = (major(node.rdev()), minor(node.rdev())) == (device.number.major, device.number.minor);
        match (node.file_type().is_block_device() && is_it, path.to_str()) {
            (true, Some(path)) => Ok(Self { host, node: path.to_owned(), device, deadline }),
            _ => Err(HostError::Invalid {
                what: path.display().to_string(),
                why: format!("is not device {}", device.number),
            }),
        }
    }

    /// Carries out a command of LVM that sees no device but this one.
    fn lvm(&self, command: &str, arguments: &[&str]) -> Result<String, HostError> {
        LVM.ask(&[&[command, "--yes", "--devices", &self.node], arguments].concat(), None, self.deadline)
    }

    /// The group that the device says it is of.
    fn group(&self) -> Result<String, HostError> {
        let words = self.lvm("pvs", &["--noheadings", "--nameprefixes", "-o", "vg_name", &self.node])?;
        Ok(value(&words, "LVM2_VG_NAME").unwrap_or_default().to_owned())
    }

    /// True when it is of the copy's own group, and false when it is of the source's.
    fn is_imported(&self, of_source: &LvmName, own: &LvmName) -> Result<bool, HostError> {
        match self.group()? {
            found if found == own.as_str() => Ok(true),
            found if found == of_source.as_str() => Ok(false),
            found => Err(HostError::Invalid {
                what: self.device.name.clone(),
                why: format!("is of volume group {found:?}, which is neither {of_source} nor {own}"),
            }),
        }
    }

    /// Gives group, physical volume and logical volumes new ids, and the group this name.
    fn import(&self, of_source: &LvmName, own: &LvmName) -> Result<(), HostError> {
        // The host may have activated by itself what came in.
        self.deactivate(of_source)?;
        self.lvm("vgimportclone", &["--basevgname", own.as_str(), &self.node])?;
        match self.is_imported(of_source, own)? {
            true => Ok(()),
            false => Err(HostError::Invalid {
                what: self.device.name.clone(),
                why: format!("is still of volume group {of_source} after {own} was imported"),
            }),
        }
    }

    fn activate(&self, lvm: &LogicalVolume) -> Result<bool, HostError> {
        let find =
            || self.maps().ok()?.into_iter().find(|map| map.lvm.as_ref().is_some_and(|map| map.is(lvm)));
        if find().is_some() {
            return Ok(false);
        }
        // A thin snapshot is skipped unless one insists.
        self.lvm("lvchange", &["--activate", "y", "--ignoreactivationskip", &lvm.to_string()])?;
        match shown(self.deadline, find) {
            Some(_) => Ok(true),
            None => Err(HostError::Timeout { what: format!("the map of {lvm}"), after: SHOWN_WITHIN }),
        }
    }

    /// LVM knows maps by ids that the original has too: it is asked only where sysfs shows that they are on this device.
    fn deactivate(&self, group: &LvmName) -> Result<bool, HostError> {
        let has_maps = || self.groups().is_ok_and(|groups| groups.contains(group));
        if !has_maps() {
            return Ok(false);
        }
        self.lvm("vgchange", &["--activate", "n", group.as_str()])?;
        match shown(self.deadline, || (!has_maps()).then_some(())) {
            Some(()) => Ok(true),
            None => Err(HostError::Busy {
                what: self.device.name.clone(),
                by: format!("the volume group {group}, which LVM has not let go of"),
            }),
        }
    }

    /// Groups that have maps on this device, directly.
    fn groups(&self) -> Result<Vec<LvmName>, HostError> {
        let rests_here = |map: &SysDevice| map.slaves.contains(&self.device.name);
        let maps = self.maps()?.into_iter().filter(rests_here);
        Ok(maps.filter_map(|map| Some(map.lvm?.group)).collect())
    }

    fn maps(&self) -> Result<Vec<SysDevice>, HostError> {
        let devices = self.host.devices()?;
        Ok(layers::above(&devices, &self.device)
            .into_iter()
            .filter(|map| map.lvm.is_some())
            .cloned()
            .collect())
    }
}

fn absent(copy: &VerifiedDevice, layers: &Layers) -> HostError {
    HostError::NotFound { what: format!("{layers} of volume {} ({})", copy.volume(), copy.device().name()) }
}

/// Looks again and again until there is something, or no time any more.
fn shown<T>(deadline: Deadline, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = deadline.earlier(Deadline::after(SHOWN_WITHIN));
    loop {
        match look() {
            Some(found) => return Some(found),
            None if deadline.has_passed() => return None,
            None => thread::sleep(LOOK_EVERY),
        }
    }
}

/// Of what LVM says with `--nameprefixes`, a form that is meant for programs: `NAME='value'`.
fn value<'w>(words: &'w str, name: &str) -> Option<&'w str> {
    let (_, rest) = words.split_once(&format!("{name}='"))?;
    rest.split_once('\'').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lvm_says_to_programs_is_found_among_what_it_says_to_people() {
        let words =
            "  WARNING: some device's sector size is odd\n  LVM2_VG_NAME='vg_data' LVM2_PV_COUNT='1'\n";
        assert_eq!(value(words, "LVM2_VG_NAME"), Some("vg_data"));
        assert_eq!(value(words, "LVM2_PV_COUNT"), Some("1"));
        assert_eq!(value("  LVM2_VG_NAME=''", "LVM2_VG_NAME"), Some(""));
        assert_eq!(value("LVM2_VG_NAME='cut", "LVM2_VG_NAME"), None);
    }

    #[test]
    fn a_gpt_is_known_by_its_uuid() {
        assert!(is_gpt("0FCE5A3D-1122-4344-8566-778899AABBCC\n"));
        assert!(!is_gpt("0x1234abcd\n") && !is_gpt(""));
    }
}
