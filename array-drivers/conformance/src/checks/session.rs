//! Beginning, ending, and what is known before.

use std::time::Duration;

use serde_json::json;

use crate::{
    array::supported,
    check::checks,
    expect::{Verdict, equal, failed, skip, that},
    stage::Stage,
    wire::{Closed, Reply, Wire},
};

checks!("session", reads [
    a_client_that_closes_at_once_is_no_failure,
    information_is_given_before_anybody_registered,
    a_session_begins_and_ends_with_an_answer,
    after_the_farewell_no_call_is_answered,
    a_client_that_goes_without_a_word_leaves_no_process_behind,
    a_call_before_registering_is_refused,
    a_text_that_is_no_uri_is_refused,
    the_time_limit_is_told_as_it_was_given,
]);

async fn a_client_that_closes_at_once_is_no_failure(stage: &Stage) -> Verdict {
    match stage.wire().await?.close().await {
        Closed::Ended(status) => {
            that(status.success(), "the driver's process", "that it exits with 0", status)
        }
        Closed::Killed => failed("the driver's process", "that it ends", "it does not"),
        Closed::NotOurs => stage.array().await.map(|_| ()),
    }
}

async fn information_is_given_before_anybody_registered(stage: &Stage) -> Verdict {
    let info = stage.wire().await?.ask("plugin_info", json!({})).await?;
    let told = |at: usize| info.get(at).and_then(|text| text.as_str()).is_some_and(|text| !text.is_empty());
    that(told(0) && told(1), "plugin_info", "a description and a version", &info)
}

async fn a_session_begins_and_ends_with_an_answer(stage: &Stage) -> Verdict {
    let mut wire = stage.wire().await?;
    equal("plugin_register", wire.ask("plugin_register", stage.registration()).await?, json!(null))?;
    equal("plugin_unregister", wire.ask("plugin_unregister", json!({})).await?, json!(null))?;
    ends_well(wire).await
}

async fn ends_well(wire: Wire) -> Verdict {
    match wire.close().await {
        Closed::Ended(status) => {
            that(status.success(), "the driver's process", "that it exits with 0", status)
        }
        Closed::Killed => failed("the driver's process", "that it ends after the farewell", "it does not"),
        Closed::NotOurs => Ok(()),
    }
}

async fn after_the_farewell_no_call_is_answered(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    wire.ask("plugin_unregister", json!({})).await?;
    equal("a call after the farewell", wire.call("systems", json!({})).await?, Reply::Closed)
}

async fn a_client_that_goes_without_a_word_leaves_no_process_behind(stage: &Stage) -> Verdict {
    match stage.registered_wire().await?.close().await {
        Closed::Ended(_) => Ok(()),
        Closed::Killed => {
            failed("the driver's process", "that it ends when its client has gone", "it does not")
        }
        Closed::NotOurs => skip("the process is somebody else's"),
    }
}

async fn a_call_before_registering_is_refused(stage: &Stage) -> Verdict {
    let mut wire = stage.wire().await?;
    match wire.call("systems", json!({})).await? {
        Reply::Result(result) => failed("systems without plugin_register", "an error", result.to_string()),
        Reply::Error { .. } | Reply::Closed => Ok(()),
    }
}

async fn a_text_that_is_no_uri_is_refused(stage: &Stage) -> Verdict {
    let mut wire = stage.wire().await?;
    let params = json!({"uri": "no uri at all", "password": null, "timeout": 30_000});
    match wire.call("plugin_register", params).await? {
        Reply::Result(_) => failed("plugin_register with no URI", "an error", "a session"),
        Reply::Error { .. } | Reply::Closed => Ok(()),
    }
}

async fn the_time_limit_is_told_as_it_was_given(stage: &Stage) -> Verdict {
    let mut session = stage.session().await?;
    let Some(limit) = supported(session.time_out_get().await)? else {
        return skip("the driver keeps no time limit");
    };
    equal("time_out_get after plugin_register", limit, stage.options.deadline)?;
    session.time_out_set(Duration::from_millis(12_345)).await?;
    equal("time_out_get after time_out_set", session.time_out_get().await?, Duration::from_millis(12_345))
}
