//! The operator's key for commands, and his word for the keys of controllers.

use std::path::{Path, PathBuf};

use sanfleet_protocol::{
    delegation::{Delegation, OperatorKey, OperatorPublicKey, SignedDelegation},
    seal::{SecureRandom as _, SystemRandom},
    sign::PublicKey,
};

use super::{BusError, folder, token::Seconds};

/// Clocks of hosts may be behind by as much.
const EARLIER_MS: i64 = 5 * 60 * 1000;

/// Makes the key.
pub fn create(keys: &Path) -> Result<OperatorPublicKey, BusError> {
    let mut secret = [0u8; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| BusError::Random)?;
    let key = OperatorKey::from_bytes(&secret);
    folder::write_new(&file(keys), &format!("{}\n", key.to_hex()))?;
    Ok(key.public())
}

/// Good from the first of the two moments to the second.
pub fn delegate(
    keys: &Path,
    key: PublicKey,
    serial: u64,
    (from, until): (Seconds, Seconds),
) -> Result<SignedDelegation, BusError> {
    let path = file(keys);
    // Never the reason: it could show a part of the key.
    let operator = OperatorKey::from_hex(&folder::read(&path)?)
        .map_err(|_| BusError::Content { path, why: "holds no such key".to_owned() })?;
    let in_ms = |seconds: Seconds| seconds.0.saturating_mul(1000);
    Ok(operator.delegate(&Delegation {
        key,
        serial,
        from_unix_ms: in_ms(from).saturating_sub(EARLIER_MS),
        until_unix_ms: in_ms(until),
    }))
}

fn file(keys: &Path) -> PathBuf {
    keys.join("commands.key")
}
