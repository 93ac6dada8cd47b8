//! The methods whose names begin with `sanfleet_`: a driver that lists one has it, and what it tells agrees with the protocol's own.

use std::collections::BTreeSet;

use sanfleet_driver::{Capability, ErrorNumber, JobId, Volume, VolumeDetail};
use serde_json::json;

use crate::{
    array::Array,
    check::checks,
    expect::{Verdict, equal, failed, refused, skip, that},
    ghost,
    stage::Stage,
    wire::Reply,
};

const NO_SUPPORT: i64 = 153;
const ALL: [&str; 10] = [
    "sanfleet_volumes_page",
    "sanfleet_volume_ids",
    "sanfleet_volume_mappings",
    "sanfleet_mappings_page",
    "sanfleet_volume_map",
    "sanfleet_volume_unmap",
    "sanfleet_volume_rename",
    "sanfleet_volume_replication",
    "sanfleet_job_failure",
    "sanfleet_changes",
];
/// Small, so that there is more than one page of little.
const PAGE: u32 = 3;
/// Of much there are no more pages than about so many.
const PAGES: usize = 100;

checks!("extension", changes [
    an_extension_is_listed_exactly_when_the_driver_has_it,
    the_pages_are_the_list,
    a_volumes_identities_hold_its_vpd83,
    a_mask_is_told_as_a_mapping,
    a_volume_is_shown_to_one_initiator_without_a_group,
    a_renamed_volume_is_the_same_volume,
    a_replica_names_its_source,
    a_change_is_told_after_the_moment_that_it_came_after,
    a_job_that_is_not_there_has_not_failed,
]);

async fn an_extension_is_listed_exactly_when_the_driver_has_it(stage: &Stage) -> Verdict {
    let volume = ghost::volume(&stage.array().await?.system);
    let mut wire = stage.registered_wire().await?;
    let listed: Vec<String> = match wire.call("sanfleet_extensions", json!({})).await? {
        Reply::Result(list) => serde_json::from_value(list).unwrap_or_default(),
        Reply::Error { code: NO_SUPPORT, .. } => Vec::new(),
        other => return failed("sanfleet_extensions", "a list, or error 153", format!("{other:?}")),
    };
    for name in ALL {
        // What a method does not take it passes over.
        let reply = wire
            .call(
                name,
                json!({"cursor": null, "limit": 1, "volume": volume, "new_name": ghost::ID, "job_id": ghost::ID,
                    "init_id": "iqn.2026-01.example.conformance:none", "init_type": 5, "lun": null, "since": null,
                    "wait_ms": 0}),
            )
            .await?;
        let lacking = matches!(reply, Reply::Error { code: NO_SUPPORT, .. });
        let is_listed = listed.iter().any(|listed| name.ends_with(listed.trim_start_matches("sanfleet_")));
        that(lacking != is_listed, name, if is_listed { "no 153" } else { "error 153" }, &reply)?;
    }
    Ok(())
}

async fn having<'a>(stage: &'a Stage, extension: &str) -> Verdict<Array<'a>> {
    let mut array = stage.array().await?;
    let listed = crate::array::supported(array.session.extensions().await)?.unwrap_or_default();
    match listed.iter().any(|listed| listed.trim_start_matches("sanfleet_") == extension) {
        true => Ok(array),
        false => skip("the driver does not have it"),
    }
}

async fn the_pages_are_the_list(stage: &Stage) -> Verdict {
    let mut array = having(stage, "volumes_page").await?;
    let mut own = BTreeSet::new();
    for _ in 0..=PAGE {
        let made = array.volume().await?;
        array.until_listed(&made).await?;
        own.insert(made.id);
    }
    let listed = array.session.volumes(None).await?.len();
    let limit = PAGE.max(u32::try_from(listed / PAGES).unwrap_or(u32::MAX));
    let (mut cursor, mut seen): (Option<String>, Vec<VolumeDetail>) = (None, Vec::new());
    loop {
        let page = array.session.volumes_page(cursor.as_deref(), limit).await?;
        that(page.items.len() <= limit as usize, "a page", "at most what was asked for", &page)?;
        seen.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || seen.len() > 2 * listed {
            break;
        }
    }
    let ids: BTreeSet<_> = seen.iter().map(|detail| detail.volume.id.clone()).collect();
    equal("the volumes on all pages", ids.len(), seen.len())?;
    that(own.is_subset(&ids), "the volumes on all pages", "all of ours", &ids)
}

