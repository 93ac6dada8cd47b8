//! One listing of an array: systems, pools, volumes, and who may see which volume.
//!
//! Long lists come in pieces, and mappings in one list with their numbers, where the driver has the extensions for it. What
//! a driver does not have is empty, not an error.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::BoxFuture;
use sanfleet_driver::{
    AccessGroup, AccessGroupId, Capabilities, Capability, ElementType, ErrorNumber, Mapping, Page, System,
    Volume, VolumeDetail, VolumeKey,
    client::{ClientError, Session},
};
use sanfleet_protocol::{Initiator, VolumeId};

use super::{ArrayError, ArrayHandle};
use crate::{
    catalog::{ArrayFacts, ArrayState, PoolRecord, SystemRecord, VolumeRecord},
    matching::VolumeRef,
};

/// Records in one piece of a long list, and pieces in a list.
const PIECE: u32 = 1_000;
const PIECES: usize = 10_000;
/// Systems whose capabilities are asked for: an array has one or two.
const SYSTEMS: usize = 16;

type MaskedTo = BTreeMap<Initiator, Option<u64>>;

/// Who sees a volume, and through which access groups.
#[derive(Debug, Default)]
struct Shown {
    to: MaskedTo,
    through: BTreeSet<String>,
}

/// Lists the array. What hardly ever changes is taken from `facts` where it is given.
pub(super) async fn list(
    handle: &ArrayHandle,
    facts: Option<Arc<ArrayFacts>>,
) -> Result<ArrayState, ArrayError> {
    let facts = match facts {
        Some(facts) => facts,
        None => Arc::new(learn_facts(handle).await?),
    };
    let (systems, pools) = handle
        .call("listing pools", |session| {
            Box::pin(async move { Ok((session.systems().await?, session.pools(None).await?)) })
        })
        .await?;
    let mut masked = masked(handle, &facts).await?;
    let mut shown_through = BTreeMap::new();
    let volumes = volumes(handle, &facts).await?.into_iter().map(|found| {
        let shown = masked.remove(&found.volume.id).unwrap_or_default();
        if !shown.through.is_empty() {
            shown_through.insert(found.volume.id.clone(), shown.through);
        }
        (found.volume.id.clone(), record(handle, found, shown.to))
    });
    Ok(ArrayState {
        volumes: volumes.collect(),
        shown_through,
        begun_unix_ms: 0,
        systems: systems.into_iter().map(system).collect(),
        pools: pools.into_iter().map(pool).collect(),
        facts,
    })
}

async fn learn_facts(handle: &ArrayHandle) -> Result<ArrayFacts, ArrayError> {
    handle.call("asking what it can", |session| Box::pin(facts_of(session))).await
}

