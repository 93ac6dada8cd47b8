//! Frames and requests that are cut, joined, odd or wrong.
//!
//! A wrong request must not be taken for a right one, and the client must learn of it: by an error, or by an end of the
//! connection, which is how libStorageMgmt's own runners answer some.

use sanfleet_driver::encode_frame;
use serde_json::{Value, json};

use crate::{
    check::checks,
    expect::{Verdict, equal, failed, that},
    ghost,
    stage::Stage,
    wire::{Reply, Wire},
};

const NO_SUPPORT: i64 = 153;
const NOT_FOUND_JOB: i64 = 202;

checks!("wire", reads [
    a_frame_may_come_byte_by_byte,
    two_calls_in_one_packet_get_two_answers_in_order,
    the_answer_has_the_id_100_whatever_the_question_had,
    an_unknown_method_is_not_supported_and_the_session_goes_on,
    what_is_no_json_is_refused,
    what_is_no_request_is_refused,
    a_frame_that_is_none_ends_in_an_answer_or_an_end,
    a_missing_argument_is_refused,
    an_argument_of_the_wrong_type_is_refused,
    an_argument_too_many_brings_nothing_down,
    letters_beyond_ascii_arrive,
    characters_that_need_an_escape_arrive,
    a_large_argument_arrives,
]);

async fn a_frame_may_come_byte_by_byte(stage: &Stage) -> Verdict {
    let mut wire = stage.wire().await?;
    for byte in frame(&question("plugin_info")) {
        wire.send(&[byte]).await?;
        wire.flush().await?;
    }
    has_result(wire.reply("plugin_info").await?)
}

async fn two_calls_in_one_packet_get_two_answers_in_order(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    wire.send(&[frame(&question("systems")), frame(&question("plugin_info"))].concat()).await?;
    let systems = wire.reply("systems").await?;
    let first = matches!(&systems, Reply::Result(list) if list.pointer("/0/class") == Some(&json!("System")));
    that(first, "the first answer", "the systems", &systems)?;
    let info = wire.reply("plugin_info").await?;
    let second = matches!(&info, Reply::Result(list) if list.pointer("/0").is_some_and(Value::is_string));
    that(second, "the second answer", "the driver's description", &info)
}

async fn the_answer_has_the_id_100_whatever_the_question_had(stage: &Stage) -> Verdict {
    let mut wire = stage.wire().await?;
    wire.say(&json!({"method": "plugin_info", "id": 7, "params": {"flags": 0}})).await?;
    // That the id is 100 the strict readers look at, as in every reply.
    let (_, before) = stage.record.told();
    has_result(wire.reply("plugin_info").await?)?;
    let (_, after) = stage.record.told();
    equal("what the strict readers say of it", after, before)
}

async fn an_unknown_method_is_not_supported_and_the_session_goes_on(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    match wire.call("fly_to_the_moon", json!({})).await? {
        Reply::Error { code: NO_SUPPORT, .. } => {}
        other => return failed("an unknown method", "error 153", format!("{other:?}")),
    }
    has_result(wire.call("systems", json!({})).await?)
}

async fn what_is_no_json_is_refused(stage: &Stage) -> Verdict {
    for body in ["{", "", "pools", "{\"method\": \"systems\", \"id\": 100, \"params\": {}", "\u{0}"] {
        let mut wire = stage.registered_wire().await?;
        wire.send(&frame(body)).await?;
        no_result(body, wire.reply("").await?)?;
    }
    Ok(())
}

async fn what_is_no_request_is_refused(stage: &Stage) -> Verdict {
    for body in [
        "[]",
        "100",
        "null",
        "{}",
        r#"{"id": 100, "params": {}}"#,
        r#"{"method": 5, "id": 100, "params": {}}"#,
    ] {
        let mut wire = stage.registered_wire().await?;
        wire.send(&frame(body)).await?;
        no_result(body, wire.reply("").await?)?;
    }
    Ok(())
}

async fn a_frame_that_is_none_ends_in_an_answer_or_an_end(stage: &Stage) -> Verdict {
    for bytes in ["GET / HTTP/1.1\r\n\r\n", "-000000001{", "9999999999{"] {
        let mut wire = stage.registered_wire().await?;
        wire.send(bytes.as_bytes()).await?;
        no_result(bytes, wire.reply("").await?)?;
    }
    Ok(())
}

async fn a_missing_argument_is_refused(stage: &Stage) -> Verdict {
    for method in ["job_status", "job_free", "capabilities"] {
        let mut wire = stage.registered_wire().await?;
        no_result(method, wire.call(method, json!({})).await?)?;
    }
    Ok(())
}

async fn an_argument_of_the_wrong_type_is_refused(stage: &Stage) -> Verdict {
    for (method, params) in [
        ("job_status", json!({"job_id": {"a": 1}})),
        ("job_status", json!({"job_id": ["JOB"]})),
        ("capabilities", json!({"system": 5})),
        ("capabilities", json!({"system": {"class": "System"}})),
    ] {
        let mut wire = stage.registered_wire().await?;
        no_result(&format!("{method} with {params}"), wire.call(method, params).await?)?;
    }
    Ok(())
}

async fn an_argument_too_many_brings_nothing_down(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    // Python plug-ins refuse it, C plug-ins pass it over: either is an answer.
    wire.call("systems", json!({"colour": "blue"})).await?;
    has_result(stage.registered_wire().await?.call("systems", json!({})).await?)
}

async fn letters_beyond_ascii_arrive(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    unknown_job(&mut wire, "größe ☂ 🦀").await
}

async fn characters_that_need_an_escape_arrive(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    unknown_job(&mut wire, "a \"b\" \\c\\ \n\t\u{1}").await
}

async fn a_large_argument_arrives(stage: &Stage) -> Verdict {
    let mut wire = stage.registered_wire().await?;
    unknown_job(&mut wire, &ghost::ID.repeat(50_000)).await
}

async fn unknown_job(wire: &mut Wire, job: &str) -> Verdict {
    match wire.call("job_status", json!({"job_id": job})).await? {
        Reply::Error { code: NOT_FOUND_JOB | NO_SUPPORT, .. } => {}
        other => return failed("an unknown job", "error 202", format!("{other:?}")),
    }
    has_result(wire.call("systems", json!({})).await?)
}

fn question(method: &str) -> String {
    json!({"method": method, "id": 100, "params": {"flags": 0}}).to_string()
}

/// What goes over the wire for a body of this size, which always fits.
fn frame(body: &str) -> Vec<u8> {
    encode_frame(body.as_bytes()).unwrap_or_default()
}

fn has_result(reply: Reply) -> Verdict {
    that(matches!(reply, Reply::Result(_)), "the reply", "a result", &reply)
}

fn no_result(what: &str, reply: Reply) -> Verdict {
    that(!matches!(reply, Reply::Result(_)), &format!("the reply to {what:?}"), "an error, or an end", &reply)
}
