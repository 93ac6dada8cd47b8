use std::{os::unix::net::UnixStream, thread, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    array_driver,
    frame::encode_frame,
    method::PluginInfo,
    model::{ElementType, Pool, PoolId, PoolStatus, SystemId, UnsupportedActions},
    search::Search,
};

mod hint;
mod strict;

#[derive(Default)]
struct TwoPools {
    unregistered: u32,
}

#[array_driver]
impl ArrayDriver for TwoPools {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "two pools".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, _: &str, password: Option<&str>, _: Duration) -> Result<(), LsmError> {
        match password {
            Some("wrong") => Err(LsmError::new(ErrorNumber::PluginAuthFailed, "not that password")),
            _ => Ok(()),
        }
    }

    fn plugin_unregister(&mut self) -> Result<(), LsmError> {
        self.unregistered += 1;
        Ok(())
    }

    fn pools(&mut self, _: Option<&Search>) -> Result<Vec<Pool>, LsmError> {
        Ok(["one", "zwölf"].map(pool).into())
    }
}

fn pool(id: &str) -> Pool {
    Pool {
        id: PoolId::new(id),
        name: id.to_owned(),
        element_type: ElementType::VOLUME,
        unsupported_actions: UnsupportedActions::NONE,
        total_space: Some(1 << 60),
        free_space: None,
        status: PoolStatus::OK,
        status_info: String::new(),
        system_id: SystemId::new("s"),
        plugin_data: None,
    }
}

/// Serves what the client wrote before it closed; the replies, and how the session ended.
fn converse(sent: &[u8]) -> (Vec<Value>, Result<Ended, ServeError>, u32) {
    let (mut near, far) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let mut driver = TwoPools::default();
        let ended = serve(&mut driver, far);
        (ended, driver.unregistered)
    });
    // A session that broke early no longer reads.
    let _ = near.write_all(sent);
    near.shutdown(std::net::Shutdown::Write).unwrap();
    let mut received = Vec::new();
    let _ = near.read_to_end(&mut received);
    let (ended, unregistered) = server.join().unwrap();
    let mut buffer = FrameBuffer::new(MAX_FRAME);
    buffer.push(&received);
    let mut replies = Vec::new();
    while let Some(body) = buffer.next_frame().unwrap() {
        replies.push(serde_json::from_slice(&body).unwrap());
    }
    (replies, ended, unregistered)
}

const REGISTER: &str = r#"{"method": "plugin_register", "id": 100, "params": {"uri": "x://", "password": null, "timeout": 1, "flags": 0}}"#;

fn frames(bodies: &[&str]) -> Vec<u8> {
    bodies.iter().flat_map(|body| encode_frame(body.as_bytes()).unwrap()).collect()
}

fn code(reply: &Value) -> i64 {
    reply["error"]["code"].as_i64().unwrap()
}

#[test]
fn a_client_that_closes_at_once_is_no_failure() {
    let (replies, ended, _) = converse(b"");
    assert!(replies.is_empty());
    assert_eq!(ended.unwrap(), Ended::Closed);
}

