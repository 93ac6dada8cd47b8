//! JSON-RPC 2.0 as targetd speaks it: one request, one answer, named parameters, numbers as ids.

mod error;
mod wire;

pub(crate) use error::{Code, RpcError};
use sanfleet_driver_http::Deadline;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};
pub(crate) use wire::{HttpWire, Wire};

/// The daemon's answer to a call that went well.
const OK: u16 = 200;

/// A line to a daemon.
#[derive(Debug)]
pub(crate) struct Rpc {
    wire: Box<dyn Wire>,
    last_id: u64,
    /// Until when the call may take that is being made.
    pub deadline: Deadline,
}

impl Rpc {
    pub fn new(wire: Box<dyn Wire>, deadline: Deadline) -> Self {
        Self { wire, last_id: 0, deadline }
    }

    /// `params` is an object, or null for none.
    pub fn call<T: DeserializeOwned>(&mut self, method: &'static str, params: Value) -> Result<T, RpcError> {
        self.last_id += 1;
        let request = encode(self.last_id, method, params);
        let answer = self.wire.exchange(&request, self.deadline)?;
        match answer.status {
            OK => decode(self.last_id, method, &answer.body),
            status => Err(RpcError::Status { status }),
        }
    }
}

fn encode(id: u64, method: &str, params: Value) -> Vec<u8> {
    let request = match params {
        Value::Null => json!({"jsonrpc": "2.0", "id": id, "method": method}),
        params => json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}),
    };
    request.to_string().into_bytes()
}

#[derive(Deserialize)]
struct Reply {
    id: Option<u64>,
    /// None when there is none; a result may be null.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn decode<T: DeserializeOwned>(id: u64, method: &'static str, body: &[u8]) -> Result<T, RpcError> {
    let garbled = |why: String| RpcError::Garbled { method, why };
    let reply: Reply = serde_json::from_slice(body).map_err(|error| garbled(error.to_string()))?;
    match reply {
        Reply { error: Some(Refusal { code, message }), .. } => {
            Err(RpcError::Refused { method, code: Code(code), message })
        }
        Reply { id: answered, .. } if answered != Some(id) => {
            Err(garbled(format!("an answer to request {answered:?}, not {id}")))
        }
        Reply { result: Some(result), .. } => {
            serde_json::from_value(result).map_err(|error| garbled(error.to_string()))
        }
        Reply { result: None, .. } => Err(garbled("neither result nor error".into())),
    }
}

#[cfg(test)]
mod tests;
