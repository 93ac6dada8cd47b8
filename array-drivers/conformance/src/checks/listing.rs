//! What the array shows of itself, and finding things in it.

use std::{collections::BTreeSet, fmt::Debug};

use sanfleet_driver::{
    Capability, ElementType, ErrorNumber, Search, Searchable,
    client::{ClientError, Session},
};

use crate::{
    array::supported,
    check::checks,
    expect::{Verdict, equal, skip, that},
    ghost,
    stage::Stage,
};

checks!("listing", reads [
    every_system_has_an_id_of_its_own,
    every_pool_is_of_a_listed_system_and_not_freer_than_large,
    every_volume_is_in_a_listed_pool_and_has_an_identity_of_its_own,
    every_access_group_has_initiators_that_no_other_group_has,
    target_ports_have_the_addresses_of_their_kind,
    disks_and_batteries_have_ids_of_their_own_and_a_status,
    every_file_system_is_in_a_listed_pool,
    every_export_is_of_a_listed_file_system,
    pools_are_found_by_what_they_are_searched_by,
    volumes_are_found_by_what_they_are_searched_by,
    access_groups_are_found_by_what_they_are_searched_by,
    disks_are_found_by_what_they_are_searched_by,
    target_ports_are_found_by_what_they_are_searched_by,
    batteries_are_found_by_what_they_are_searched_by,
    file_systems_are_found_by_what_they_are_searched_by,
    exports_are_found_by_what_they_are_searched_by,
    a_search_by_an_unknown_property_never_picks,
    two_sessions_see_the_same,
]);

async fn every_system_has_an_id_of_its_own(stage: &Stage) -> Verdict {
    let systems = stage.session().await?.systems().await?;
    that(!systems.is_empty(), "the systems", "at least one", &systems)?;
    unique("system", systems.iter().map(|system| system.id.as_str()))?;
    that(
        systems.iter().all(|system| system.status.0 != 0),
        "the status of systems",
        "at least one bit each",
        &systems,
    )
}

async fn every_pool_is_of_a_listed_system_and_not_freer_than_large(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (systems, pools) = (array.session.systems().await?, array.session.pools(None).await?);
    unique("pool", pools.iter().map(|pool| pool.id.as_str()))?;
    for pool in &pools {
        let listed = systems.iter().any(|system| system.id == pool.system_id);
        that(listed, "a pool's system", "one that is listed", pool)?;
        that(pool.element_type.0 != 0 && pool.status.0 != 0, "a pool", "an element type and a status", pool)?;
        if let (Some(free), Some(total)) = (pool.free_space, pool.total_space) {
            that(free <= total, "a pool's free space", "at most its whole", pool)?;
        }
    }
    Ok(())
}

async fn every_volume_is_in_a_listed_pool_and_has_an_identity_of_its_own(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUMES])?;
    let (pools, volumes) = (array.session.pools(None).await?, array.session.volumes(None).await?);
    unique("volume", volumes.iter().map(|volume| volume.id.as_str()))?;
    let identities: Vec<String> =
        volumes.iter().filter_map(|volume| Some(volume.volume_id()?.to_string())).collect();
    unique("vpd83", identities.iter().map(String::as_str))?;
    for volume in &volumes {
        let pool = pools.iter().find(|pool| pool.id == volume.pool_id);
        that(
            pool.is_some_and(|pool| pool.system_id == volume.system_id),
            "a volume's pool",
            "one that is listed",
            volume,
        )?;
        that(volume.block_size != Some(0), "a volume's block size", "not 0", volume)?;
    }
    Ok(())
}

async fn every_access_group_has_initiators_that_no_other_group_has(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUPS])?;
    let groups = array.session.access_groups(None).await?;
    unique("access group", groups.iter().map(|group| group.id.as_str()))?;
    let spelled: Vec<String> =
        groups.iter().flat_map(|group| &group.init_ids).map(|text| text.to_ascii_lowercase()).collect();
    unique("initiator", spelled.iter().map(String::as_str))
}