#[test]
fn information_is_given_before_anybody_registered() {
    let (replies, ended, _) =
        converse(&frames(&[r#"{"method": "plugin_info", "id": 7, "params": {"flags": 0}}"#]));
    assert_eq!(replies, [json!({"id": 100, "result": ["two pools", "1"]})]);
    assert_eq!(ended.unwrap(), Ended::Closed);
}

#[test]
fn wrong_requests_are_answered_and_the_session_goes_on() {
    let (replies, ended, unregistered) = converse(&frames(&[
        REGISTER,
        "{",
        "",
        "[1]",
        r#"{"id": 100, "params": {}}"#,
        r#"{"method": "fly", "id": 100, "params": {}}"#,
        r#"{"method": "volumes", "id": 100, "params": {}}"#,
        r#"{"method": "plugin_register", "id": 100, "params": {"uri": 5, "password": 12345678}}"#,
        r#"{"method": "job_status", "id": 100, "params": null}"#,
        r#"{"method": "plugin_register", "id": 100, "params": {"uri": "x://", "password": "wrong", "timeout": 1, "flags": 0}}"#,
        r#"{"method": "plugin_register", "id": 100, "params": {"uri": "x://", "password": null, "timeout": 1, "more": 1}}"#,
        r#"{"method": "plugin_unregister", "id": 100, "params": null}"#,
    ]));
    let codes: Vec<i64> = replies.iter().skip(1).take(9).map(code).collect();
    assert_eq!(codes, [-32700, -32700, -32600, -32600, 153, 153, 402, 402, 300]);
    assert!(replies.iter().all(|reply| reply["id"] == json!(100)));
    assert!(!replies[7].to_string().contains("12345678"), "a password came back: {}", replies[7]);
    assert_eq!(replies[10..], [json!({"id": 100, "result": null}), json!({"id": 100, "result": null})]);
    assert_eq!((ended.unwrap(), unregistered), (Ended::Unregistered, 1));
}

#[test]
fn what_is_no_text_is_answered_and_the_session_goes_on() {
    let mut sent = frames(&[REGISTER]);
    sent.extend(encode_frame(b"{\"method\": \"pools\xff\", \"id\": 100}").unwrap());
    sent.extend(frames(&[r#"{"method": "pools", "id": 100, "params": {}}"#]));
    let (replies, ..) = converse(&sent);
    assert_eq!((code(&replies[1]), replies.len()), (-32700, 3));
    assert!(replies[2]["result"].is_array());
}

#[test]
fn a_wrong_password_of_an_initiator_does_not_come_back() {
    let login = r#"{"method": "iscsi_chap_auth", "params": {"init_id": "iqn.a", "in_user": "u", "in_password": 12345678,
        "out_user": null, "out_password": null}}"#;
    let (replies, ..) = converse(&frames(&[REGISTER, login]));
    assert_eq!(code(&replies[1]), 402);
    assert!(!replies[1].to_string().contains("12345678"), "{}", replies[1]);
}

#[test]
fn a_search_picks_and_one_by_an_unknown_key_is_refused() {
    let search = |key: &str, value: &str| {
        format!(r#"{{"method": "pools", "params": {{"search_key": {key}, "search_value": {value}}}}}"#)
    };
    let (replies, ..) = converse(&frames(&[
        REGISTER,
        &search(r#""id""#, r#""zwölf""#),
        &search("null", "null"),
        &search(r#""id""#, r#""none such""#),
        &search(r#""colour""#, r#""blue""#),
        &search(r#""id""#, "null"),
    ]));
    assert_eq!(replies[1]["result"][0]["id"], json!("zwölf"));
    assert_eq!(replies[1]["result"][0]["free_space"], json!(-1));
    assert_eq!(replies[2]["result"].as_array().unwrap().len(), 2);
    assert_eq!(replies[3]["result"], json!([]));
    assert_eq!((code(&replies[4]), code(&replies[5])), (510, 402));
}

#[test]
fn nothing_but_what_the_driver_is_can_be_asked_before_registering_and_nothing_after_good_bye() {
    let unregister = r#"{"method": "plugin_unregister", "id": 100, "params": {"flags": 0}}"#;
    let pools = r#"{"method": "pools", "id": 100, "params": {"flags": 0}}"#;
    let (replies, ended, _) = converse(&frames(&[pools, REGISTER, pools, unregister, pools]));
    assert_eq!((code(&replies[0]), replies.len()), (153, 4));
    assert!(replies[2]["result"].is_array());
    assert_eq!(ended.unwrap(), Ended::Unregistered);
}

#[test]
fn flags_may_be_left_out_but_must_be_a_number_that_we_know() {
    let call = |flags: &str| format!(r#"{{"method": "pools", "id": 100, "params": {{{flags}}}}}"#);
    let flags =
        ["", r#""flags": 0"#, r#""flags": null"#, r#""flags": "0""#, r#""flags": -1"#, r#""flags": 1"#];
    let calls: Vec<String> = flags.map(call).into();
    let mut bodies = vec![REGISTER];
    bodies.extend(calls.iter().map(String::as_str));
    let (replies, ..) = converse(&frames(&bodies));
    assert!(replies[1..4].iter().all(|reply| reply["result"].is_array()), "{replies:?}");
    assert_eq!(replies[4..].iter().map(code).collect::<Vec<_>>(), [402, 402, 101]);
}

#[test]
fn a_stream_without_frames_is_told_so_and_ended() {
    let (replies, ended, unregistered) = converse(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(code(&replies[0]), -32700);
    assert!(matches!(ended, Err(ServeError::Frame(_))));
    assert_eq!(unregistered, 1);
}

#[test]
fn a_request_that_never_ends_is_a_failure() {
    let (_, ended, _) = converse(b"0000000100{");
    assert!(matches!(ended, Err(ServeError::Cut)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_parameters_bring_a_session_down(method in "(plugin_register|pools|job_status|volume_mask|volume_create)", params in "[{}\\[\\]\":,a-z0-9-]{0,40}") {
        let body = format!(r#"{{"method": "{method}", "id": 100, "params": {params}}}"#);
        let (replies, ended, _) = converse(&frames(&[REGISTER, &body, r#"{"method": "pools"}"#]));
        prop_assert_eq!(replies.len(), 3);
        prop_assert!(replies[2]["result"].is_array());
        prop_assert_eq!(ended.unwrap(), Ended::Closed);
    }
}
