//! How requests get to the appliance.

use std::fmt;

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