async fn facts_of(session: &mut Session) -> Result<ArrayFacts, ClientError> {
    let info = session.plugin_info().await?;
    let extensions = unless_unsupported(session.extensions().await)?;
    let target_ports = unless_unsupported(session.target_ports(None).await)?;
    let mut capabilities: Vec<Capabilities> = Vec::new();
    for system in session.systems().await?.iter().take(SYSTEMS) {
        capabilities.push(session.capabilities(system).await?);
    }
    let claims = |capability: Capability| {
        !capabilities.is_empty() && capabilities.iter().all(|system| system.supports(capability))
    };
    let (claimed, not_claimed): (Vec<_>, Vec<_>) =
        Capability::NAMED.iter().partition(|(_, capability)| claims(*capability));
    let names = |named: Vec<&(&'static str, Capability)>| named.into_iter().map(|(name, _)| *name).collect();
    Ok(ArrayFacts {
        driver: format!("{} {}", info.description, info.version),
        claimed: names(claimed),
        not_claimed: names(not_claimed),
        extensions,
        target_ports,
    })
}

fn has(facts: &ArrayFacts, extension: &str) -> bool {
    facts.extensions.iter().any(|name| name == extension)
}

async fn volumes(handle: &ArrayHandle, facts: &ArrayFacts) -> Result<Vec<VolumeDetail>, ArrayError> {
    if has(facts, "volumes_page") {
        return pieces(handle, "volumes", |session, cursor| {
            Box::pin(async move { session.volumes_page(cursor.as_deref(), PIECE).await })
        })
        .await;
    }
    let listed = handle
        .call("listing volumes", |session| {
            Box::pin(async move { unless_unsupported(session.volumes(None).await) })
        })
        .await?;
    Ok(listed.into_iter().map(|volume| VolumeDetail { volume, ids: Vec::new() }).collect())
}

/// Which initiators see which volume.
async fn masked(handle: &ArrayHandle, facts: &ArrayFacts) -> Result<BTreeMap<VolumeKey, Shown>, ArrayError> {
    let groups = handle
        .call("listing access groups", |session| {
            Box::pin(async move { unless_unsupported(session.access_groups(None).await) })
        })
        .await?;
    if has(facts, "mappings_page") {
        let mappings = pieces(handle, "mappings", |session, cursor| {
            Box::pin(async move { session.mappings_page(cursor.as_deref(), PIECE).await })
        })
        .await?;
        return Ok(spread(&groups, mappings));
    }
    let mut masked: BTreeMap<VolumeKey, Shown> = BTreeMap::new();
    for group in groups {
        let (initiators, name) = (initiators(&group), group.name.clone());
        for volume in seen_by(handle, group).await? {
            let shown = masked.entry(volume.id).or_default();
            shown.to.extend(initiators.iter().map(|one| (one.clone(), None)));
            shown.through.insert(name.clone());
        }
    }
    Ok(masked)
}

async fn seen_by(handle: &ArrayHandle, group: AccessGroup) -> Result<Vec<Volume>, ArrayError> {
    let seen = handle
        .call("listing what a group sees", |session| {
            Box::pin(
                async move { unless_unsupported(session.volumes_accessible_by_access_group(&group).await) },
            )
        })
        .await;
    match seen {
        // It was removed since the groups were listed.
        Err(error)
            if error.by_array().is_some_and(|said| said.number == ErrorNumber::NotFoundAccessGroup) =>
        {
            Ok(Vec::new())
        }
        other => other,
    }
}

fn initiators(group: &AccessGroup) -> BTreeSet<Initiator> {
    group.init_ids.iter().filter_map(|text| text.parse().ok()).collect()
}

/// A mapping of a group is one of each of its initiators. What one initiator is shown under a number of its own is known
/// better than what its group is.
fn spread(groups: &[AccessGroup], mappings: Vec<Mapping>) -> BTreeMap<VolumeKey, Shown> {
    let groups: BTreeMap<&AccessGroupId, (&String, BTreeSet<Initiator>)> =
        groups.iter().map(|group| (&group.id, (&group.name, initiators(group)))).collect();
    let mut masked: BTreeMap<VolumeKey, Shown> = BTreeMap::new();
    for Mapping { volume_id, access_group_id, initiator, lun, .. } in mappings {
        let seen = masked.entry(volume_id).or_default();
        let group = access_group_id.as_ref().and_then(|id| groups.get(id));
        seen.through.extend(group.map(|(name, _)| (*name).clone()));
        match initiator {
            Some(text) => seen.to.extend(text.parse::<Initiator>().ok().map(|one| (one, lun))),
            None => {
                for one in group.into_iter().flat_map(|(_, initiators)| initiators) {
                    let known = seen.to.entry(one.clone()).or_default();
                    *known = known.or(lun);
                }
            }
        }
    }
    masked
}

/// A whole list, piece by piece. A list that does not come to an end is an error.
async fn pieces<T>(
    handle: &ArrayHandle,
    what: &'static str,
    fetch: impl for<'s> Fn(&'s mut Session, Option<String>) -> BoxFuture<'s, Result<Page<T>, ClientError>>,
) -> Result<Vec<T>, ArrayError> {
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..PIECES {
        let from = cursor.clone();
        let page = handle.call("listing piece by piece", |session| fetch(session, from)).await?;
        all.extend(page.items);
        match page.next {
            None => return Ok(all),
            next if next == cursor => break,
            next => cursor = next,
        }
    }
    Err(ArrayError::Endless { array: handle.name().clone(), what })
}

