//! HTTP, one request a connection.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::{Release, State, nef, nms};

pub struct Request {
    pub method: String,
    /// The parts between slashes, decoded.
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    pub authorization: Option<String>,
    pub body: Value,
}

/// What becomes of an answer on its way back.
pub enum Told {
    Whole(u16, Value),
    /// A page that is no JSON.
    Text(u16, &'static str),
    Half(u16, Value),
    Nothing,
}

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

fn exchange(stream: impl Read + Write, state: &Mutex<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream)?;
    let answer = match answer(&mut state.lock().unwrap(), &request) {
        Told::Nothing => return None,
        Told::Whole(status, Value::Null) => head(status, 0),
        Told::Whole(status, body) => {
            let text = body.to_string();
            format!("{}{text}", head(status, text.len()))
        }
        Told::Text(status, text) => format!("{}{text}", head(status, text.len())),
        Told::Half(status, body) => {
            let text = format!("{:60}", body.to_string());
            format!("{}{}", head(status, text.len()), &text[..text.len() / 2])
        }
    };
    let stream = stream.get_mut();
    stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).ok()
}

fn answer(state: &mut State, request: &Request) -> Told {
    match state.config.release {
        Release::Rest => nef::answer(state, request),
        Release::Nms => nms::answer(state, request),
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let (mut line, mut length, mut authorization) = (String::new(), 0, None);
    stream.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
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
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Request {
        method,
        path: path.split('/').filter(|part| !part.is_empty()).map(decoded).collect(),
        query: pairs.map(|(key, value)| (decoded(key), decoded(value))).collect(),
        authorization,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

fn head(status: u16, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = std::str::from_utf8(&digits).unwrap_or_default();
                bytes.push(u8::from_str_radix(hex, 16).unwrap_or_default());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
