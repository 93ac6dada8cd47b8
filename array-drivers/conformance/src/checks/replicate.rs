//! Clones, copies and mirrors, and what depends on what.

use sanfleet_driver::{Capability, ElementType, ErrorNumber, ReplicateType, Volume};

use crate::{
    array::{Array, supported},
    check::checks,
    expect::{Verdict, equal, refused, skip, that},
    ghost,
    stage::Stage,
};

const KINDS: [(ReplicateType, Capability); 4] = [
    (ReplicateType::CLONE, Capability::VOLUME_REPLICATE_CLONE),
    (ReplicateType::COPY, Capability::VOLUME_REPLICATE_COPY),
    (ReplicateType::MIRROR_SYNC, Capability::VOLUME_REPLICATE_MIRROR_SYNC),
    (ReplicateType::MIRROR_ASYNC, Capability::VOLUME_REPLICATE_MIRROR_ASYNC),
];

checks!("replicate", changes [
    a_clone_is_a_volume_of_its_own,
    a_copy_is_a_volume_of_its_own,
    a_synchronous_mirror_is_a_volume_of_its_own,
    an_asynchronous_mirror_is_a_volume_of_its_own,
    a_replica_goes_to_the_pool_that_was_named,
    a_kind_that_is_not_claimed_is_not_done,
    a_kind_that_nobody_knows_is_refused,
    a_replica_under_a_taken_name_is_refused,
    a_replica_into_no_pool_is_refused,
    a_source_goes_when_nothing_depends_on_it,
    a_copy_leaves_no_dependency,
    a_dependency_can_be_taken_away_and_the_replica_stays,
    a_volume_without_dependencies_has_none_to_take_away,
    a_clone_of_a_clone_is_a_volume_of_its_own,
]);

async fn a_clone_is_a_volume_of_its_own(stage: &Stage) -> Verdict {
    replica_of_its_own(stage, ReplicateType::CLONE, Capability::VOLUME_REPLICATE_CLONE).await
}

async fn a_copy_is_a_volume_of_its_own(stage: &Stage) -> Verdict {
    replica_of_its_own(stage, ReplicateType::COPY, Capability::VOLUME_REPLICATE_COPY).await
}

async fn a_synchronous_mirror_is_a_volume_of_its_own(stage: &Stage) -> Verdict {
    replica_of_its_own(stage, ReplicateType::MIRROR_SYNC, Capability::VOLUME_REPLICATE_MIRROR_SYNC).await
}

async fn an_asynchronous_mirror_is_a_volume_of_its_own(stage: &Stage) -> Verdict {
    replica_of_its_own(stage, ReplicateType::MIRROR_ASYNC, Capability::VOLUME_REPLICATE_MIRROR_ASYNC).await
}

async fn replica_of_its_own(stage: &Stage, kind: ReplicateType, capability: Capability) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_REPLICATE, capability])?;
    let source = array.volume().await?;
    let replica = replicate(&mut array, kind, &source).await?;
    of_its_own(&replica, &source)?;
    equal("its pool", &replica.pool_id, &source.pool_id)?;
    array.until_listed(&replica).await?;
    array.until_listed(&source).await
}

fn of_its_own(replica: &Volume, source: &Volume) -> Verdict {
    that(replica.id != source.id && replica.vpd83 != source.vpd83, "a replica's ids", "its own", replica)?;
    that(replica.size_bytes() >= source.size_bytes(), "a replica's size", "at least its source's", replica)
}

async fn a_replica_goes_to_the_pool_that_was_named(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = any_kind(&array)?;
    let source = array.volume().await?;
    let pools = array.session.pools(None).await?;
    let Some(other) = pools.into_iter().find(|pool| {
        pool.id != source.pool_id
            && pool.system_id == source.system_id
            && pool.element_type.contains(ElementType::VOLUME)
            && !pool.element_type.contains(ElementType::SYSTEM_RESERVED)
            && pool.free_space > Some(stage.options.size * 2)
    }) else {
        return skip("there is no other pool");
    };
    let outcome = array.session.volume_replicate(Some(&other), kind, &source, &stage.name()).await;
    let Some(outcome) = supported(outcome)? else {
        return skip("its replicas stay in the pool of their source");
    };
    let replica = array.finish(outcome).await?;
    equal("its pool", replica.pool_id, other.id)
}

async fn a_kind_that_is_not_claimed_is_not_done(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_REPLICATE])?;
    let source = array.volume().await?;
    for (kind, capability) in KINDS {
        if !array.claims(capability) {
            let outcome = array.session.volume_replicate(None, kind, &source, &stage.name()).await;
            refused("a kind of replica that is not claimed", outcome, &[ErrorNumber::NoSupport])?;
        }
    }
    Ok(())
}

