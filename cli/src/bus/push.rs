//! Telling the servers that run what an account is now. They cut off at once whoever has lost its rights.
//!
//! Source: NATS documentation, "NATS-based resolver": the account's text on `$SYS.REQ.CLAIMS.UPDATE`, answered in JSON.

use std::{path::Path, time::Duration};

use async_nats::ServerAddr;
use nkeys::KeyPair;
use sanfleet_protocol::credentials::{self, inbox_of};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    BusError,
    connect::{connect, unreachable},
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
pub fn pusher(keys: &Keys, now: Seconds) -> Result<String, BusError> {
    let key = KeyPair::new_user();
    let token = token::pusher(keys, &key.public_key(), &inbox_of(&key.public_key()), now)?;
    Ok(credentials::file(&token, &key.seed()?))
}

/// `folder`: that of the bus, with what lets us in and what servers are trusted by.
pub async fn push(servers: &[ServerAddr], folder: &Path, account: String) -> Result<(), BusError> {
    let client = connect(servers, folder, &folder::read(&folder.join(folder::PUSHER))?).await?;
    let unreachable = |error| unreachable(servers, error);
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