async fn a_volumes_identities_hold_its_vpd83(stage: &Stage) -> Verdict {
    let mut array = having(stage, "volume_ids").await?;
    let volume = array.volume().await?;
    let ids = array.session.volume_ids(&volume).await?;
    let naa = volume.volume_id().map(|id| id.to_string());
    that(
        naa.is_none_or(|naa| ids.contains(&naa)),
        "the volume's identities",
        "its vpd83 among them",
        (&ids, &volume),
    )?;
    let nothing = ghost::volume(&array.system);
    refused(
        "the identities of no volume",
        array.session.volume_ids(&nothing).await,
        &[ErrorNumber::NotFoundVolume],
    )
}

async fn a_mask_is_told_as_a_mapping(stage: &Stage) -> Verdict {
    let mut array = having(stage, "volume_mappings").await?;
    array.needs(&[Capability::VOLUME_MASK, Capability::VOLUME_UNMASK])?;
    let (group, volume) = (array.group().await?, array.volume().await?);
    equal("the mappings of a new volume", array.session.volume_mappings(&volume).await?, Vec::new())?;
    array.session.volume_mask(&group, &volume).await?;
    let mappings = array.session.volume_mappings(&volume).await?;
    let told = mappings
        .iter()
        .any(|mapping| mapping.volume_id == volume.id && mapping.access_group_id.as_ref() == Some(&group.id));
    that(told, "the mappings of a masked volume", "one of its group", &mappings)?;
    array.session.volume_unmask(&group, &volume).await?;
    equal("the mappings of an unmasked volume", array.session.volume_mappings(&volume).await?, Vec::new())
}

async fn a_volume_is_shown_to_one_initiator_without_a_group(stage: &Stage) -> Verdict {
    let mut array = having(stage, "volume_map").await?;
    let (initiator, kind) = array.initiator()?;
    let volume = array.volume().await?;
    let mapping = array.session.volume_map(&volume, &initiator, kind, None).await?;
    let shown = array.session.volume_mappings(&volume).await;
    let deleted = array.session.volume_delete(&volume).await;
    let unmapped = array.session.volume_unmap(&volume, &initiator, kind).await;
    that(mapping.initiator.as_ref() == Some(&initiator), "the mapping", "of that initiator", &mapping)?;
    that(shown?.contains(&mapping), "the mappings of the volume", "this one among them", &mapping)?;
    refused("deleting a mapped volume", deleted, &[ErrorNumber::IsMasked])?;
    unmapped?;
    let again = array.session.volume_unmap(&volume, &initiator, kind).await;
    refused("unmapping what is not mapped", again, &[ErrorNumber::NoStateChange])
}

async fn a_renamed_volume_is_the_same_volume(stage: &Stage) -> Verdict {
    let mut array = having(stage, "volume_rename").await?;
    let (before, other) = (array.volume().await?, array.volume().await?);
    let taken = array.session.volume_rename(&before, &other.name).await;
    refused("a name that is taken", taken, &[ErrorNumber::NameConflict])?;
    let name = stage.name();
    let after = array.session.volume_rename(&before, &name).await?;
    equal("the volume", &after, &Volume { name, ..before })?;
    array.until_listed(&after).await
}

async fn a_replica_names_its_source(stage: &Stage) -> Verdict {
    let mut array = having(stage, "volume_replication").await?;
    let kind = super::replicate::any_kind(&array)?;
    let source = array.volume().await?;
    equal("the source of a new volume", array.session.volume_replication(&source).await?, None)?;
    let replica = super::replicate::replicate(&mut array, kind, &source).await?;
    match array.session.volume_replication(&replica).await? {
        Some(told) => equal("the source of a replica", (told.source_id, told.rep_type), (source.id, kind)),
        // A copy that is whole may have forgotten.
        None => Ok(()),
    }
}

async fn a_change_is_told_after_the_moment_that_it_came_after(stage: &Stage) -> Verdict {
    let mut array = having(stage, "changes").await?;
    let before = array.session.changes(None, 0).await?;
    let volume = array.volume().await?;
    array.until_listed(&volume).await?;
    let after = array.session.changes(Some(&before.token), 1_000).await?;
    let told = !after.complete || after.changed.iter().any(|change| change.id == volume.id.as_str());
    that(told, "the changes", "the new volume among them", &after)
}

async fn a_job_that_is_not_there_has_not_failed(stage: &Stage) -> Verdict {
    let mut array = having(stage, "job_failure").await?;
    match array.session.job_failure(&JobId::new(ghost::ID)).await {
        Ok(failure) => equal("the failure of no job", failure, None),
        no => refused("the failure of no job", no, &[ErrorNumber::NotFoundJob]),
    }
}
