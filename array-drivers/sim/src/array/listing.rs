//! What the array has to show: its system, pools and ports.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sanfleet_driver::{
    ElementType, ErrorNumber, Pool, PoolId, PoolStatus, PortType, Search, System, SystemId, SystemMode,
    SystemStatus, TargetPort, TargetPortId, UnsupportedActions,
};

use super::{Array, wanted::Wanted};
use crate::{
    DESCRIPTION,
    error::{Result, SimError},
    identity,
};

/// Bytes of a pool that nothing takes, as a column beside those of `pool`. Every volume takes its full size, whatever its file
/// takes, and so does every pool made of this one.
const FREE: &str = "max(0, total_bytes \
    - (SELECT coalesce(sum(blocks), 0) * 512 FROM volume WHERE volume.pool = pool.id) \
    - (SELECT coalesce(sum(total_bytes), 0) FROM pool AS part WHERE part.parent = pool.id))";

pub(super) fn free_bytes(state: &Connection, pool: i64) -> Result<u64> {
    let query = format!("SELECT {FREE} FROM pool WHERE id = ?1");
    Ok(state.prepare_cached(&query)?.query_row([pool], |row| count(row, 0))?)
}

/// A column that holds a count.
pub(super) fn count(row: &Row, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    u64::try_from(count).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, count))
}

pub(super) fn pool_row(state: &Connection, pool: &PoolId) -> Result<i64> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundPool, format!("no pool {pool}"));
    let row = identity::pool_row(pool).ok_or_else(not_found)?;
    let found =
        state.prepare_cached("SELECT id FROM pool WHERE id = ?1")?.query_row(params![row], |row| row.get(0));
    found.optional()?.ok_or_else(not_found)
}

pub(super) fn check_system(system: &System) -> Result<()> {
    if system.id.as_str() == identity::SYSTEM {
        return Ok(());
    }
    Err(SimError::refused(ErrorNumber::NotFoundSystem, format!("no system {}", system.id)))
}

impl Array {
    pub fn system(&self) -> Result<System> {
        Ok(System {
            id: SystemId::new(identity::SYSTEM),
            name: DESCRIPTION.into(),
            status: SystemStatus::OK,
            status_info: format!("simulated; volumes in {}", self.data_folder().display()),
            plugin_data: None,
            fw_version: env!("CARGO_PKG_VERSION").into(),
            mode: SystemMode::HARDWARE_RAID,
            read_cache_pct: self.read_cache_pct()?,
        })
    }

    pub fn pools(&self, search: Option<&Search>) -> Result<Vec<Pool>> {
        let wanted = Wanted::of(search, "pool", |id| identity::pool_row(&PoolId::new(id)));
        let query = format!(
            "SELECT id, name, element_type, unsupported, total_bytes, {FREE} FROM pool WHERE {} ORDER BY id",
            wanted.condition()
        );
        let mut statement = self.state.prepare_cached(&query)?;
        Ok(statement.query_map(wanted.values(), pool)?.collect::<rusqlite::Result<_>>()?)
    }

    pub fn target_ports(&self) -> Vec<TargetPort> {
        let (wwpn, mac) = ("50:25:34:e0:00:00:00:01", "02:53:4e:00:00:01");
        let iqn = "iqn.2026-01.sanfleet.sim:target";
        vec![
            port(1, PortType::FC, wwpn, wwpn, wwpn, "FC_0"),
            port(2, PortType::FCOE, wwpn, wwpn, wwpn, "FCoE_0"),
            port(3, PortType::ISCSI, iqn, "192.0.2.1:3260", mac, "iSCSI_0"),
            port(4, PortType::ISCSI, iqn, "[2001:db8::1]:3260", mac, "iSCSI_0"),
            port(5, PortType::ISCSI, iqn, "192.0.2.2:3260", "02:53:4e:00:00:02", "iSCSI_1"),
        ]
    }
}

fn pool(row: &Row) -> rusqlite::Result<Pool> {
    Ok(Pool {
        id: identity::pool(row.get(0)?),
        name: row.get(1)?,
        element_type: ElementType(count(row, 2)?),
        unsupported_actions: UnsupportedActions(count(row, 3)?),
        total_space: Some(count(row, 4)?),
        free_space: Some(count(row, 5)?),
        status: PoolStatus::OK,
        status_info: String::new(),
        system_id: SystemId::new(identity::SYSTEM),
        plugin_data: None,
    })
}

fn port(
    number: i64,
    port_type: PortType,
    service: &str,
    network: &str,
    physical: &str,
    name: &str,
) -> TargetPort {
    TargetPort {
        id: TargetPortId::new(identity::target_port(number)),
        port_type,
        service_address: service.into(),
        network_address: network.into(),
        physical_address: physical.into(),
        physical_name: name.into(),
        system_id: SystemId::new(identity::SYSTEM),
        plugin_data: None,
    }
}