async fn a_kind_that_nobody_knows_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_REPLICATE])?;
    let source = array.volume().await?;
    let outcome = array.session.volume_replicate(None, ReplicateType(99), &source, &stage.name()).await;
    refused("a replica of the kind 99", outcome, &[ErrorNumber::InvalidArgument, ErrorNumber::NoSupport])
}

async fn a_replica_under_a_taken_name_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = any_kind(&array)?;
    let source = array.volume().await?;
    let outcome = array.session.volume_replicate(None, kind, &source, &source.name).await;
    refused("a replica under its source's name", outcome, &[ErrorNumber::NameConflict])
}

async fn a_replica_into_no_pool_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let kind = any_kind(&array)?;
    let source = array.volume().await?;
    let nowhere = ghost::pool(&array.system);
    let outcome = array.session.volume_replicate(Some(&nowhere), kind, &source, &stage.name()).await;
    refused("a replica into a pool that is not there", outcome, &[ErrorNumber::NotFoundPool])
}

async fn a_source_goes_when_nothing_depends_on_it(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CHILD_DEPENDENCY])?;
    let kind = any_kind(&array)?;
    let source = array.volume().await?;
    let replica = replicate(&mut array, kind, &source).await?;
    if array.session.volume_child_dependency(&source).await? {
        let outcome = array.session.volume_delete(&source).await;
        refused("deleting a volume on which another depends", outcome, &[ErrorNumber::HasChildDependency])?;
        array.until_listed(&source).await?;
        array.delete(&replica).await?;
        equal(
            "its dependencies when the replica has gone",
            array.session.volume_child_dependency(&source).await?,
            false,
        )?;
    }
    array.delete(&source).await?;
    array.until_gone(&source).await
}

async fn a_copy_leaves_no_dependency(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[
        Capability::VOLUME_REPLICATE,
        Capability::VOLUME_REPLICATE_COPY,
        Capability::VOLUME_CHILD_DEPENDENCY,
    ])?;
    let source = array.volume().await?;
    let copy = replicate(&mut array, ReplicateType::COPY, &source).await?;
    equal(
        "the dependencies of a copied volume",
        array.session.volume_child_dependency(&source).await?,
        false,
    )?;
    array.delete(&source).await?;
    array.until_gone(&source).await?;
    array.until_listed(&copy).await
}

async fn a_dependency_can_be_taken_away_and_the_replica_stays(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CHILD_DEPENDENCY, Capability::VOLUME_CHILD_DEPENDENCY_RM])?;
    let kind = any_kind(&array)?;
    let source = array.volume().await?;
    let replica = replicate(&mut array, kind, &source).await?;
    if !array.session.volume_child_dependency(&source).await? {
        return skip("its replicas depend on nothing");
    }
    let job = array.session.volume_child_dependency_rm(&source).await?;
    array.done(job).await?;
    equal("the dependency", array.session.volume_child_dependency(&source).await?, false)?;
    array.delete(&source).await?;
    array.until_listed(&replica).await
}

async fn a_volume_without_dependencies_has_none_to_take_away(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CHILD_DEPENDENCY, Capability::VOLUME_CHILD_DEPENDENCY_RM])?;
    let volume = array.volume().await?;
    equal("the dependencies of a new volume", array.session.volume_child_dependency(&volume).await?, false)?;
    let outcome = array.session.volume_child_dependency_rm(&volume).await;
    refused("taking away a dependency that is not there", outcome, &[ErrorNumber::NoStateChange])
}

async fn a_clone_of_a_clone_is_a_volume_of_its_own(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_REPLICATE, Capability::VOLUME_REPLICATE_CLONE])?;
    let source = array.volume().await?;
    let first = replicate(&mut array, ReplicateType::CLONE, &source).await?;
    let second = replicate(&mut array, ReplicateType::CLONE, &first).await?;
    of_its_own(&second, &first)?;
    of_its_own(&second, &source)
}

pub(super) fn any_kind(array: &Array<'_>) -> Verdict<ReplicateType> {
    array.needs(&[Capability::VOLUME_REPLICATE])?;
    match KINDS.iter().find(|(_, capability)| array.claims(*capability)) {
        Some((kind, _)) => Ok(*kind),
        None => skip("no kind of replica is claimed"),
    }
}

pub(super) async fn replicate(
    array: &mut Array<'_>,
    kind: ReplicateType,
    source: &Volume,
) -> Verdict<Volume> {
    let name = array.stage.name();
    let outcome = array.session.volume_replicate(None, kind, source, &name).await?;
    let replica = array.finish(outcome).await?;
    equal("the replica's name", replica.name.as_str(), name.as_str())?;
    Ok(replica)
}
