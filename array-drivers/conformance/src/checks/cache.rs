//! How reads and writes are cached.

use sanfleet_driver::{Capability, ErrorNumber, PhysicalDiskCache, ReadCache, WriteCachePolicy};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, refused, skip, that},
    stage::Stage,
};

checks!("cache", changes [
    the_caches_of_a_volume_are_told_in_known_values,
    a_write_cache_policy_that_was_set_is_told,
    a_read_cache_policy_that_was_set_is_told,
    a_disk_cache_policy_that_was_set_is_told,
    the_share_of_the_read_cache_can_be_set_to_what_it_is,
    a_share_of_more_than_the_whole_is_refused,
]);

async fn the_caches_of_a_volume_are_told_in_known_values(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CACHE_INFO])?;
    let volume = array.volume().await?;
    let info = array.session.volume_cache_info(&volume).await?;
    let known = info.write_policy.name().is_some()
        && info.write_status.name().is_some()
        && info.read_policy.name().is_some()
        && info.read_status.name().is_some()
        && info.physical_disk.name().is_some();
    that(known, "the caches of a volume", "values that have names", info)
}

async fn a_write_cache_policy_that_was_set_is_told(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CACHE_INFO])?;
    let claimed: Vec<WriteCachePolicy> = [
        (WriteCachePolicy::WRITE_BACK, Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_BACK),
        (WriteCachePolicy::AUTO, Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_AUTO),
        (WriteCachePolicy::WRITE_THROUGH, Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_THROUGH),
    ]
    .into_iter()
    .filter_map(|(policy, capability)| array.claims(capability).then_some(policy))
    .collect();
    if claimed.is_empty() {
        return skip("no write cache policy is claimed");
    }
    let volume = array.volume().await?;
    for policy in claimed {
        array.session.volume_write_cache_policy_update(&volume, policy).await?;
        array
            .until("the write cache policy", &format!("{policy:?}"), async |array: &mut Array<'_>| {
                let seen = array.session.volume_cache_info(&volume).await?;
                Ok(Look::at(seen.write_policy == policy, seen))
            })
            .await?;
    }
    Ok(())
}

async fn a_read_cache_policy_that_was_set_is_told(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CACHE_INFO, Capability::VOLUME_READ_CACHE_POLICY_UPDATE])?;
    let volume = array.volume().await?;
    for policy in [ReadCache::DISABLED, ReadCache::ENABLED] {
        array.session.volume_read_cache_policy_update(&volume, policy).await?;
        equal("the read cache policy", array.session.volume_cache_info(&volume).await?.read_policy, policy)?;
    }
    Ok(())
}

async fn a_disk_cache_policy_that_was_set_is_told(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CACHE_INFO, Capability::VOLUME_PHYSICAL_DISK_CACHE_UPDATE])?;
    if array.claims(Capability::VOLUME_PHYSICAL_DISK_CACHE_UPDATE_SYSTEM_LEVEL) {
        return skip("it would change other people's volumes");
    }
    let volume = array.volume().await?;
    for policy in [PhysicalDiskCache::DISABLED, PhysicalDiskCache::ENABLED] {
        array.session.volume_physical_disk_cache_update(&volume, policy).await?;
        equal(
            "the disk cache policy",
            array.session.volume_cache_info(&volume).await?.physical_disk,
            policy,
        )?;
    }
    Ok(())
}

async fn the_share_of_the_read_cache_can_be_set_to_what_it_is(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::SYS_READ_CACHE_PCT_UPDATE, Capability::SYS_READ_CACHE_PCT_GET])?;
    let system = array.system.clone();
    let Ok(share @ 0..=100) = u8::try_from(system.read_cache_pct) else {
        return skip("the share is unknown");
    };
    array.session.system_read_cache_pct_update(&system, share).await?;
    let after = array.session.systems().await?;
    let kept = after.iter().any(|after| after.id == system.id && after.read_cache_pct == i64::from(share));
    that(kept, "the share of the read cache", "what it was", after)
}

async fn a_share_of_more_than_the_whole_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::SYS_READ_CACHE_PCT_UPDATE])?;
    let system = array.system.clone();
    let outcome = array.session.system_read_cache_pct_update(&system, 101).await;
    let numbers = [ErrorNumber::InvalidArgument, ErrorNumber::TransportInvalidArgument];
    refused("a share of 101 percent", outcome, &numbers)
}
