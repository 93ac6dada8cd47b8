//! A connection to the servers of a bus, as a user whom its folder has just made.

use std::path::Path;

use async_nats::{Client, ConnectOptions, ServerAddr};
use sanfleet_protocol::credentials::identity;

use super::{BusError, certificate::CA};

/// `folder`: that of the bus, with what servers are trusted by.
pub async fn connect(servers: &[ServerAddr], folder: &Path, credentials: &str) -> Result<Client, BusError> {
    // Never the reason: it could show a part of the seed.
    let none =
        || BusError::Content { path: folder.to_owned(), why: "holds no credentials for it".to_owned() };
    let own = identity(credentials).ok_or_else(none)?;
    let options = ConnectOptions::with_credentials(credentials)
        .map_err(|_| none())?
        .require_tls(true)
        .add_root_certificates(folder.join(CA))
        .custom_inbox_prefix(own.inbox);
    options.connect(servers).await.map_err(|error| unreachable(servers, error.into()))
}

pub fn unreachable(servers: &[ServerAddr], source: Box<dyn std::error::Error + Send + Sync>) -> BusError {
    let shown: Vec<_> = servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
    BusError::Unreachable { servers: shown.join(", "), source }
}
