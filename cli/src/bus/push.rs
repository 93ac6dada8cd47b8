//! Telling the servers that run what an account is now. They cut off at once whoever has lost its rights.
//!
//! Source: NATS documentation, "NATS-based resolver": the account's text on `$SYS.REQ.CLAIMS.UPDATE`, answered in JSON.

use std::{path::Path, time::Duration};

use async_nats::{ConnectOptions, ServerAddr};
use nkeys::KeyPair;
use sanfleet_protocol::credentials::{identity, inbox_of};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    BusError,
    certificate::CA,
    folder,
    keys::Keys,
    token::{self, Seconds},
};

pub const UPDATE: &str = "$SYS.REQ.CLAIMS.UPDATE";
const WITHIN: Duration = Duration::from_secs(10);

/// The server's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    error: Option<Trouble>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Trouble {
    description: String,
}

/// For a user that can do this and nothing else.
pub fn credentials(keys: &Keys, now: Seconds) -> Result<String, BusError> {
    let key = KeyPair::new_user();
    let token = token::pusher(keys, &key.public_key(), &inbox_of(&key.public_key()), now)?;
    Ok(token::credentials(&token, &key.seed()?))
}

/// `folder`: that of the bus, with what lets us in and what servers are trusted by.
pub async fn push(servers: &[ServerAddr], folder: &Path, account: String) -> Result<(), BusError> {
    let shown: Vec<_> = servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
    let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| BusError::Unreachable {
        servers: shown.join(", "),
        source,
    };
    let (path, authority) = (folder.join(folder::PUSHER), folder.join(CA));
    let text = folder::read(&path)?;
    let options = ConnectOptions::with_credentials(&text)
        .map_err(|error| BusError::Content { path, why: error.to_string() })?
        .require_tls(true)
        .add_root_certificates(authority);
    let options = match identity(&text) {
        Some(own) => options.custom_inbox_prefix(own.inbox),
        None => options,
    };
    let client = options.connect(servers).await.map_err(|error| unreachable(error.into()))?;
    let answer = timeout(WITHIN, client.request(UPDATE, account.into()))
        .await
        .map_err(|error| unreachable(error.into()))?
        .map_err(|error| unreachable(error.into()))?;
    let answer: Answer = serde_json::from_slice(&answer.payload)
        .map_err(|error| BusError::Refused { why: format!("an answer that is none: {error}") })?;
    match answer.error {
        None => Ok(()),
        Some(trouble) => Err(BusError::Refused { why: trouble.description }),
    }
}
