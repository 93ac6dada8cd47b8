//! The disks and batteries: what only can be looked at.

use rusqlite::Row;
use sanfleet_driver::{
    Battery, BatteryId, BatteryStatus, BatteryType, Disk, DiskId, DiskStatus, DiskType, LinkType, Rpm,
    Search, SystemId,
};

use super::{Array, BLOCK, listing, wanted::Wanted};
use crate::{error::Result, identity};

/// Disks in one enclosure.
const BAYS: i64 = 10;

impl Array {
    pub fn disks(&self, search: Option<&Search>) -> Result<Vec<Disk>> {
        let wanted = Wanted::of(search, "disk", |id| identity::disk_row(&DiskId::new(id)));
        let query = format!(
            "SELECT id, kind, blocks, rpm, link, pool IS NULL FROM disk WHERE {} ORDER BY id",
            wanted.condition()
        );
        let mut statement = self.state.prepare_cached(&query)?;
        let disks = statement.query_map(wanted.values(), |row| self.disk(row))?;
        Ok(disks.collect::<rusqlite::Result<_>>()?)
    }

    /// The ids of the disks that a pool is made of.
    pub(super) fn disks_of(&self, pool: i64) -> Result<Vec<String>> {
        let mut query = self.state.prepare_cached("SELECT id FROM disk WHERE pool = ?1 ORDER BY id")?;
        let ids = query.query_map([pool], |row| Ok(identity::disk(row.get(0)?).as_str().to_owned()))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    fn disk(&self, row: &Row) -> rusqlite::Result<Disk> {
        let (number, free): (i64, bool) = (row.get(0)?, row.get(5)?);
        Ok(Disk {
            id: identity::disk(number),
            name: format!("Disk {number}"),
            disk_type: DiskType(row.get(1)?),
            block_size: Some(BLOCK),
            num_of_blocks: Some(listing::count(row, 2)?),
            status: if free { DiskStatus::OK | DiskStatus::FREE } else { DiskStatus::OK },
            system_id: SystemId::new(identity::SYSTEM),
            plugin_data: None,
            vpd83: identity::disk_vpd83(&self.id, number),
            location: format!("Port: 1 Box: {} Bay: {}", (number - 1) / BAYS + 1, (number - 1) % BAYS + 1),
            rpm: Rpm(row.get(3)?),
            link_type: LinkType(row.get(4)?),
        })
    }

    pub fn batteries(&self) -> Vec<Battery> {
        vec![battery(1, BatteryType::CHEMICAL), battery(2, BatteryType::CAPACITOR)]
    }
}

fn battery(number: i64, battery_type: BatteryType) -> Battery {
    Battery {
        id: BatteryId::new(identity::battery(number)),
        name: format!("Battery {number}"),
        battery_type,
        status: BatteryStatus::OK,
        system_id: SystemId::new(identity::SYSTEM),
        plugin_data: None,
    }
}
