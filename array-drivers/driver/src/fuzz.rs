//! Private decoders, for whoever feeds them with foreign bytes.

use serde::de::DeserializeOwned;

use crate::client::parse_reply;

/// Reads a frame's body as the reply to a call, as the calling side does.
pub fn reply<T: DeserializeOwned>(body: &[u8]) {
    let _ = parse_reply::<T>(body);
}
