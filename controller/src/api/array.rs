//! Operations that show arrays and their volumes.

use std::{collections::BTreeSet, time::Duration};

use sanfleet_driver::{
    TargetPort,
    client::pool::{BreakerState, Figures, PoolStatus},
};
use sanfleet_protocol::{ArrayId, Initiator, v1};

use super::{Api, Failure, fleet::count};
use crate::{
    catalog::{
        ArrayRecord, ArrayState, Catalog, Health, PoolRecord, Problem, SystemRecord, VolumeRecord,
        pool_status_words, status_words,
    },
    clock::now_unix_ms,
};

impl Api {
    pub(super) async fn array_list(self, _: v1::ArrayListRequest) -> Result<v1::ArrayListReply, Failure> {
        Ok(v1::ArrayListReply { arrays: self.summaries() })
    }

    pub(super) fn summaries(&self) -> Vec<v1::ArraySummary> {
        let catalog = self.catalog.read();
        catalog
            .arrays()
            .map(|array| summary(array, self.looker.arrays.status(&array.name).as_ref()))
            .collect()
    }

    pub(super) async fn array_show(
        self,
        request: v1::ArrayShowRequest,
    ) -> Result<v1::ArrayShowReply, Failure> {
        let name: ArrayId = request.name.parse()?;
        let arrays = &self.looker.arrays;
        let catalog = self.catalog.read();
        let array = catalog.array(&name).ok_or_else(|| unknown(&name))?;
        let status = arrays.status(&name);
        let signals = arrays.signals(&name).unwrap_or_default();
        let interval = u64::try_from(signals.interval().as_millis()).unwrap_or(u64::MAX);
        let state = array.state.as_deref().cloned().unwrap_or_default();
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Ok(v1::ArrayShowReply {
            summary: Some(summary(array, status.as_ref())),
            pools: state.pools.iter().map(pool).collect(),
            systems: state.systems.iter().map(system).collect(),
            target_ports: state.facts.target_ports.iter().map(target_port).collect(),
            capabilities: texts(&state.facts.claimed),
            capabilities_not_claimed: texts(&state.facts.not_claimed),
            extensions: state.facts.extensions.clone(),
            problems: array.problems.iter().map(problem).collect(),
            breaker: status.as_ref().map(breaker),
            poll_interval_ms: interval,
            tells_changes: signals.tells_changes(),
            password_from: arrays.password_from(&name).map(|from| from.to_string()).unwrap_or_default(),
        })
    }

    pub(super) async fn volume_list(
        self,
        request: v1::VolumeListRequest,
    ) -> Result<v1::VolumeListReply, Failure> {
        let catalog = self.catalog.read();
        let wanted: Option<ArrayId> = match request.array.as_str() {
            "" => None,
            name => Some(name.parse()?),
        };
        if let Some(name) = &wanted
            && catalog.array(name).is_none()
        {
            return Err(unknown(name));
        }
        let arrays = catalog.arrays().filter(|array| wanted.as_ref().is_none_or(|name| array.name == *name));
        let volumes =
            arrays.filter_map(|array| array.state.as_ref()).flat_map(|state| state.volumes.values());
        Ok(v1::VolumeListReply { volumes: volumes.map(|volume| row(&catalog, volume)).collect() })
    }
}

