//! How fast the link to a disk is, as its SAS phys or its ATA link have negotiated it.

use serde::Serialize;

use super::sysfs::Folder;

/// Megabits a second; none of an unknown speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LinkSpeed(pub u32);

impl LinkSpeed {
    pub const UNKNOWN: Self = Self(0);

    /// Of a disk, by its folder below `block`. Links that do not agree say nothing.
    pub fn of_disk(disk: &Folder) -> Self {
        let mut speeds = links(disk).into_iter();
        let first = speeds.next().unwrap_or(Self::UNKNOWN);
        if speeds.all(|speed| speed == first) { first } else { Self::UNKNOWN }
    }

    /// `6.0 Gbps` of an ATA link, `12.0 Gbit` of a SAS phy; words where nothing is connected.
    fn read(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        if !["Gbps", "Gbit"].contains(&unit) {
            return None;
        }
        let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
        let tenths = tenths.parse::<u32>().ok().filter(|_| tenths.len() == 1)?;
        whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(tenths * 100).map(Self)
    }
}

/// What the links say that the disk hangs on. A disk's place in the tree of devices has the SAS port above `end_device-…`, and the
/// ATA port as `ata…`.
fn links(disk: &Folder) -> Vec<LinkSpeed> {
    let place = disk.in_tree();
    let mut found = Vec::new();
    for above in place.path().ancestors().map(Folder::new) {
        if above.name().starts_with("end_device-")
            && let Some(port) = above.path().parent().map(Folder::new)
        {
            found.extend(told(&port, "phy-", "sas_phy", "negotiated_linkrate"));
        } else if is_ata_port(&above.name()) {
            found.extend(told(&above, "link", "ata_link", "sata_spd"));
        }
    }
    found
}

fn told(port: &Folder, link: &str, class: &str, file: &str) -> Vec<LinkSpeed> {
    let links = port.folders(link).into_iter().flat_map(|link| link.inner(class).folders(""));
    links.filter_map(|link| LinkSpeed::read(&link.text(file)?)).collect()
}

fn is_ata_port(name: &str) -> bool {
    name.strip_prefix("ata")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::sysfs::fake::Sysfs;

    fn speed(sysfs: &Sysfs) -> LinkSpeed {
        LinkSpeed::of_disk(&sysfs.root().inner("block/sda"))
    }

    fn at(place: &str) -> Sysfs {
        Sysfs::new().with(&format!("{place}/size"), b"8\n").linked("block/sda", place)
    }

    #[test]
    fn an_ata_disk_has_the_speed_of_its_ports_link() {
        let sysfs = at("devices/pci0/ata1/host0/target0:0:0/0:0:0:0/block/sda")
            .with("devices/pci0/ata1/link1/ata_link/link1/sata_spd", b"6.0 Gbps\n")
            .with("devices/pci0/ata2/link2/ata_link/link2/sata_spd", b"1.5 Gbps\n");
        assert_eq!(speed(&sysfs), LinkSpeed(6000));
    }

    #[test]
    fn a_sas_disk_has_the_speed_on_which_all_phys_of_its_port_agree() {
        let phy =
            |number: u8| format!("devices/host1/phy-1:{number}/sas_phy/phy-1:{number}/negotiated_linkrate");
        let wide = || {
            at("devices/host1/port-1:0/end_device-1:0/target1:0:0/1:0:0:0/block/sda")
                .with(&phy(0), b"12.0 Gbit\n")
                .linked("devices/host1/port-1:0/phy-1:0", "devices/host1/phy-1:0")
                .linked("devices/host1/port-1:0/phy-1:1", "devices/host1/phy-1:1")
                .with(&phy(2), b"3.0 Gbit\n")
        };
        assert_eq!(speed(&wide().with(&phy(1), b"12.0 Gbit\n")), LinkSpeed(12_000));
        assert_eq!(speed(&wide().with(&phy(1), b"6.0 Gbit\n")), LinkSpeed::UNKNOWN);
    }

    #[test]
    fn a_disk_on_another_link_and_what_is_no_speed_say_nothing() {
        assert_eq!(speed(&at("devices/virtual/nvme0n1")), LinkSpeed::UNKNOWN);
        for bad in
            ["<unknown>", "Unknown", "Phy disabled", "Gbps", "6.0", "6.x Gbps", "-6.0 Gbps", "99999999 Gbit"]
        {
            assert_eq!(LinkSpeed::read(bad), None, "{bad}");
        }
        assert_eq!(LinkSpeed::read("1.5 Gbps"), Some(LinkSpeed(1500)));
    }
}
