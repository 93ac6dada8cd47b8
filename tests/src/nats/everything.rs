//! A user without any limit, signed with the account's own key: what a test is that watches the bus, or plays everybody on it.

use std::{fs, path::Path};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::json;

/// Of the bus whose keys are in this folder.
pub fn credentials(bus: &Path) -> anyhow::Result<String> {
    let account = KeyPair::from_seed(fs::read_to_string(bus.join("keys/account.nk"))?.trim())?;
    let user = KeyPair::new_user();
    let claims = json!({
        "jti": "everything", "iat": 0, "iss": account.public_key(), "name": "everything", "sub": user.public_key(),
        "nats": {
            "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
        },
    });
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let text = format!("{}.{}", encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#), encode(&claims.to_string()));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(account.sign(text.as_bytes())?);
    Ok(format!(
        "-----BEGIN NATS USER JWT-----\n{text}.{signature}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed()?
    ))
}
