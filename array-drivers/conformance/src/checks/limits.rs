//! Names and sizes at the edge: taken whole or refused, never taken otherwise.

use sanfleet_driver::{Capability, ElementType, ErrorNumber, JobOr, Provisioning, client::ClientError};

use crate::{
    array::Array,
    check::checks,
    expect::{Verdict, equal, failed, refused},
    stage::Stage,
};

/// How a driver may say that it does not take a name or a size.
const REFUSALS: [ErrorNumber; 5] = [
    ErrorNumber::InvalidArgument,
    ErrorNumber::TransportInvalidArgument,
    ErrorNumber::NotEnoughSpace,
    ErrorNumber::NoSupport,
    ErrorNumber::NoMemory,
];

checks!("limits", changes [
    a_volume_has_a_name,
    an_access_group_has_a_name,
    a_file_system_has_a_name,
    a_long_name_is_taken_whole_or_refused,
    an_odd_name_is_taken_whole_or_refused,
    a_size_that_no_array_has_is_refused,
    a_file_system_of_a_size_that_no_array_has_is_refused,
]);

async fn a_volume_has_a_name(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let outcome = array.session.volume_create(&pool, "", stage.options.size, Provisioning::DEFAULT).await;
    refused("a volume without a name", outcome, &[ErrorNumber::InvalidArgument])
}

async fn an_access_group_has_a_name(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUP_DELETE])?;
    let (initiator, kind) = array.initiator()?;
    let outcome = array.session.access_group_create("", &initiator, kind, &array.system).await;
    refused("an access group without a name", outcome, &[ErrorNumber::InvalidArgument])
}

async fn a_file_system_has_a_name(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_CREATE, Capability::FS_DELETE])?;
    let pool = array.pool(ElementType::FILE_SYSTEM).await?;
    let outcome = array.session.fs_create(&pool, "", stage.options.size).await;
    refused("a file system without a name", outcome, &[ErrorNumber::InvalidArgument])
}

async fn a_long_name_is_taken_whole_or_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    for length in [32, 64, 127, 200, 255, 256, 1_000, 100_000] {
        let name = stage.name();
        let long = format!("{name}{}", "x".repeat(length - name.len().min(length)));
        whole_or_refused(&mut array, &long).await?;
    }
    Ok(())
}

async fn an_odd_name_is_taken_whole_or_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    for odd in [
        " with blanks ",
        "größe",
        "🦀",
        "\"quoted\"",
        "back\\slash",
        "new\nline",
        "nul\u{0}",
        "/",
        "..",
        "%41",
        "'; --",
    ] {
        let name = format!("{}{odd}", stage.name());
        whole_or_refused(&mut array, &name).await?;
    }
    Ok(())
}

async fn whole_or_refused(array: &mut Array<'_>, name: &str) -> Verdict {
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    let size = array.stage.options.size;
    match array.session.volume_create(&pool, name, size, Provisioning::DEFAULT).await {
        Ok(made) => {
            let made = array.finish(made).await?;
            equal("the name of the volume", made.name.as_str(), name)?;
            array.until_listed(&made).await?;
            array.delete(&made).await
        }
        no => refused(&format!("the name {name:?}"), no, &REFUSALS),
    }
}

async fn a_size_that_no_array_has_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
    let pool = array.pool(ElementType::VOLUME).await?;
    for size in [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 511, u64::MAX] {
        let outcome = array.session.volume_create(&pool, &stage.name(), size, Provisioning::FULL).await;
        no_size(size, outcome)?;
    }
    Ok(())
}

async fn a_file_system_of_a_size_that_no_array_has_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::FS_CREATE, Capability::FS_DELETE])?;
    let pool = array.pool(ElementType::FILE_SYSTEM).await?;
    for size in [i64::MAX as u64 + 1, u64::MAX] {
        let outcome = array.session.fs_create(&pool, &stage.name(), size).await;
        no_size(size, outcome)?;
    }
    Ok(())
}

fn no_size<T: std::fmt::Debug>(size: u64, outcome: Result<JobOr<T>, ClientError>) -> Verdict {
    match outcome {
        Ok(JobOr::Job(job)) => failed(format!("{size} bytes"), "a refusal", format!("job {job}")),
        other => refused(&format!("{size} bytes"), other, &REFUSALS),
    }
}
