//! Whose commands count here: those of the controller whose key is pinned, or of whichever controller the pinned operator has
//! given his word for. This module refuses to learn another key from anybody.

use std::sync::{Mutex, PoisonError};

use sanfleet_protocol::{
    delegation::{Delegation, NotInForce, OperatorPublicKey},
    sign::{PublicKey, SignError, decode_signed},
    v1,
};

/// The key in the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinned {
    Controller(PublicKey),
    Operator(OperatorPublicKey),
}

/// Why a message is no command of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    #[error(transparent)]
    Signature(#[from] SignError),
    #[error("the controller shows no delegation of the operator's")]
    NoDelegation,
    #[error(transparent)]
    NotInForce(#[from] NotInForce),
}

#[derive(Debug)]
pub struct Trust {
    pinned: Pinned,
    /// The delegation that was looked at last, as it came: nearly always the next command brings the same.
    looked_at: Mutex<Option<(Vec<u8>, Delegation)>>,
}

/// A command that counts.
#[derive(Debug)]
pub struct Trusted {
    pub command: v1::Command,
    /// The serial of a delegation that is newer than all that were seen: it has to be written down before the command counts.
    pub newer: Option<u64>,
}

impl Trust {
    pub fn new(pinned: Pinned) -> Self {
        Self { pinned, looked_at: Mutex::default() }
    }

    /// `seen`: the highest serial of a delegation that was seen.
    pub fn open(&self, bytes: &[u8], seen: u64, now_unix_ms: i64) -> Result<Trusted, Untrusted> {
        let signed = decode_signed(bytes)?;
        let operator = match &self.pinned {
            Pinned::Controller(key) => {
                return Ok(Trusted { command: key.open_signed(&signed)?, newer: None });
            }
            Pinned::Operator(operator) => operator,
        };
        let delegation = self.delegation(operator, &signed.delegation)?;
        delegation.in_force(seen, now_unix_ms)?;
        let command = delegation.key.open_signed(&signed)?;
        Ok(Trusted { command, newer: Some(delegation.serial).filter(|serial| *serial > seen) })
    }

    fn delegation(&self, operator: &OperatorPublicKey, bytes: &[u8]) -> Result<Delegation, Untrusted> {
        if bytes.is_empty() {
            return Err(Untrusted::NoDelegation);
        }
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, delegation)) = looked_at.as_ref()
            && known == bytes
        {
            return Ok(delegation.clone());
        }
        let delegation = operator.open(bytes)?;
        *looked_at = Some((bytes.to_vec(), delegation.clone()));
        Ok(delegation)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use sanfleet_protocol::{delegation::OperatorKey, sign::CommandKey};

    use super::*;

    const NOW: i64 = 1_000_000;

    fn operator() -> OperatorKey {
        OperatorKey::from_bytes(&[1; 32])
    }

    fn key(n: u8) -> CommandKey {
        CommandKey::from_bytes(&[n; 32])
    }

    fn delegated(to: &CommandKey, serial: u64) -> Delegation {
        Delegation { key: to.public(), serial, from_unix_ms: NOW - 1, until_unix_ms: NOW + 1_000 }
    }

    fn message(by: &CommandKey, delegation: Option<&Delegation>) -> Vec<u8> {
        let command = v1::Command { host: "db1".into(), ..Default::default() };
        let delegation = delegation.map(|delegation| operator().delegate(delegation).as_bytes().to_vec());
        v1::SignedCommand { delegation: delegation.unwrap_or_default(), ..by.sign(&command) }.encode_to_vec()
    }

    fn trust() -> Trust {
        Trust::new(Pinned::Operator(operator().public()))
    }

    #[test]
    fn a_controller_counts_with_the_operators_word_and_not_without() {
        let good = message(&key(7), Some(&delegated(&key(7), 5)));
        assert_eq!(trust().open(&good, 0, NOW).unwrap().newer, Some(5));
        assert_eq!(trust().open(&good, 5, NOW).unwrap().newer, None);
        assert_eq!(trust().open(&message(&key(7), None), 0, NOW).unwrap_err(), Untrusted::NoDelegation);
        let anothers = message(&key(8), Some(&delegated(&key(7), 5)));
        assert_eq!(trust().open(&anothers, 0, NOW).unwrap_err(), SignError::Signature.into());
        let by_itself = OperatorKey::from_bytes(&[7; 32]).delegate(&delegated(&key(7), 5));
        let signed = v1::SignedCommand {
            delegation: by_itself.as_bytes().to_vec(),
            ..key(7).sign(&v1::Command::default())
        };
        let error = trust().open(&signed.encode_to_vec(), 0, NOW).unwrap_err();
        assert_eq!(error, SignError::Delegation.into());
    }

    #[test]
    fn a_delegation_ends_and_is_replaced_though_it_was_looked_at_before() {
        let trust = trust();
        let old = message(&key(7), Some(&delegated(&key(7), 5)));
        assert!(trust.open(&old, 0, NOW).is_ok());
        assert!(matches!(
            trust.open(&old, 0, NOW + 1_000).unwrap_err(),
            Untrusted::NotInForce(NotInForce::Over(_))
        ));
        assert_eq!(
            trust.open(&old, 6, NOW).unwrap_err(),
            Untrusted::NotInForce(NotInForce::Replaced { seen: 6, got: 5 })
        );
        assert!(trust.open(&message(&key(8), Some(&delegated(&key(8), 6))), 5, NOW).is_ok());
    }

    #[test]
    fn where_a_controller_is_pinned_its_key_is_enough() {
        let trust = Trust::new(Pinned::Controller(key(7).public()));
        assert!(trust.open(&message(&key(7), None), 0, NOW).is_ok());
        assert!(trust.open(&message(&key(7), Some(&delegated(&key(7), 1))), 9, NOW).is_ok());
        assert!(trust.open(&message(&key(8), Some(&delegated(&key(8), 1))), 0, NOW).is_err());
    }
}
