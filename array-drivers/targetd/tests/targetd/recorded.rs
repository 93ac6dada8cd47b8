//! The emulator against what the real targetd 0.10.4 was heard to say: each recorded request is made again, in order, and the answer must
//! be the same but for what is made by chance.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::emulator::{Config, Emulator, PASSWORD, USER};

const RECORDED: &str = include_str!("../data/recorded.jsonl");
const ACTIVE_COPIES: &str = include_str!("../data/recorded-active-copies.jsonl");

/// What differs from one daemon to the next, and how full it is.
const BY_CHANCE: [&str; 5] = ["uuid", "vol_uuid", "timestamp", "free_size", "free_space"];

#[test]
fn the_emulator_answers_as_the_real_daemon_did() {
    assert_eq!(replay(RECORDED, false), 89);
}

#[test]
fn the_emulator_answers_as_the_real_daemon_did_whose_copies_were_active() {
    assert_eq!(replay(ACTIVE_COPIES, true), 89);
}

fn replay(recording: &str, active_copies: bool) -> usize {
    let emulator = Emulator::start(Config { active_copies, ..Config::default() });
    // What the real one called things, and what the emulator calls them.
    let mut names = BTreeMap::new();
    let mut requests = 0;
    for line in recording.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        if line["req"].is_object() {
            requests += 1;
            again(&emulator, &line, &mut names);
        } else {
            odd_request(&emulator, &line);
        }
    }
    requests
}

fn again(emulator: &Emulator, line: &Value, names: &mut BTreeMap<String, String>) {
    let mut request = line["req"].to_string();
    for (theirs, ours) in names.iter() {
        request = request.replace(theirs, ours);
    }
    let (head, body) = say(emulator, "/targetrpc", Some(PASSWORD), &request);
    assert!(head.starts_with(&format!("HTTP/1.0 {} ", line["status"])), "{request}: {head}");
    let theirs: Value = serde_json::from_str(line["resp"].as_str().unwrap()).unwrap();
    let ours: Value = serde_json::from_str(&body).unwrap();
    learn(&theirs["result"], &ours["result"], names);
    assert_eq!(settled(ours), settled(theirs), "{request}");
}

/// Pairs what both lists have under one name.
fn learn(theirs: &Value, ours: &Value, names: &mut BTreeMap<String, String>) {
    for their in theirs.as_array().into_iter().flatten() {
        let our = ours.as_array().into_iter().flatten().find(|our| our["name"] == their["name"]);
        if let (Some(known), Some(our)) = (their["uuid"].as_str(), our.and_then(|our| our["uuid"].as_str())) {
            names.insert(known.to_owned(), our.to_owned());
        }
    }
}

/// Without what is made by chance, and in an order of its own.
fn settled(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(settled).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let chance = BY_CHANCE.contains(&key.as_str());
                // Its kind has to be the same all the same.
                let value = if chance { json!(value.is_string()) } else { settled(value) };
                (key, value)
            })
            .collect(),
        other => other,
    }
}

/// Requests that are none, and those of strangers.
fn odd_request(emulator: &Emulator, line: &Value) {
    let kw = &line["rawkw"];
    let password = match (&kw["auth"], kw["pw"].as_str()) {
        (Value::Bool(false), _) => None,
        (_, Some(wrong)) => Some(wrong),
        _ => Some(PASSWORD),
    };
    let path = kw["path"].as_str().unwrap_or("/targetrpc");
    let request = line["rawreq"].as_str().unwrap_or(r#"{"id":1,"jsonrpc":"2.0","method":"pool_list"}"#);
    let (head, body) = say(emulator, path, password, request);
    match line["r"][0].as_u64() {
        // The real one's answer began with its body.
        None => {
            let heard = line["r"][2].as_str().unwrap();
            assert!(head.is_empty() && heard.contains(&sorted_as_theirs(&body)), "{line}: {body}");
        }
        Some(200) => {
            let theirs: Value = serde_json::from_str(line["r"][2].as_str().unwrap()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), theirs, "{line}");
        }
        Some(status) => assert!(head.starts_with(&format!("HTTP/1.0 {status} ")), "{line}: {head}"),
    }
}

/// Python puts blanks where we put none.
fn sorted_as_theirs(body: &str) -> String {
    body.replace("\":", "\": ").replace(",\"", ", \"")
}

/// Head and body; all is body where there is no head.
fn say(emulator: &Emulator, path: &str, password: Option<&str>, body: &str) -> (String, String) {
    let authorization = password.map(|password| {
        format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{USER}:{password}")))
    });
    let mut stream = TcpStream::connect(emulator.address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\n{}Content-Length: {length}\r\n\r\n{body}",
        authorization.unwrap_or_default()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) => (head.to_owned(), body.to_owned()),
        None => (String::new(), answer),
    }
}
