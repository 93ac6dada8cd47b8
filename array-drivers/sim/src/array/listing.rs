//! What the array has to show: its system, pools, volumes and ports.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sanfleet_driver::{
    ElementType, ErrorNumber, Pool, PoolId, PoolStatus, PortType, System, SystemId, SystemMode, SystemStatus,
    TargetPort, TargetPortId, UnsupportedActions, Volume,
};

use super::{Array, BLOCK, file_system, volume};
use crate::{
    DESCRIPTION,
    error::{Result, SimError},
    identity,
};

/// Bytes of a pool that no volume and no file system takes. Each takes its full size, whatever its files take.
pub(super) fn free_bytes(state: &Connection, pool: i64) -> Result<u64> {
    let query = "SELECT total_bytes, (SELECT coalesce(sum(blocks), 0) FROM volume WHERE pool = pool.id) \
                 FROM pool WHERE id = ?1";
    let (total, blocks): (i64, i64) =
        state.prepare_cached(query)?.query_row([pool], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let volumes = u64::try_from(blocks).unwrap_or_default().saturating_mul(BLOCK);
    let taken = volumes.saturating_add(file_system::taken_bytes(state, pool)?);
    Ok(u64::try_from(total).unwrap_or_default().saturating_sub(taken))
}

pub(super) fn require_free(state: &Connection, pool: i64, bytes: u64) -> Result<()> {
    let free = free_bytes(state, pool)?;
    if bytes > free {
        let message = format!("{bytes} bytes wanted, {free} bytes free");
        return Err(SimError::refused(ErrorNumber::NotEnoughSpace, message));
    }
    Ok(())
}

pub(super) fn pool_row(change: &Transaction, pool: &PoolId) -> Result<i64> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundPool, format!("no pool {pool}"));
    let row = identity::pool_row(pool).ok_or_else(not_found)?;
    let found =
        change.prepare_cached("SELECT id FROM pool WHERE id = ?1")?.query_row(params![row], |row| row.get(0));
    found.optional()?.ok_or_else(not_found)
}

pub(super) fn check_system(system: &System) -> Result<()> {
    if system.id.as_str() == identity::SYSTEM {
        return Ok(());
    }
    Err(SimError::refused(ErrorNumber::NotFoundSystem, format!("no system {}", system.id)))
}

impl Array {
    pub fn system(&self) -> System {
        System {
            id: SystemId::new(identity::SYSTEM),
            name: DESCRIPTION.into(),
            status: SystemStatus::OK,
            status_info: format!("simulated; volumes in {}", self.data_folder().display()),
            plugin_data: None,
            fw_version: String::new(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        }
    }

    pub fn pools(&self) -> Result<Vec<Pool>> {
        let mut statement =
            self.state.prepare_cached("SELECT id, name, total_bytes FROM pool ORDER BY id")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<(i64, String, i64)>>>()?;
        rows.into_iter().map(|(row, name, total)| self.pool(row, name, total)).collect()
    }

    fn pool(&self, row: i64, name: String, total: i64) -> Result<Pool> {
        Ok(Pool {
            id: identity::pool(row),
            name,
            element_type: ElementType::VOLUME
                | ElementType::VOLUME_FULL
                | ElementType::VOLUME_THIN
                | ElementType::FILE_SYSTEM,
            unsupported_actions: UnsupportedActions::VOLUME_GROW | UnsupportedActions::VOLUME_SHRINK,
            total_space: u64::try_from(total).ok(),
            free_space: Some(free_bytes(&self.state, row)?),
            status: PoolStatus::OK,
            status_info: String::new(),
            system_id: SystemId::new(identity::SYSTEM),
            plugin_data: None,
        })
    }

    pub fn volumes(&self) -> Result<Vec<Volume>> {
        volume::listed(&self.state, self.seen_at()?)?.iter().map(|row| self.record(row)).collect()
    }

    pub fn target_ports(&self) -> Vec<TargetPort> {
        let wwpn = "50:25:34:e0:00:00:00:01";
        let iqn = "iqn.2026-01.sanfleet.sim:target";
        vec![
            port(1, PortType::FC, wwpn, wwpn, wwpn, "FC_0"),
            port(2, PortType::ISCSI, iqn, "192.0.2.1:3260", "02:53:4e:00:00:01", "eth0"),
            port(3, PortType::ISCSI, iqn, "[2001:db8::1]:3260", "02:53:4e:00:00:02", "eth1"),
        ]
    }
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
