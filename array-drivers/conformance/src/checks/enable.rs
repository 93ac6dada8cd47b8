//! Taking volumes out of service and back.

use sanfleet_driver::{AdminState, Capability, ErrorNumber, Volume};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, refused},
    stage::Stage,
};

checks!("enable", changes [
    a_disabled_volume_is_shown_as_such_and_can_be_enabled_again,
    what_is_enabled_cannot_be_enabled,
    what_is_disabled_cannot_be_disabled,
]);

const BOTH: [Capability; 2] = [Capability::VOLUME_ENABLE, Capability::VOLUME_DISABLE];

async fn a_disabled_volume_is_shown_as_such_and_can_be_enabled_again(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&BOTH)?;
    let volume = array.volume().await?;
    array.session.volume_disable(&volume).await?;
    until_state(&mut array, &volume, AdminState::DISABLED).await?;
    array.session.volume_enable(&volume).await?;
    until_state(&mut array, &volume, AdminState::ENABLED).await
}

async fn what_is_enabled_cannot_be_enabled(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&BOTH)?;
    let volume = array.volume().await?;
    refused(
        "enabling an enabled volume",
        array.session.volume_enable(&volume).await,
        &[ErrorNumber::NoStateChange],
    )
}

async fn what_is_disabled_cannot_be_disabled(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&BOTH)?;
    let volume = array.volume().await?;
    array.session.volume_disable(&volume).await?;
    refused(
        "disabling a disabled volume",
        array.session.volume_disable(&volume).await,
        &[ErrorNumber::NoStateChange],
    )
}

async fn until_state(array: &mut Array<'_>, volume: &Volume, state: AdminState) -> Verdict {
    let volume = volume.clone();
    array
        .until("the volume's state", &format!("{state:?}"), async |array| {
            let seen = array.look_up(&volume).await?;
            Ok(Look::at(seen.as_ref().is_some_and(|seen| seen.admin_state == state), seen))
        })
        .await
}
