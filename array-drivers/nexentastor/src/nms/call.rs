//! One call, and what comes back.

use sanfleet_driver_http::{Deadline, Method};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::text;
use crate::{
    appliance::{Answer, ApplianceError},
    wire::{Wire, is_legible, patient, tries_of_status},
};

/// The only path that there is.
const PATH: &str = "/rest/nms";
const STRANGER: u16 = 401;

#[derive(Debug)]
pub(super) struct Call {
    pub wire: Box<dyn Wire>,
    /// Until when the call may take that is being made.
    pub deadline: Deadline,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

/// True when release 3 or 4 answers there, who wants to know first who is asking.
///
/// # Errors
/// Nobody answers.
pub(crate) fn answers(wire: &mut dyn Wire, deadline: Deadline) -> Answer<bool> {
    let request = encode("appliance", "get_fqdn", &json!([]));
    let answer = patient(wire, Method::Post, PATH, &request, deadline, tries_of_status)?;
    let is_reply = serde_json::from_slice::<Reply>(&answer.body).is_ok();
    match answer.status {
        STRANGER => Ok(true),
        200 if is_reply => Ok(true),
        200 | 404 | 405 => Ok(false),
        status => Err(ApplianceError::Status { status }),
    }
}

impl Call {
    /// `what` names in errors what is asked about; `params` is an array.
    pub fn make<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        object: &str,
        method: &str,
        params: Value,
    ) -> Answer<T> {
        let request = encode(object, method, &params);
        let wire = self.wire.as_mut();
        let answer = patient(wire, Method::Post, PATH, &request, self.deadline, tries_of_status)?;
        match answer.status {
            200 => decode(what, &answer.body),
            status => Err(ApplianceError::Status { status }),
        }
    }

    /// A call whose result says nothing.
    pub fn change(&mut self, what: &'static str, object: &str, method: &str, params: Value) -> Answer<()> {
        self.make::<Value>(what, object, method, params).map(drop)
    }
}

fn encode(object: &str, method: &str, params: &Value) -> Vec<u8> {
    json!({"object": object, "method": method, "params": params}).to_string().into_bytes()
}

pub(super) fn decode<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Answer<T> {
    let garbled = |error: serde_json::Error| ApplianceError::Garbled { what, why: error.to_string() };
    let reply: Reply = serde_json::from_slice(body).map_err(garbled)?;
    match reply.error {
        Some(Refusal { message }) => {
            Err(ApplianceError::Refused { what, reason: text::reason(&message), message })
        }
        None if !is_legible(&reply.result) => {
            Err(ApplianceError::Garbled { what, why: "it has texts that no name has".into() })
        }
        None => serde_json::from_value(reply.result).map_err(garbled),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::appliance::Reason;

    #[test]
    fn a_call_is_written_as_the_appliance_reads_it() {
        let sent: Value = serde_json::from_slice(&encode("zvol", "get_names", &json!([""]))).unwrap();
        assert_eq!(sent, json!({"object": "zvol", "method": "get_names", "params": [""]}));
    }

    #[test]
    fn a_result_is_one_only_without_an_error() {
        assert_eq!(decode::<Vec<String>>("it", br#"{"result":["a"],"error":null}"#).unwrap(), ["a"]);
        let error = decode::<Value>("it", br#"{"result":null,"error":{"message":"x already exists"}}"#);
        assert!(error.unwrap_err().is(Reason::Exists));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<Vec<String>>("it", &bytes).is_err());
        }
    }
}
