//! Growing and shrinking volumes.

use sanfleet_driver::{Capability, ElementType, ErrorNumber, UnsupportedActions};

use crate::{
    check::checks,
    expect::{Verdict, equal, refused, skip, that},
    stage::Stage,
};

checks!("resize", changes [
    a_grown_volume_is_larger_and_still_the_same,
    a_shrunk_volume_is_smaller_and_still_the_same,
    growing_is_refused_where_the_pool_cannot,
    shrinking_is_refused_where_the_pool_cannot,
    the_size_that_it_has_is_no_change,
    a_size_that_does_not_fit_is_refused_and_changes_nothing,
]);

async fn a_grown_volume_is_larger_and_still_the_same(stage: &Stage) -> Verdict {
    resized(stage, UnsupportedActions::VOLUME_GROW, stage.options.size, stage.options.size * 2).await
}

async fn a_shrunk_volume_is_smaller_and_still_the_same(stage: &Stage) -> Verdict {
    resized(stage, UnsupportedActions::VOLUME_SHRINK, stage.options.size * 2, stage.options.size).await
}

async fn resized(stage: &Stage, unsupported: UnsupportedActions, from: u64, to: u64) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RESIZE])?;
    if array.pool(ElementType::VOLUME).await?.unsupported_actions.contains(unsupported) {
        return skip("the pool cannot");
    }
    let before = array.volume_named(&stage.name(), from).await?;
    let outcome = array.session.volume_resize(&before, to).await?;
    let after = array.finish(outcome).await?;
    equal("its id", &after.id, &before.id)?;
    equal("its vpd83", &after.vpd83, &before.vpd83)?;
    equal("its name", &after.name, &before.name)?;
    let large_enough = after.size_bytes() >= Some(to);
    let smaller = to > from || after.size_bytes() < before.size_bytes();
    that(
        large_enough && smaller,
        "its size",
        &format!("{to} bytes, or what the array rounds that up to"),
        &after,
    )?;
    array.until_listed(&after).await
}

async fn growing_is_refused_where_the_pool_cannot(stage: &Stage) -> Verdict {
    refused_by_the_pool(stage, UnsupportedActions::VOLUME_GROW, stage.options.size * 2).await
}

async fn shrinking_is_refused_where_the_pool_cannot(stage: &Stage) -> Verdict {
    refused_by_the_pool(stage, UnsupportedActions::VOLUME_SHRINK, stage.options.size / 2).await
}

async fn refused_by_the_pool(stage: &Stage, unsupported: UnsupportedActions, to: u64) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RESIZE])?;
    if !array.pool(ElementType::VOLUME).await?.unsupported_actions.contains(unsupported) {
        return skip("the pool can");
    }
    let volume = array.volume().await?;
    refused(
        "a resize that the pool cannot do",
        array.session.volume_resize(&volume, to).await,
        &[ErrorNumber::NoSupport],
    )
}

async fn the_size_that_it_has_is_no_change(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RESIZE])?;
    let volume = array.volume().await?;
    let Some(size) = volume.size_bytes() else { return skip("the array does not tell the size") };
    let same = array.session.volume_resize(&volume, size).await;
    refused("a resize to the same size", same, &[ErrorNumber::NoStateChange])
}

async fn a_size_that_does_not_fit_is_refused_and_changes_nothing(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_RESIZE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let Some(total) = pool.total_space else { return skip("the pool does not tell its size") };
    let volume = array.volume().await?;
    let huge = array.session.volume_resize(&volume, total.saturating_add(1 << 40)).await;
    let numbers = [ErrorNumber::NotEnoughSpace, ErrorNumber::InvalidArgument, ErrorNumber::NoSupport];
    refused("a resize beyond the pool", huge, &numbers)?;
    array.until_listed(&volume).await
}