/// Nothing, where the driver has no such method.
pub(super) fn unless_unsupported<T: Default>(answer: Result<T, ClientError>) -> Result<T, ClientError> {
    match answer {
        Err(ClientError::Array(error)) if error.number == ErrorNumber::NoSupport => Ok(T::default()),
        other => other,
    }
}

fn record(handle: &ArrayHandle, found: VolumeDetail, masked_to: MaskedTo) -> VolumeRecord {
    let VolumeDetail { volume, ids } = found;
    let mut ids: Vec<VolumeId> = ids.iter().filter_map(|text| text.parse().ok()).collect();
    // The one that runs check before they act on the volume.
    let id = volume.volume_id().or_else(|| ids.first().cloned());
    ids.retain(|other| Some(other) != id.as_ref());
    VolumeRecord {
        id,
        more_ids: ids,
        size_bytes: volume.size_bytes().unwrap_or_default(),
        pool: volume.pool_id.to_string(),
        masked_to,
        key: VolumeRef { array: handle.name().clone(), volume: volume.id },
        name: volume.name,
    }
}

fn system(system: System) -> SystemRecord {
    SystemRecord {
        id: system.id.to_string(),
        name: system.name,
        status: system.status,
        status_info: system.status_info,
        firmware: system.fw_version,
    }
}

fn pool(pool: sanfleet_driver::Pool) -> PoolRecord {
    let holds = |what| pool.element_type.contains(what);
    PoolRecord {
        for_volumes: holds(ElementType::VOLUME) && !holds(ElementType::SYSTEM_RESERVED),
        id: pool.id,
        name: pool.name,
        total_bytes: pool.total_space.unwrap_or_default(),
        free_bytes: pool.free_space.unwrap_or_default(),
        status: pool.status,
        status_info: pool.status_info,
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_driver::{InitiatorType, SystemId};

    use super::*;

    const ONE: &str = "iqn.2001-04.com.example:one";
    const TWO: &str = "iqn.2001-04.com.example:two";

    fn group(id: &str, initiators: &[&str]) -> AccessGroup {
        AccessGroup {
            id: AccessGroupId::new(id),
            name: id.to_owned(),
            init_ids: initiators.iter().map(|text| (*text).to_owned()).collect(),
            init_type: InitiatorType::ISCSI,
            system_id: SystemId::new("s"),
            plugin_data: None,
        }
    }

    fn mapping(group: Option<&str>, initiator: Option<&str>, lun: Option<u64>) -> Mapping {
        Mapping {
            volume_id: VolumeKey::new("v"),
            access_group_id: group.map(AccessGroupId::new),
            initiator: initiator.map(str::to_owned),
            lun,
            target_ports: Vec::new(),
        }
    }

    fn told(mappings: Vec<Mapping>) -> Vec<(String, Option<u64>)> {
        let groups = [group("g", &[ONE, TWO])];
        let shown = spread(&groups, mappings).remove(&VolumeKey::new("v")).unwrap_or_default();
        shown.to.into_iter().map(|(initiator, lun)| (initiator.to_string(), lun)).collect()
    }

    #[test]
    fn a_mapping_of_a_group_is_one_of_each_of_its_initiators() {
        let expected = [(ONE.to_owned(), Some(3)), (TWO.to_owned(), Some(3))];
        assert_eq!(told(vec![mapping(Some("g"), None, Some(3))]), expected);
    }

    #[test]
    fn an_initiators_own_number_counts_whatever_comes_first() {
        let own = || mapping(Some("g"), Some(TWO), Some(9));
        let whole = || mapping(Some("g"), None, Some(3));
        let expected = [(ONE.to_owned(), Some(3)), (TWO.to_owned(), Some(9))];
        assert_eq!(told(vec![own(), whole()]), expected);
        assert_eq!(told(vec![whole(), own()]), expected);
    }

    #[test]
    fn what_names_no_initiator_that_we_know_shows_the_volume_to_nobody() {
        assert!(told(vec![mapping(Some("gone"), None, Some(1)), mapping(None, Some("?"), None)]).is_empty());
    }
}
