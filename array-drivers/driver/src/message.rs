//! Envelopes: what is around a call's parameters and around its result.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    call::Call,
    error::{ErrorNumber, LsmError},
};

/// Both existing clients send this id, one of them insists on it in replies; so it is the only id there is.
const ID: i64 = 100;
/// Longest message and longest debug text that we keep of a peer's error, in characters.
const MESSAGE_LIMIT: usize = 4_096;
const DATA_LIMIT: usize = 65_536;

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

/// The body of a request. Every C plug-in wants `flags`.
#[cfg_attr(not(feature = "client"), allow(dead_code))]
pub(crate) fn request<C: Call>(call: &C) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Params<'a, C> {
        #[serde(flatten)]
        call: &'a C,
        flags: u64,
    }
    #[derive(Serialize)]
    struct Envelope<'a, C> {
        method: &'static str,
        id: i64,
        params: Params<'a, C>,
    }
    serde_json::to_vec(&Envelope { method: C::METHOD, id: ID, params: Params { call, flags: 0 } })
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

/// Why bytes are no reply.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "client"), allow(dead_code))]
pub(crate) enum ReplyError {
    #[error("the reply is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("the reply has neither a result nor an error")]
    Neither,
}

/// Reads one frame's body as a reply; the inner error is the array's.
#[cfg_attr(not(feature = "client"), allow(dead_code))]
pub(crate) fn parse_reply(body: &[u8]) -> Result<Result<Value, LsmError>, ReplyError> {
    #[derive(Deserialize)]
    struct WireError {
        code: i64,
        message: Option<String>,
        data: Option<Value>,
    }
    let mut reply: Map<String, Value> = serde_json::from_slice(body).map_err(ReplyError::Json)?;
    if let Some(result) = reply.remove("result") {
        return Ok(Ok(result));
    }
    let error: WireError = reply
        .remove("error")
        .ok_or(ReplyError::Neither)
        .and_then(|error| serde_json::from_value(error).map_err(ReplyError::Json))?;
    Ok(Err(LsmError {
        number: error.code.into(),
        message: error.message.unwrap_or_default().chars().take(MESSAGE_LIMIT).collect(),
        data: error.data.and_then(debug_text),
    }))
}

fn debug_text(data: Value) -> Option<String> {
    match data {
        Value::Null => None,
        Value::String(text) => Some(text.chars().take(DATA_LIMIT).collect()),
        other => Some(other.to_string().chars().take(DATA_LIMIT).collect()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::{Pools, Systems};

    #[test]
    fn a_request_has_its_parameters_by_name_and_always_flags() {
        let call = Pools { search_key: None, search_value: None };
        let sent: Value = serde_json::from_slice(&request(&call).unwrap()).unwrap();
        let params = json!({"search_key": null, "search_value": null, "flags": 0});
        assert_eq!(sent, json!({"method": "pools", "id": 100, "params": params}));
        let sent: Value = serde_json::from_slice(&request(&Systems {}).unwrap()).unwrap();
        assert_eq!(sent["params"], json!({"flags": 0}));
    }

    #[test]
    fn a_reply_of_nothing_still_has_its_result() {
        assert_eq!(reply(Ok(Value::Null)), br#"{"id":100,"result":null}"#);
        assert_eq!(parse_reply(br#"{"id": 100, "result": null}"#).unwrap(), Ok(Value::Null));
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
    fn an_error_of_another_maker_keeps_its_number_and_its_traceback() {
        let body = br#"{"id": 7, "error": {"code": -32601, "message": null, "data": {"line": 3}}}"#;
        let error = parse_reply(body).unwrap().unwrap_err();
        assert_eq!((error.number, error.data.as_deref()), (ErrorNumber::Other(-32601), Some("{\"line\":3}")));
    }

    #[test]
    fn parameters_may_be_null_or_absent() {
        for body in [r#"{"method": "systems", "id": 100, "params": null}"#, r#"{"method": "systems"}"#] {
            assert!(Request::parse(body.as_bytes()).unwrap().params.is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_body_is_a_message_or_refused(body in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
            let _ = Request::parse(body.as_bytes());
            let _ = parse_reply(body.as_bytes());
        }
    }
}