async fn target_ports_have_the_addresses_of_their_kind(stage: &Stage) -> Verdict {
    use sanfleet_driver::PortType;
    let mut array = stage.array().await?;
    array.needs(&[Capability::TARGET_PORTS])?;
    let ports = array.session.target_ports(None).await?;
    unique("target port", ports.iter().map(|port| port.id.as_str()))?;
    for port in ports {
        let is_wwpn = port.service_address.len() == 23 && port.service_address.split(':').count() == 8;
        let lower = port.service_address == port.service_address.to_ascii_lowercase();
        match port.port_type {
            PortType::FC | PortType::FCOE => {
                that(is_wwpn && lower, "an FC port's address", "aa:bb:… in lower case", &port)?;
            }
            PortType::ISCSI => {
                let named =
                    ["iqn.", "eui.", "naa."].iter().any(|start| port.service_address.starts_with(start));
                that(named, "an iSCSI port's service address", "an iSCSI name", &port)?;
                let numbered = port
                    .network_address
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                that(numbered, "an iSCSI port's network address", "ip:port", &port)?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn disks_and_batteries_have_ids_of_their_own_and_a_status(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let disks = supported(array.session.disks(None).await)?;
    let batteries = supported(array.session.batteries(None).await)?;
    if disks.is_none() && batteries.is_none() {
        return skip("the driver shows neither disks nor batteries");
    }
    let (disks, batteries) = (disks.unwrap_or_default(), batteries.unwrap_or_default());
    unique("disk", disks.iter().map(|disk| disk.id.as_str()))?;
    unique("battery", batteries.iter().map(|battery| battery.id.as_str()))?;
    that(
        disks.iter().all(|disk| disk.status.0 != 0),
        "the status of disks",
        "at least one bit each",
        &disks,
    )?;
    let told = batteries.iter().all(|battery| battery.status.0 != 0);
    that(told, "the status of batteries", "at least one bit each", &batteries)
}

async fn every_file_system_is_in_a_listed_pool(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS])?;
    let (pools, systems) = (array.session.pools(None).await?, array.session.fs(None).await?);
    unique("file system", systems.iter().map(|fs| fs.id.as_str()))?;
    for fs in &systems {
        that(
            pools.iter().any(|pool| pool.id == fs.pool_id),
            "a file system's pool",
            "one that is listed",
            fs,
        )?;
        that(fs.free_space <= fs.total_space, "a file system's free space", "at most its whole", fs)?;
    }
    Ok(())
}

async fn every_export_is_of_a_listed_file_system(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS, Capability::EXPORTS])?;
    let (systems, exports) = (array.session.fs(None).await?, array.session.exports(None).await?);
    unique("export", exports.iter().map(|export| export.id.as_str()))?;
    for export in &exports {
        that(
            systems.iter().any(|fs| fs.id == export.fs_id),
            "an export's file system",
            "one that is listed",
            export,
        )?;
    }
    Ok(())
}

/// One check for each list that can be searched.
macro_rules! found {
    ($($check:ident: $list:ident;)*) => {
        $(async fn $check(stage: &Stage) -> Verdict {
            found(stage, async |session, search| session.$list(search).await).await
        })*
    };
}

found! {
    pools_are_found_by_what_they_are_searched_by: pools;
    volumes_are_found_by_what_they_are_searched_by: volumes;
    access_groups_are_found_by_what_they_are_searched_by: access_groups;
    disks_are_found_by_what_they_are_searched_by: disks;
    target_ports_are_found_by_what_they_are_searched_by: target_ports;
    batteries_are_found_by_what_they_are_searched_by: batteries;
    file_systems_are_found_by_what_they_are_searched_by: fs;
    exports_are_found_by_what_they_are_searched_by: exports;
}

async fn found<T: Searchable + PartialEq + Debug>(
    stage: &Stage,
    mut list: impl AsyncFnMut(&mut Session, Option<&Search>) -> Result<Vec<T>, ClientError>,
) -> Verdict {
    let mut session = stage.session().await?;
    let Some(all) = supported(list(&mut session, None).await)? else {
        return skip("the driver has no such list");
    };
    for key in T::KEYS {
        let nothing = list(&mut session, Some(&Search::new(*key, ghost::ID))).await?;
        that(
            nothing.is_empty(),
            &format!("a search by {key} that matches nothing"),
            "an empty list",
            &nothing,
        )?;
        // What several have in common is searched for once: in a large array such a search finds much.
        let values: BTreeSet<&str> = all.iter().take(3).filter_map(|record| record.property(key)).collect();
        for value in values {
            let picked = list(&mut session, Some(&Search::new(*key, value))).await?;
            let expected: Vec<&T> = all.iter().filter(|other| other.property(key) == Some(value)).collect();
            let ids = |list: Vec<&T>| -> BTreeSet<String> {
                list.into_iter().filter_map(|record| record.property("id").map(str::to_owned)).collect()
            };
            equal(&format!("a search by {key}"), ids(picked.iter().collect()), ids(expected))?;
        }
    }
    Ok(())
}

async fn a_search_by_an_unknown_property_never_picks(stage: &Stage) -> Verdict {
    let mut session = stage.session().await?;
    let all = session.pools(None).await?;
    match session.pools(Some(&Search::new("colour", "blue"))).await {
        // C plug-ins pass the search over.
        Ok(found) => equal("a search by colour", found.len(), all.len()),
        Err(ClientError::Array(error)) => {
            let other =
                [ErrorNumber::UnsupportedSearchKey, ErrorNumber::InvalidArgument, ErrorNumber::Other(-32601)];
            that(other.contains(&error.number), "a search by colour", "error 510", &error)
        }
        Err(error) => Err(error.into()),
    }
}

async fn two_sessions_see_the_same(stage: &Stage) -> Verdict {
    let (mut one, mut other) = (stage.array().await?, stage.array().await?);
    let ids = |pools: Vec<sanfleet_driver::Pool>| -> BTreeSet<_> {
        pools
            .into_iter()
            .map(|pool| (pool.id, pool.name, pool.element_type.contains(ElementType::VOLUME)))
            .collect()
    };
    equal("the systems", one.session.systems().await?, other.session.systems().await?)?;
    equal("the pools", ids(one.session.pools(None).await?), ids(other.session.pools(None).await?))?;
    equal("the capabilities", one.capabilities, other.capabilities)
}

fn unique<'a>(what: &str, ids: impl Iterator<Item = &'a str>) -> Verdict {
    let mut seen = BTreeSet::new();
    for id in ids {
        that(!id.is_empty(), &format!("the id of a {what}"), "a text", id)?;
        that(seen.insert(id), &format!("the id of a {what}"), "that no other has it", id)?;
    }
    Ok(())
}