fn row(catalog: &Catalog, volume: &VolumeRecord) -> v1::VolumeRow {
    let hosts: BTreeSet<String> =
        catalog.devices_of(&volume.key).map(|device| device.host.to_string()).collect();
    v1::VolumeRow {
        array: volume.key.array.to_string(),
        id: volume.key.volume.to_string(),
        name: volume.name.clone(),
        volume_id: volume.id.as_ref().map(ToString::to_string).unwrap_or_default(),
        size_bytes: volume.size_bytes,
        pool: volume.pool.clone(),
        hosts: hosts.into_iter().collect(),
        masked_to: volume.masked_to.iter().map(mapping).collect(),
        grow_pending: catalog
            .behind(&volume.key, volume.size_bytes)
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn mapping((initiator, lun): (&Initiator, &Option<u64>)) -> v1::VolumeMapping {
    v1::VolumeMapping { initiator: initiator.to_string(), lun: *lun }
}

pub(super) fn unknown(name: &ArrayId) -> Failure {
    Failure::not_found("array", name.as_str(), "`sanfleet array list` shows the arrays")
}

pub(super) fn summary(array: &ArrayRecord, status: Option<&PoolStatus>) -> v1::ArraySummary {
    let state = array.state.as_deref();
    let pools = state.map(|state| state.pools.as_slice()).unwrap_or_default();
    let hint = array.error.as_ref().and(array.problems.front()).map(|newest| newest.trouble.hint.clone());
    v1::ArraySummary {
        name: array.name.to_string(),
        uri: array.uri.clone(),
        kind: array.kind.clone(),
        reachable: state.is_some() && array.error.is_none(),
        error: array.error.clone().unwrap_or_default(),
        driver: state.map(|state| state.facts.driver.clone()).unwrap_or_default(),
        systems: count(state.map_or(0, |state| state.systems.len())),
        pools: count(pools.len()),
        volumes: count(state.map_or(0, |state| state.volumes.len())),
        total_bytes: pools.iter().map(|pool| pool.total_bytes).fold(0, u64::saturating_add),
        free_bytes: pools.iter().map(|pool| pool.free_bytes).fold(0, u64::saturating_add),
        simulated: array.is_simulated(),
        state: health(array.health()).into(),
        since_unix_ms: array.since_unix_ms,
        last_seen_unix_ms: array.last_seen_unix_ms.unwrap_or_default(),
        complaints: state.map(ArrayState::complaints).unwrap_or_default(),
        calls: status.map(|status| status.calls).filter(|figures| figures.count > 0).map(calls),
        hint: hint.unwrap_or_default(),
    }
}

fn health(health: Health) -> v1::ArrayHealthState {
    match health {
        Health::Unseen => v1::ArrayHealthState::Unseen,
        Health::Ok => v1::ArrayHealthState::Ok,
        Health::Degraded => v1::ArrayHealthState::Degraded,
        Health::Unreachable => v1::ArrayHealthState::Unreachable,
    }
}

fn calls(figures: Figures) -> v1::CallFigures {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    v1::CallFigures {
        calls: figures.count,
        failed: figures.failed,
        p50_us: micros(figures.p50),
        p99_us: micros(figures.p99),
        max_us: micros(figures.max),
    }
}

/// Closed when all is well; open or half-open with what led to it.
fn breaker(status: &PoolStatus) -> v1::Breaker {
    let (state, next_try) = match status.breaker {
        BreakerState::Closed => return v1::Breaker { state: "closed".to_owned(), ..Default::default() },
        BreakerState::Open { next_try } => ("open", next_try),
        BreakerState::HalfOpen => ("half-open", Duration::ZERO),
    };
    v1::Breaker {
        state: state.to_owned(),
        cause: status.last_failure.as_ref().map(|failure| failure.text.clone()).unwrap_or_default(),
        next_try_unix_ms: now_unix_ms()
            .saturating_add(i64::try_from(next_try.as_millis()).unwrap_or(i64::MAX)),
    }
}

fn pool(pool: &PoolRecord) -> v1::PoolRow {
    v1::PoolRow {
        id: pool.id.to_string(),
        name: pool.name.clone(),
        total_bytes: pool.total_bytes,
        free_bytes: pool.free_bytes,
        status: pool_status_words(pool.status),
        status_info: pool.status_info.clone(),
    }
}

fn system(system: &SystemRecord) -> v1::SystemRow {
    v1::SystemRow {
        id: system.id.clone(),
        name: system.name.clone(),
        status: status_words(system.status),
        status_info: system.status_info.clone(),
        firmware: system.firmware.clone(),
    }
}

fn target_port(port: &TargetPort) -> v1::TargetPortRow {
    let named = port.port_type.name().map(str::to_ascii_lowercase);
    let r#type = named.unwrap_or_else(|| port.port_type.0.to_string());
    v1::TargetPortRow {
        id: port.id.to_string(),
        r#type,
        service_address: port.service_address.clone(),
        network_address: port.network_address.clone(),
    }
}

fn problem(problem: &Problem) -> v1::ArrayProblem {
    v1::ArrayProblem {
        at_unix_ms: problem.first_unix_ms,
        last_at_unix_ms: problem.last_unix_ms,
        times: problem.times,
        error: problem.trouble.error.clone(),
        hint: problem.trouble.hint.clone(),
    }
}
