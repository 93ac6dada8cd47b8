//! Envelopes, as the calling end reads and writes them: requests go, replies come.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{error::LsmError, message::ID, method::Call};

/// Longest message and longest debug text that we keep of a peer's error, in characters.
const MESSAGE_LIMIT: usize = 4_096;
const DATA_LIMIT: usize = 65_536;

/// The body of a request. Every C plug-in wants `flags`.
pub(super) fn request<C: Call>(call: &C) -> serde_json::Result<Vec<u8>> {
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

/// Why bytes are no reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplyError {
    #[error("the reply is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("the reply has neither a result nor an error")]
    Neither,
}

/// Reads one frame's body as a reply; the inner error is the array's.
pub(crate) fn parse_reply<T: DeserializeOwned>(body: &[u8]) -> Result<Result<T, LsmError>, ReplyError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        result: Option<&'a RawValue>,
        #[serde(default)]
        error: Option<WireError>,
    }
    #[derive(Deserialize)]
    struct WireError {
        code: i64,
        message: Option<String>,
        data: Option<Value>,
    }
    let reply: Envelope = serde_json::from_slice(body).map_err(ReplyError::Json)?;
    if let Some(result) = reply.result {
        return serde_json::from_str(result.get()).map(Ok).map_err(ReplyError::Json);
    }
    let error = reply.error.ok_or(ReplyError::Neither)?;
    Ok(Err(LsmError {
        number: error.code.into(),
        message: error.message.unwrap_or_default().chars().take(MESSAGE_LIMIT).collect(),
        data: error.data.and_then(debug_text),
    }))
}

/// A result of null is a result.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
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
    use serde_json::json;

    use super::*;
    use crate::{
        error::ErrorNumber,
        method::{Pools, Systems},
    };

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
    fn an_error_of_another_maker_keeps_its_number_and_its_traceback() {
        let body = br#"{"id": 7, "error": {"code": -32601, "message": null, "data": {"line": 3}}}"#;
        let error = parse_reply::<()>(body).unwrap().unwrap_err();
        assert_eq!((error.number, error.data.as_deref()), (ErrorNumber::Other(-32601), Some("{\"line\":3}")));
    }

    #[test]
    fn a_result_of_nothing_is_a_result_and_no_result_is_none() {
        assert_eq!(parse_reply::<()>(br#"{"id": 100, "result": null}"#).unwrap(), Ok(()));
        assert!(matches!(parse_reply::<()>(br#"{"id": 100}"#), Err(ReplyError::Neither)));
    }

    proptest! {
        #[test]
        fn any_body_is_a_reply_or_refused(body in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
            let _ = parse_reply::<Value>(body.as_bytes());
        }
    }
}
