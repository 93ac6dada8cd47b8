//! How requests get to the appliance.

use std::{fmt, thread, time::Duration};

use sanfleet_driver_http::{Client, Credentials, Deadline, HttpError, Method, Response};
use serde_json::Value;

/// The seam between what is said and how it travels.
pub(crate) trait Wire: fmt::Debug {
    fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, HttpError>;

    /// Who asks from now on.
    fn authorize(&mut self, credentials: Credentials);
}

#[derive(Debug)]
pub(crate) struct HttpWire(pub Client);

impl Wire for HttpWire {
    fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, HttpError> {
        self.0.send(method, path, body, deadline)
    }

    fn authorize(&mut self, credentials: Credentials) {
        self.0.set_credentials(credentials);
    }
}

/// Milliseconds before the same is asked again of an appliance that has no time.
const PAUSES: [u64; 5] = [50, 150, 400, 1_000, 2_000];

/// Asks, and again while the answer is worth it: what is answered so was not done. `tries` says how often, after an answer.
pub(crate) fn patient(
    wire: &mut dyn Wire,
    method: Method,
    path: &str,
    body: &[u8],
    deadline: Deadline,
    tries: impl Fn(&Response) -> usize,
) -> Result<Response, HttpError> {
    let mut pauses = PAUSES.into_iter().map(Duration::from_millis).enumerate();
    loop {
        let answer = wire.exchange(method, path, body, deadline)?;
        match pauses.next() {
            Some((number, pause)) if number < tries(&answer) && pause < deadline.left() => {
                thread::sleep(pause);
            }
            _ => return Ok(answer),
        }
    }
}

/// Too many requests, and what stands before an appliance that is not there yet.
pub(crate) fn tries_of_status(answer: &Response) -> usize {
    if matches!(answer.status, 429 | 503) { PAUSES.len() } else { 0 }
}

/// True when no text of an answer would do anything to a terminal.
pub(crate) fn is_legible(answer: &Value) -> bool {
    match answer {
        Value::String(text) => !text.chars().any(char::is_control),
        Value::Array(items) => items.iter().all(is_legible),
        Value::Object(fields) => {
            fields.iter().all(|(key, value)| !key.chars().any(char::is_control) && is_legible(value))
        }
        _ => true,
    }
}

/// A text as one part of a path, or one value of a query: slashes and all.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_zfs_is_one_part_of_a_path_of_http() {
        assert_eq!(encoded("tank/vg/v 1@s~ü"), "tank%2Fvg%2Fv%201%40s~%C3%BC");
    }
}
