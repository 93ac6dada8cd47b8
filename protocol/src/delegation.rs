//! The operator's word for the key of a controller: agents pin the operator's key alone, so that a controller's key can be replaced
//! without going to every host, and is good for no longer than was said.
//!
//! The operator's key signs nothing else and is at hand only then. A newer delegation puts all older ones out of force wherever it
//! has been seen, so that a key that was stolen is of no use there any more. Whether one is in force is asked with the time as an
//! argument: this module is pure.

use std::{fmt, str::FromStr};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use prost::Message;

use crate::{
    VERSION,
    sign::{PublicKey, SignError, hex, hex_32},
    v1,
};

/// The operator's secret key. Never printed.
#[derive(Clone)]
pub struct OperatorKey(SigningKey);

impl OperatorKey {
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Reads the form that [`Self::to_hex`] writes.
    pub fn from_hex(text: &str) -> Result<Self, SignError> {
        hex_32(text).map(|bytes| Self::from_bytes(&bytes))
    }

    /// The secret itself, for its file and nothing else.
    pub fn to_hex(&self) -> String {
        hex(&self.0.to_bytes())
    }

    pub fn public(&self) -> OperatorPublicKey {
        OperatorPublicKey(self.0.verifying_key())
    }

    pub fn delegate(&self, delegation: &Delegation) -> SignedDelegation {
        let message = v1::Delegation {
            version: VERSION,
            key: delegation.key.to_bytes().to_vec(),
            serial: delegation.serial,
            from_unix_ms: delegation.from_unix_ms,
            until_unix_ms: delegation.until_unix_ms,
        };
        let delegation = message.encode_to_vec();
        let signature = self.0.sign(&signed_text(&delegation)).to_bytes().to_vec();
        SignedDelegation(v1::SignedDelegation { delegation, signature }.encode_to_vec())
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKey(public {})", self.public())
    }
}

/// What agents pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorPublicKey(VerifyingKey);

impl OperatorPublicKey {
    /// Reads a delegation after its signature has been found good.
    pub fn open(&self, bytes: &[u8]) -> Result<Delegation, SignError> {
        let signed = v1::SignedDelegation::decode(bytes).map_err(|_| SignError::Malformed)?;
        let signature = Signature::from_slice(&signed.signature).map_err(|_| SignError::Malformed)?;
        let text = signed_text(&signed.delegation);
        self.0.verify_strict(&text, &signature).map_err(|_| SignError::Delegation)?;
        let read = v1::Delegation::decode(signed.delegation.as_slice()).map_err(|_| SignError::Malformed)?;
        if read.version != VERSION {
            return Err(SignError::Malformed);
        }
        Ok(Delegation {
            key: PublicKey::from_bytes(&read.key)?,
            serial: read.serial,
            from_unix_ms: read.from_unix_ms,
            until_unix_ms: read.until_unix_ms,
        })
    }
}

impl FromStr for OperatorPublicKey {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, SignError> {
        VerifyingKey::from_bytes(&hex_32(text)?).map(Self).map_err(|_| SignError::Key)
    }
}

impl fmt::Display for OperatorPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0.as_bytes()))
    }
}

/// Commands that are signed with this key count, for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    pub key: PublicKey,
    /// Rises with each that an operator makes.
    pub serial: u64,
    pub from_unix_ms: i64,
    /// From then on it counts no more.
    pub until_unix_ms: i64,
}

/// Why a delegation does not count now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    #[error("the controller's delegation begins at {0} ms")]
    Later(i64),
    #[error("the controller's delegation ended at {0} ms")]
    Over(i64),
    #[error("the controller's delegation has serial {got}, and {seen} has been seen")]
    Replaced { seen: u64, got: u64 },
}

impl Delegation {
    /// `seen`: the highest serial that was seen.
    pub fn in_force(&self, seen: u64, now_unix_ms: i64) -> Result<(), NotInForce> {
        match now_unix_ms {
            now if now < self.from_unix_ms => Err(NotInForce::Later(self.from_unix_ms)),
            now if now >= self.until_unix_ms => Err(NotInForce::Over(self.until_unix_ms)),
            _ if self.serial < seen => Err(NotInForce::Replaced { seen, got: self.serial }),
            _ => Ok(()),
        }
    }
}

/// A delegation with the operator's signature, as it goes with every command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDelegation(Vec<u8>);

impl SignedDelegation {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// In hex, as its file has it.
impl fmt::Display for SignedDelegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for SignedDelegation {
    type Err = SignError;

    /// Says only that it could be one: whether it is, who has the operator's key can tell.
    fn from_str(text: &str) -> Result<Self, SignError> {
        let bytes = crate::volume_id::bytes_from_hex(text.trim()).ok_or(SignError::Malformed)?;
        v1::SignedDelegation::decode(bytes.as_slice()).map_err(|_| SignError::Malformed)?;
        Ok(Self(bytes))
    }
}

/// Protobuf knows no wire type 7, so that what is signed here is never taken for a message.
fn signed_text(delegation: &[u8]) -> Vec<u8> {
    [b"\x07sanfleet delegation\0".as_slice(), delegation].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sign::CommandKey;

    fn operator() -> OperatorKey {
        OperatorKey::from_bytes(&[1; 32])
    }

    fn delegation() -> Delegation {
        let key = CommandKey::from_bytes(&[7; 32]).public();
        Delegation { key, serial: 3, from_unix_ms: 1_000, until_unix_ms: 2_000 }
    }

    #[test]
    fn a_delegation_is_believed_from_the_operator_and_from_nobody_else() {
        let signed: SignedDelegation = operator().delegate(&delegation()).to_string().parse().unwrap();
        assert_eq!(operator().public().open(signed.as_bytes()), Ok(delegation()));
        let other = OperatorKey::from_bytes(&[2; 32]).public();
        assert_eq!(other.open(signed.as_bytes()), Err(SignError::Delegation));
        let public = operator().public();
        assert_eq!(public.to_string().parse(), Ok(public));
    }

    #[test]
    fn it_counts_between_its_two_moments_and_until_a_newer_one_is_seen() {
        let one = delegation();
        assert_eq!(one.in_force(0, 999), Err(NotInForce::Later(1_000)));
        assert_eq!((one.in_force(3, 1_000), one.in_force(0, 1_999)), (Ok(()), Ok(())));
        assert_eq!(one.in_force(0, 2_000), Err(NotInForce::Over(2_000)));
        assert_eq!(one.in_force(4, 1_500), Err(NotInForce::Replaced { seen: 4, got: 3 }));
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert!(!format!("{:?}", operator()).contains(&operator().to_hex()));
        assert_eq!(OperatorKey::from_hex(&operator().to_hex()).unwrap().public(), operator().public());
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unnoticed(at: prop::sample::Index, by in 1u8..) {
            let mut bytes = operator().delegate(&delegation()).0;
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            // A length that is written in another way is the same delegation.
            if let Ok(opened) = operator().public().open(&bytes) {
                prop_assert_eq!(opened, delegation());
            }
        }

        #[test]
        fn foreign_texts_and_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            prop_assert!(operator().public().open(&bytes).is_err());
            let _ = text.parse::<SignedDelegation>();
        }
    }
}
