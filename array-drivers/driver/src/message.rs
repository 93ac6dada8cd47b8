//! Envelopes, as the serving end reads and writes them: requests come, replies go.

use serde_json::{Map, Value, json};

use crate::error::{ErrorNumber, LsmError};

/// Both existing clients send this id, one of them insists on it in replies; so it is the only id there is.
pub(crate) const ID: i64 = 100;

/// A request as the serving end reads it. Its id does not matter.
pub(crate) struct Request {
    pub method: String,
    pub params: Map<String, Value>,
}

impl Request {
    /// Reads one frame's body. The error is the reply to send: the session goes on.
    pub fn parse(body: &[u8]) -> Result<Self, LsmError> {
        let request: Value = serde_json::from_slice(body)
            .map_err(|error| LsmError::new(ErrorNumber::ParseError, format!("not JSON: {error}")))?;
        let refuse = |what: &str| LsmError::new(ErrorNumber::InvalidRequest, what);
        let Value::Object(mut request) = request else {
            return Err(refuse("the request is not an object"));
        };
        let Some(Value::String(method)) = request.remove("method") else {
            return Err(refuse("the request names no method"));
        };
        match request.remove("params") {
            None | Some(Value::Null) => Ok(Self { method, params: Map::new() }),
            Some(Value::Object(params)) => Ok(Self { method, params }),
            Some(_) => Err(refuse("the parameters are not an object")),
        }
    }
}

/// The body of a reply: exactly one of result and error.
pub(crate) fn reply(outcome: Result<Value, LsmError>) -> Vec<u8> {
    let reply = match outcome {
        Ok(result) => json!({"id": ID, "result": result}),
        Err(error) => json!({"id": ID, "error": {
            "code": i64::from(error.number),
            "message": plain(&error.message),
            "data": error.data.as_deref().map(plain),
        }}),
    };
    reply.to_string().into_bytes()
}

/// The C client does not undo JSON's escapes: text without characters that need one is legible to it.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reply_of_nothing_still_has_its_result() {
        assert_eq!(reply(Ok(Value::Null)), br#"{"id":100,"result":null}"#);
    }

    #[test]
    fn an_error_has_three_keys_and_no_character_that_needs_an_escape() {
        let error = LsmError::new(ErrorNumber::NotFoundJob, "no \"J\\1\"\n");
        let sent: Value = serde_json::from_slice(&reply(Err(error))).unwrap();
        assert_eq!(sent, json!({"id": 100, "error": {"code": 202, "message": "no 'J/1' ", "data": null}}));
    }

    #[test]
    fn letters_beyond_ascii_travel_as_they_are() {
        assert_eq!(reply(Ok(json!("größe"))), r#"{"id":100,"result":"größe"}"#.as_bytes());
    }

    #[test]
    fn parameters_may_be_null_or_absent() {
        for body in [r#"{"method": "systems", "id": 100, "params": null}"#, r#"{"method": "systems"}"#] {
            assert!(Request::parse(body.as_bytes()).unwrap().params.is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_body_is_a_request_or_refused(body in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
            let _ = Request::parse(body.as_bytes());
        }
    }
}
