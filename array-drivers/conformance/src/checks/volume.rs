//! Making volumes and deleting them.

use sanfleet_driver::{AdminState, Capability, ElementType, ErrorNumber, JobOr, Provisioning, Volume};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, failed, refused, skip, that},
    stage::Stage,
};

checks!("volume", changes [
    a_new_volume_has_the_name_and_the_size_that_were_asked_for,
    a_new_volume_is_listed_just_as_it_was_told,
    a_new_volume_has_an_identity_that_hosts_can_tell,
    a_size_between_two_blocks_is_rounded_up,
    a_volume_of_no_size_is_refused_or_gets_one,
    a_thin_volume_can_be_made_where_it_is_claimed,
    a_name_that_is_taken_is_refused,
    a_volume_that_does_not_fit_is_refused,
    a_refused_volume_leaves_nothing,
    a_deleted_volume_is_no_longer_listed,
    a_deleted_volume_gives_its_space_back,
    an_identity_is_not_given_out_again,
    the_name_of_a_deleted_volume_is_free,
]);

async fn a_new_volume_has_the_name_and_the_size_that_were_asked_for(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let name = stage.name();
    let made = array.volume_named(&name, stage.options.size).await?;
    equal("its name", made.name.as_str(), name.as_str())?;
    that(made.size_bytes() >= Some(stage.options.size), "its size", "at least what was asked for", &made)?;
    equal("its state", made.admin_state, AdminState::ENABLED)?;
    let pool = array.pool(ElementType::VOLUME).await?;
    equal("its system", &made.system_id, &pool.system_id)
}

async fn a_new_volume_is_listed_just_as_it_was_told(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.volume().await?;
    array.until_listed(&made).await
}

async fn a_new_volume_has_an_identity_that_hosts_can_tell(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (one, other) = (array.volume().await?, array.volume().await?);
    that(one.volume_id().is_some(), "its vpd83", "an NAA id", &one)?;
    that(one.volume_id() != other.volume_id(), "the vpd83 of two volumes", "two ids", (&one, &other))?;
    that(one.id != other.id, "the ids of two volumes", "two ids", (&one, &other))
}

async fn a_size_between_two_blocks_is_rounded_up(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.volume_named(&stage.name(), stage.options.size + 1).await?;
    that(made.size_bytes() > Some(stage.options.size), "its size", "more than what was asked for", &made)
}

async fn a_volume_of_no_size_is_refused_or_gets_one(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    match array.session.volume_create(&pool, &stage.name(), 0, Provisioning::DEFAULT).await {
        Ok(made) => {
            let made = array.finish(made).await?;
            that(made.size_bytes() > Some(0), "a volume of no size", "a refusal, or a size", made)
        }
        no => refused("a volume of no size", no, &[ErrorNumber::InvalidArgument]),
    }
}

async fn a_thin_volume_can_be_made_where_it_is_claimed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE, Capability::VOLUME_THIN])?;
    let pool = array.pool(ElementType::VOLUME_THIN).await?;
    let made =
        array.session.volume_create(&pool, &stage.name(), stage.options.size, Provisioning::THIN).await?;
    let made = array.finish(made).await?;
    array.until_listed(&made).await
}

async fn a_name_that_is_taken_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.volume().await?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let again =
        array.session.volume_create(&pool, &made.name, stage.options.size, Provisioning::DEFAULT).await;
    refused("a second volume of one name", again, &[ErrorNumber::NameConflict])?;
    equal("the volumes of that name", named(&mut array, &made.name).await?, 1)
}

async fn a_volume_that_does_not_fit_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    too_large(&mut array, &stage.name()).await
}

async fn a_refused_volume_leaves_nothing(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let name = stage.name();
    too_large(&mut array, &name).await?;
    equal("the volumes of a name that was refused", named(&mut array, &name).await?, 0)?;
    // Nor is the name taken.
    array.volume_named(&name, stage.options.size).await.map(|_| ())
}

async fn too_large(array: &mut Array<'_>, name: &str) -> Verdict {
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let Some(free) = pool.free_space else { return skip("the pool does not tell its free space") };
    let size = free.saturating_add(1 << 30);
    let outcome = array.session.volume_create(&pool, name, size, Provisioning::FULL).await;
    let numbers = [ErrorNumber::NotEnoughSpace, ErrorNumber::InvalidArgument];
    match outcome {
        Ok(JobOr::Job(job)) => match array.session.job_status(&job).await?.state {
            sanfleet_driver::JobState::COMPLETE => {
                failed("a volume that does not fit", "a refusal", "a volume")
            }
            _ => skip("the array refuses it in a job"),
        },
        other => refused("a volume that does not fit", other, &numbers),
    }
}

async fn a_deleted_volume_is_no_longer_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (kept, deleted) = (array.volume().await?, array.volume().await?);
    array.delete(&deleted).await?;
    array.until_gone(&deleted).await?;
    array.until_listed(&kept).await?;
    refused("deleting it again", array.session.volume_delete(&deleted).await, &[ErrorNumber::NotFoundVolume])
}

async fn a_deleted_volume_gives_its_space_back(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let before = array.pool(ElementType::VOLUME).await?;
    let made = array.volume().await?;
    let during = array.pool(ElementType::VOLUME).await?;
    if during.free_space >= before.free_space || during.id != before.id {
        return skip("a new volume takes no space at once");
    }
    array.delete(&made).await?;
    array
        .until("the pool's free space", "more than before the volume went", async |array| {
            let after = array.pool(ElementType::VOLUME).await?;
            Ok(Look::at(after.free_space > during.free_space, after))
        })
        .await
}

async fn an_identity_is_not_given_out_again(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let name = stage.name();
    let first = array.volume_named(&name, stage.options.size).await?;
    array.delete(&first).await?;
    array.until_gone(&first).await?;
    let second = array.volume_named(&name, stage.options.size).await?;
    that(
        first.vpd83 != second.vpd83,
        "the vpd83 of a volume after a deleted one",
        "a new one",
        (&first, &second),
    )
}

async fn the_name_of_a_deleted_volume_is_free(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let first = array.volume().await?;
    array.delete(&first).await?;
    array.until_gone(&first).await?;
    let second: Volume = array.volume_named(&first.name, stage.options.size).await?;
    array.until_listed(&second).await
}

pub(super) async fn named(array: &mut Array<'_>, name: &str) -> Verdict<usize> {
    Ok(array.session.volumes(None).await?.iter().filter(|volume| volume.name == name).count())
}
