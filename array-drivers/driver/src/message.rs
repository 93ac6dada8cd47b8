//! Envelopes, as the serving end reads and writes them: requests come, replies go.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ErrorNumber, LsmError};

/// Both existing clients send this id, one of them insists on it in replies; so it is the only id there is.
pub(crate) const ID: i64 = 100;

/// A request as the serving end reads it. Its id does not matter.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub method: String,
    /// The JSON of an object.
    pub params: &'a str,
}

impl<'a> Request<'a> {
    /// Reads one frame's body. The error is the reply to send: the session goes on.
    pub fn parse(body: &'a [u8]) -> Result<Self, LsmError> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            method: Option<&'a RawValue>,
            #[serde(borrow)]
            params: Option<&'a RawValue>,
        }
        let not_json = |error| LsmError::new(ErrorNumber::ParseError, format!("not JSON: {error}"));
        let refuse = |what: &str| LsmError::new(ErrorNumber::InvalidRequest, what);
        let whole: &RawValue = serde_json::from_slice(body).map_err(not_json)?;
        if !whole.get().starts_with('{') {
            return Err(refuse("the request is not an object"));
        }
        let envelope: Envelope = serde_json::from_str(whole.get()).map_err(not_json)?;
        let method = envelope.method.and_then(|method| serde_json::from_str(method.get()).ok());
        let method = method.ok_or_else(|| refuse("the request names no method"))?;
        match envelope.params.map(RawValue::get) {
            None | Some("null") => Ok(Self { method, params: "{}" }),
            Some(params) if params.starts_with('{') => Ok(Self { method, params }),
            Some(_) => Err(refuse("the parameters are not an object")),
        }
    }
}

/// The body of a reply that is a result.
pub(crate) fn success(result: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        id: i64,
        result: &'a T,
    }
    serde_json::to_vec(&Envelope { id: ID, result })
}

/// The body of a reply that is an error: exactly these three keys, no character that needs an escape.
pub(crate) fn failure(error: &LsmError) -> Vec<u8> {
    let error = serde_json::json!({
        "code": i64::from(error.number),
        "message": plain(&error.message),
        "data": error.data.as_deref().map(plain),
    });
    serde_json::json!({"id": ID, "error": error}).to_string().into_bytes()
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
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_reply_of_nothing_still_has_its_result() {
        assert_eq!(success(&()).unwrap(), br#"{"id":100,"result":null}"#);
    }

    #[test]
    fn an_error_has_three_keys_and_no_character_that_needs_an_escape() {
        let error = LsmError::new(ErrorNumber::NotFoundJob, "no \"J\\1\"\n");
        let sent: Value = serde_json::from_slice(&failure(&error)).unwrap();
        assert_eq!(sent, json!({"id": 100, "error": {"code": 202, "message": "no 'J/1' ", "data": null}}));
    }

    #[test]
    fn letters_beyond_ascii_travel_as_they_are() {
        assert_eq!(success(&"größe").unwrap(), r#"{"id":100,"result":"größe"}"#.as_bytes());
    }

    #[test]
    fn parameters_may_be_null_or_absent() {
        for body in [r#"{"method": "systems", "id": 100, "params": null}"#, r#"{"method": "systems"}"#] {
            assert!(Request::parse(body.as_bytes()).unwrap().params == "{}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_a_request_or_refused(body in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
            let _ = Request::parse(body.as_bytes());
        }
    }
}
