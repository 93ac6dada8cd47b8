//! What the appliance says when it says no: codes as in POSIX, in bodies of more than one shape.

use sanfleet_driver_http::Response;
use serde_json::Value;

use crate::appliance::{ApplianceError, Reason};

pub(super) const EBUSY: &str = "EBUSY";

/// The code of a refusal, wherever it has it.
pub(super) fn code(body: &[u8]) -> Option<String> {
    field(&serde_json::from_slice(body).ok()?, "code")
}

/// Reads an answer that is a refusal.
pub(super) fn read(what: &'static str, answer: &Response) -> ApplianceError {
    let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    let Some(code) = field(&body, "code") else { return ApplianceError::Status { status: answer.status } };
    let message = field(&body, "message").unwrap_or_default();
    ApplianceError::Refused { what, reason: reason(&code), message: format!("{message} ({code})") }
}

/// At the top, or in the first of the errors of which it is made.
fn field(body: &Value, key: &str) -> Option<String> {
    let errors = body.get("errors");
    let first = errors.and_then(|errors| errors.get(0)).or(errors);
    let found = body.get(key).or_else(|| first.and_then(|first| first.get(key)));
    found.and_then(Value::as_str).map(str::to_owned)
}

fn reason(code: &str) -> Reason {
    match code {
        "ENOENT" | "ENODEV" => Reason::Missing,
        "EEXIST" => Reason::Exists,
        EBUSY | "EAGAIN" => Reason::Busy,
        "ENOSPC" | "EDQUOT" => Reason::NoSpace,
        "EINVAL" | "EBADARG" | "ERANGE" | "ENAMETOOLONG" => Reason::Invalid,
        "EAUTH" => Reason::Stranger,
        "EPERM" | "EACCES" => Reason::Forbidden,
        _ => Reason::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> ApplianceError {
        read("it", &Response { status: 400, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn a_code_is_found_at_the_top_or_in_the_first_error() {
        for body in [
            r#"{"name":"NefError","code":"EEXIST","message":"there","source":"zfs"}"#,
            r#"{"name":"NefError","errors":[{"code":"EEXIST","message":"there"}]}"#,
            r#"{"errors":{"code":"EEXIST","message":"there"}}"#,
            r#"{"code":"EEXIST","errors":"text"}"#,
        ] {
            assert!(told(body).is(Reason::Exists), "{body}");
        }
    }

    #[test]
    fn a_body_without_a_code_leaves_the_status() {
        for body in ["", "<html>", "null", "[]", r#"{"errors":"EEXIST"}"#, r#"{"code":7}"#, r#"{"code":{}}"#]
        {
            assert!(matches!(told(body), ApplianceError::Status { status: 400 }), "{body}");
        }
    }
}
