//! Texts that a peer may send as null although the protocol wants a text.

use serde::{Deserialize, Deserializer};

pub fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}
