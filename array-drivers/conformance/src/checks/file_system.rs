//! File systems that the array serves itself.

use sanfleet_driver::{Capability, ElementType, ErrorNumber, FileSystem};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, refused, skip, that},
    stage::Stage,
};

checks!("file system", changes [
    a_new_file_system_has_the_name_and_size_that_were_asked_for_and_is_listed,
    a_name_that_is_taken_is_refused,
    a_file_system_that_does_not_fit_is_refused,
    a_file_system_grows_and_stays_the_same,
    the_size_that_it_has_is_no_change,
    a_clone_is_a_file_system_of_its_own,
    a_clone_under_a_taken_name_is_refused,
    a_clone_of_a_snapshot_is_a_file_system_of_its_own,
    a_file_that_is_not_there_is_not_cloned,
    a_file_name_that_leaves_the_file_system_is_refused,
    what_nothing_depends_on_has_no_dependency_to_take_away,
    a_deleted_file_system_is_no_longer_listed,
]);

async fn a_new_file_system_has_the_name_and_size_that_were_asked_for_and_is_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.file_system().await?;
    that(stage.is_own(&made.name), "its name", "what was asked for", &made)?;
    that(made.total_space >= Some(stage.options.size), "its size", "at least what was asked for", &made)?;
    that(made.free_space <= made.total_space, "its free space", "at most its size", &made)?;
    until_listed(&mut array, &made).await
}

async fn a_name_that_is_taken_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let made = array.file_system().await?;
    let pool = array.pool(ElementType::FILE_SYSTEM).await?;
    let again = array.session.fs_create(&pool, &made.name, stage.options.size).await;
    refused("a second file system of one name", again, &[ErrorNumber::NameConflict])
}

async fn a_file_system_that_does_not_fit_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS, Capability::FS_CREATE, Capability::FS_DELETE])?;
    let pool = array.pool(ElementType::FILE_SYSTEM).await?;
    let Some(free) = pool.free_space else { return skip("the pool does not tell its free space") };
    let outcome = array.session.fs_create(&pool, &stage.name(), free.saturating_add(1 << 30)).await;
    let numbers = [ErrorNumber::NotEnoughSpace, ErrorNumber::InvalidArgument];
    refused("a file system that does not fit", outcome, &numbers)
}

async fn a_file_system_grows_and_stays_the_same(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_RESIZE])?;
    let before = array.file_system().await?;
    let outcome = array.session.fs_resize(&before, stage.options.size * 2).await?;
    let after = array.finish(outcome).await?;
    equal("its id", &after.id, &before.id)?;
    that(
        after.total_space >= Some(stage.options.size * 2),
        "its size",
        "at least what was asked for",
        &after,
    )?;
    until_listed(&mut array, &after).await
}

async fn the_size_that_it_has_is_no_change(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_RESIZE])?;
    let fs = array.file_system().await?;
    let Some(size) = fs.total_space else { return skip("the array does not tell the size") };
    let same = array.session.fs_resize(&fs, size).await;
    refused("a resize to the same size", same, &[ErrorNumber::NoStateChange])
}

async fn a_clone_is_a_file_system_of_its_own(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_CLONE])?;
    let source = array.file_system().await?;
    let outcome = array.session.fs_clone(&source, &stage.name(), None).await?;
    let clone = array.finish(outcome).await?;
    that(clone.id != source.id, "a clone's id", "its own", &clone)?;
    until_listed(&mut array, &clone).await
}

async fn a_clone_under_a_taken_name_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_CLONE])?;
    let source = array.file_system().await?;
    let outcome = array.session.fs_clone(&source, &source.name, None).await;
    refused("a clone under its source's name", outcome, &[ErrorNumber::NameConflict])
}

async fn a_clone_of_a_snapshot_is_a_file_system_of_its_own(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_CLONE])?;
    let source = array.file_system().await?;
    let snapshot = array.snapshot(&source).await?;
    let outcome = array.session.fs_clone(&source, &stage.name(), Some(&snapshot)).await?;
    let clone = array.finish(outcome).await?;
    that(clone.id != source.id, "a clone's id", "its own", &clone)?;
    until_listed(&mut array, &clone).await
}

async fn a_file_that_is_not_there_is_not_cloned(stage: &Stage) -> Verdict {
    not_cloned(stage, "no such file", "copy").await
}

async fn a_file_name_that_leaves_the_file_system_is_refused(stage: &Stage) -> Verdict {
    not_cloned(stage, "../../../../../../etc/hostname", "copy").await?;
    not_cloned(stage, "/etc/hostname", "../../copy").await
}

async fn not_cloned(stage: &Stage, from: &str, to: &str) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FILE_CLONE])?;
    let fs = array.file_system().await?;
    match array.session.fs_file_clone(&fs, from, to, None).await {
        Ok(Some(_)) => skip("the array tells in a job"),
        other => {
            let numbers =
                [ErrorNumber::InvalidArgument, ErrorNumber::NotFoundGeneric, ErrorNumber::NotFoundFileSystem];
            refused(&format!("a clone of {from:?} to {to:?}"), other, &numbers)
        }
    }
}

async fn what_nothing_depends_on_has_no_dependency_to_take_away(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_CHILD_DEPENDENCY, Capability::FS_CHILD_DEPENDENCY_RM])?;
    let fs = array.file_system().await?;
    equal(
        "the dependencies of a new file system",
        array.session.fs_child_dependency(&fs, &[]).await?,
        false,
    )?;
    let outcome = array.session.fs_child_dependency_rm(&fs, &[]).await;
    refused("taking away a dependency that is not there", outcome, &[ErrorNumber::NoStateChange])
}

async fn a_deleted_file_system_is_no_longer_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let fs = array.file_system().await?;
    let job = array.session.fs_delete(&fs).await?;
    array.done(job).await?;
    array
        .until("a deleted file system in the list", "nothing", async |array: &mut Array<'_>| {
            let seen = array.session.fs(None).await?.into_iter().find(|listed| listed.id == fs.id);
            Ok(Look::at(seen.is_none(), seen))
        })
        .await?;
    refused("deleting it again", array.session.fs_delete(&fs).await, &[ErrorNumber::NotFoundFileSystem])
}

async fn until_listed(array: &mut Array<'_>, fs: &FileSystem) -> Verdict {
    let fs = fs.clone();
    array
        .until("the file system in the list", &format!("{fs:?}"), async |array| {
            let seen = array.session.fs(None).await?.into_iter().find(|listed| listed.id == fs.id);
            // Free space changes by itself.
            let same =
                seen.as_ref().is_some_and(|seen| seen.name == fs.name && seen.total_space == fs.total_space);
            Ok(Look::at(same, seen))
        })
        .await
}
