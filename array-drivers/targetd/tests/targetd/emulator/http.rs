//! The daemon's own way of HTTP: no length, no second request, and sometimes not even a status.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::{PASSWORD, State, Told, USER};

const BODY_BYTES: usize = 128 << 10;

pub fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, state: &Mutex<State>) {
    // Who goes away before the end has what it wants.
    let _ = match tls {
        None => exchange(stream, state),
        Some(config) => {
            let session = ServerConnection::new(config).unwrap();
            exchange(StreamOwned::new(session, stream), state)
        }
    };
}

/// One request and its answer; none when the client went away before the end.
fn exchange(stream: impl Read + Write, state: &Mutex<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length, mut authorization) = (String::new(), 0, None);
    stream.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let right = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let answer = match authorization {
        None => error(400),
        Some(given) if given != right => {
            state.lock().unwrap().strangers += 1;
            error(401)
        }
        Some(_) if path != "/targetrpc" => error(404),
        Some(_) if length > BODY_BYTES => error(413),
        Some(_) => answer(&body, state)?,
    };
    let stream = stream.get_mut();
    stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).ok()
}

fn error(status: u16) -> String {
    let page = format!("<!DOCTYPE HTML>\n<html>Error code: {status}</html>\n");
    format!("HTTP/1.0 {status} Error\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}", page.len())
}

fn answer(body: &[u8], state: &Mutex<State>) -> Option<String> {
    let head =
        "HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\nContent-type: application/json\r\n\r\n";
    let refusal = |code: i64, message: &str, id: &Value| json!({"error": {"code": code, "message": message}, "id": id, "jsonrpc": "2.0"});
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        // The real one forgets the status.
        return Some(refusal(-32700, "parse error", &json!(0)).to_string());
    };
    let Some(request) = request.as_object() else {
        return Some(format!("{head}{}", refusal(-1, "jsonrpc error", &json!(0))));
    };
    let field = |key: &str| request.get(key).cloned().unwrap_or_default();
    let (id, method, params) = (field("id"), field("method"), field("params"));
    if field("jsonrpc") != json!("2.0") || !id.is_u64() || !method.is_string() {
        return Some(format!("{head}{}", refusal(-32600, "not a valid jsonrpc-2.0 request", &json!(0))));
    }
    if !params.is_object() && !params.is_null() {
        return Some(format!("{head}{}", refusal(-32602, "invalid method arguments(s)", &id)));
    }
    match state.lock().unwrap().call(&id, method.as_str()?, &params) {
        Told::Whole(reply) => Some(format!("{head}{reply}")),
        Told::Half(reply) => {
            let text = reply.to_string();
            Some(format!("{head}{}", &text[..text.len() / 2]))
        }
        Told::Nothing => None,
    }
}
