//! What a driver claims, and what it does when it is taken at its word.

mod calls;

use sanfleet_driver::{Capability, LinkType, Rpm, SystemMode};
use serde_json::{Value, json};

use crate::{
    array::Array,
    check::checks,
    expect::{Stop, Verdict, failed, that},
    ghost,
    stage::Stage,
    wire::Reply,
};
use calls::Call;

const NO_SUPPORT: i64 = 153;
const NOT_FOUND_SYSTEM: i64 = 208;
/// The Python client looks at entries up to 223.
const SHORTEST: usize = 2 * 224;

checks!("capability", reads [
    capabilities_are_hex_and_reach_as_far_as_clients_look,
    the_capabilities_of_no_system_are_not_told,
    a_kind_of_a_thing_is_claimed_only_with_the_thing,
    what_records_are_said_to_tell_they_tell,
    a_list_that_is_claimed_is_there_and_one_that_is_not_is_not,
], changes [
    what_is_not_claimed_is_not_supported,
    what_is_claimed_is_supported,
    a_call_on_what_is_not_there_says_what_is_missing,
]);

async fn capabilities_are_hex_and_reach_as_far_as_clients_look(stage: &Stage) -> Verdict {
    let system = stage.array().await?.system;
    let mut wire = stage.registered_wire().await?;
    let told = wire.ask("capabilities", json!({"system": system})).await?;
    let cap = told.get("cap").and_then(Value::as_str).unwrap_or_default();
    let hex = cap.len() >= SHORTEST
        && cap.len().is_multiple_of(2)
        && cap.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    that(hex, "the capabilities", "an even number of lower-case hex digits, 448 at least", &told)?;
    let known = cap.as_bytes().chunks(2).all(|entry| entry == b"00" || entry == b"01");
    that(known, "the capabilities", "00 or 01 for each", &told)
}

async fn the_capabilities_of_no_system_are_not_told(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    match wire.call("capabilities", json!({"system": ghost::system()})).await? {
        Reply::Error { code: NOT_FOUND_SYSTEM, .. } => Ok(()),
        other => failed("the capabilities of no system", "error 208", format!("{other:?}")),
    }
}

async fn a_kind_of_a_thing_is_claimed_only_with_the_thing(stage: &Stage) -> Verdict {
    let array = stage.array().await?;
    for (kind, thing) in calls::KINDS {
        let holds = !array.claims(*kind) || array.claims(*thing);
        that(holds, name(*kind), &format!("claimed only with {}", name(*thing)), &array.capabilities)?;
    }
    Ok(())
}

async fn what_records_are_said_to_tell_they_tell(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let system = array.system.clone();
    let told = |claimed: bool, capability: Capability, tells: bool, seen: String| -> Verdict {
        that(!claimed || tells, name(capability), "claimed only where records tell it", seen)
    };
    for (capability, tells) in [
        (Capability::SYS_FW_VERSION_GET, !system.fw_version.is_empty()),
        (Capability::SYS_MODE_GET, system.mode != SystemMode::NO_SUPPORT),
        (Capability::SYS_READ_CACHE_PCT_GET, system.read_cache_pct != -2),
    ] {
        told(array.claims(capability), capability, tells, format!("{system:?}"))?;
    }
    if !array.claims(Capability::DISKS) {
        return Ok(());
    }
    let disks = array.session.disks(None).await?;
    let Some(first) = disks.first() else { return Ok(()) };
    for (capability, tells) in [
        (Capability::DISK_LOCATION, disks.iter().any(|disk| !disk.location.is_empty())),
        (Capability::DISK_RPM, disks.iter().any(|disk| disk.rpm != Rpm::NO_SUPPORT)),
        (Capability::DISK_LINK_TYPE, disks.iter().any(|disk| disk.link_type != LinkType::NO_SUPPORT)),
        (Capability::DISK_VPD83_GET, disks.iter().any(|disk| !disk.vpd83.is_empty())),
    ] {
        told(array.claims(capability), capability, tells, format!("{first:?}"))?;
    }
    Ok(())
}

async fn a_list_that_is_claimed_is_there_and_one_that_is_not_is_not(stage: &Stage) -> Verdict {
    let array = stage.array().await?;
    each(&array, calls::lists(), |_, reply, claimed| match reply {
        Reply::Result(_) => claimed,
        Reply::Error { code, .. } => !claimed && *code == NO_SUPPORT,
        Reply::Closed => false,
    })
    .await
}

async fn what_is_not_claimed_is_not_supported(stage: &Stage) -> Verdict {
    let array = stage.array().await?;
    let calls = calls::on_nothing(&array.system);
    each(&array, calls, |_, reply, claimed| claimed || matches!(reply, Reply::Error { code: NO_SUPPORT, .. }))
        .await
}

async fn what_is_claimed_is_supported(stage: &Stage) -> Verdict {
    let array = stage.array().await?;
    let calls = calls::on_nothing(&array.system);
    let answered = |reply: &Reply| !matches!(reply, Reply::Error { code: NO_SUPPORT, .. } | Reply::Closed);
    each(&array, calls, |_, reply, claimed| !claimed || answered(reply)).await
}

async fn a_call_on_what_is_not_there_says_what_is_missing(stage: &Stage) -> Verdict {
    let array = stage.array().await?;
    let calls = calls::on_nothing(&array.system);
    each(&array, calls, |call, reply, claimed| match reply {
        _ if !claimed || call.missing.is_empty() => true,
        Reply::Error { code, .. } => call.missing.contains(code),
        _ => false,
    })
    .await
}

/// Makes each call, and gathers those whose reply is not as it ought to be.
async fn each(array: &Array<'_>, calls: Vec<Call>, right: impl Fn(&Call, &Reply, bool) -> bool) -> Verdict {
    let mut wire = array.stage.registered_wire().await?;
    let mut wrong = Vec::new();
    for call in calls {
        let claimed = call.needs.iter().all(|need| array.claims(*need));
        let reply = wire.call(call.method, call.params.clone()).await?;
        if !right(&call, &reply, claimed) {
            let claim = if claimed { "claimed" } else { "not claimed" };
            wrong.push(format!("{} ({claim}): {reply:?}", call.label()));
        }
        if reply == Reply::Closed {
            wire = array.stage.registered_wire().await?;
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Stop::Failed(crate::Failure {
            what: "calls, each beside what is claimed".into(),
            expected: "153 for what is not claimed, no 153 for what is, and the number of what is not there"
                .into(),
            seen: wrong.join("; "),
        })),
    }
}

fn name(capability: Capability) -> &'static str {
    capability.name().unwrap_or("a capability")
}
