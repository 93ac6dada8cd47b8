//! Signatures of commands: Ed25519 over the exact bytes that were sent (RFC 8032).
//!
//! The bytes hold the host they are for, the run, the fence and the expiry, so a signature cannot be moved to another
//! host or another time. Whether a signed command may *still* be carried out is not decided here: an agent asks its ledger.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use prost::Message;

use crate::{limits, v1};

/// Why a signed command is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("signed command has {0} bytes, more than {max}", max = limits::COMMAND_BYTES)]
    TooLarge(usize),
    #[error("not a signed command")]
    Malformed,
    #[error("signature is not by the controller's key")]
    Signature,
    #[error("delegation is not by the operator's key")]
    Delegation,
    #[error("report has {0} bytes, more than {max}", max = limits::REPORT_BYTES)]
    LargeReport(usize),
    #[error("not a report")]
    NoReport,
    #[error("signature is not by the key that the report names")]
    Report,
    #[error("a key is 64 hex digits (32 bytes)")]
    Key,
}

/// The controller's secret key. Never printed.
#[derive(Clone)]
pub struct CommandKey(SigningKey);

impl CommandKey {
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

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs the key to which a secret is to be sealed, see `seal`.
    pub fn sign_sealing_key(&self, key: &[u8]) -> Vec<u8> {
        self.0.sign(&sealing_key_text(key)).to_bytes().to_vec()
    }

    /// Signs the bytes of a record of the audit.
    pub fn sign_audit(&self, record: &[u8]) -> Vec<u8> {
        self.0.sign(&audit_text(record)).to_bytes().to_vec()
    }

    /// Signs the bytes of a host's report, see `report_key`.
    pub(crate) fn sign_report(&self, report: &[u8]) -> Vec<u8> {
        self.0.sign(&report_text(report)).to_bytes().to_vec()
    }

    pub fn sign(&self, command: &v1::Command) -> v1::SignedCommand {
        let command = command.encode_to_vec();
        let signature = self.0.sign(&command).to_bytes().to_vec();
        v1::SignedCommand { command, signature, delegation: Vec::new() }
    }
}

impl fmt::Debug for CommandKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandKey(public {})", self.public())
    }
}

/// The key that agents pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        let bytes = bytes.try_into().map_err(|_| SignError::Key)?;
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| SignError::Key)
    }

    pub(crate) fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Decodes a command only after its signature has been found good.
    pub fn open(&self, bytes: &[u8]) -> Result<v1::Command, SignError> {
        self.open_signed(&decode_signed(bytes)?)
    }

    /// The same of one whose envelope was read already.
    pub fn open_signed(&self, signed: &v1::SignedCommand) -> Result<v1::Command, SignError> {
        let signature = Signature::from_slice(&signed.signature).map_err(|_| SignError::Malformed)?;
        self.0.verify_strict(&signed.command, &signature).map_err(|_| SignError::Signature)?;
        v1::Command::decode(signed.command.as_slice()).map_err(|_| SignError::Malformed)
    }

    /// Whether this controller wrote these bytes into the audit.
    pub fn verify_audit(&self, record: &[u8], signature: &[u8]) -> Result<(), SignError> {
        let signature = Signature::from_slice(signature).map_err(|_| SignError::Malformed)?;
        self.0.verify_strict(&audit_text(record), &signature).map_err(|_| SignError::Signature)
    }

    /// Whether who has this key has said this of itself.
    pub(crate) fn verify_report(&self, report: &[u8], signature: &[u8]) -> Result<(), SignError> {
        let signature = Signature::from_slice(signature).map_err(|_| SignError::NoReport)?;
        self.0.verify_strict(&report_text(report), &signature).map_err(|_| SignError::Report)
    }

    /// Whether this controller wants secrets sealed to this key.
    pub fn verify_sealing_key(&self, key: &[u8], signature: &[u8]) -> Result<(), SignError> {
        let signature = Signature::from_slice(signature).map_err(|_| SignError::Malformed)?;
        self.0.verify_strict(&sealing_key_text(key), &signature).map_err(|_| SignError::Signature)
    }
}

/// Reads the envelope of a command. Nothing in it is to be believed yet.
pub fn decode_signed(bytes: &[u8]) -> Result<v1::SignedCommand, SignError> {
    match bytes.len() > limits::COMMAND_BYTES {
        true => Err(SignError::TooLarge(bytes.len())),
        false => v1::SignedCommand::decode(bytes).map_err(|_| SignError::Malformed),
    }
}

/// What a signature over a record of the audit is made over.
fn audit_text(record: &[u8]) -> Vec<u8> {
    [b"\x07sanfleet audit record\0".as_slice(), record].concat()
}

/// What a host's signature is made over.
fn report_text(report: &[u8]) -> Vec<u8> {
    [b"\x07sanfleet host report\0".as_slice(), report].concat()
}

/// Protobuf knows no wire type 7, so no message begins with this byte: what is signed here is never taken for a command.
fn sealing_key_text(key: &[u8]) -> Vec<u8> {
    [b"\x07sanfleet sealing key\0".as_slice(), key].concat()
}

impl std::str::FromStr for PublicKey {
    type Err = SignError;
    fn from_str(text: &str) -> Result<Self, SignError> {
        VerifyingKey::from_bytes(&hex_32(text)?).map(Self).map_err(|_| SignError::Key)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0.as_bytes()))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn hex_32(text: &str) -> Result<[u8; 32], SignError> {
    let bytes = crate::volume_id::bytes_from_hex(text.trim()).ok_or(SignError::Key)?;
    bytes.try_into().map_err(|_| SignError::Key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> CommandKey {
        CommandKey::from_bytes(&[7; 32])
    }

    fn command() -> v1::Command {
        v1::Command { version: 1, host: "db1".into(), fence: 3, ..Default::default() }
    }

    #[test]
    fn a_command_opens_with_the_key_it_was_signed_with_and_no_other() {
        let bytes = key().sign(&command()).encode_to_vec();
        assert_eq!(key().public().open(&bytes), Ok(command()));
        let other = CommandKey::from_bytes(&[8; 32]).public();
        assert_eq!(other.open(&bytes), Err(SignError::Signature));
    }

    #[test]
    fn a_key_reads_back_and_does_not_print_its_secret() {
        let public = key().public();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(CommandKey::from_hex(&key().to_hex()).unwrap().public(), key().public());
        assert!(!format!("{:?}", key()).contains(&key().to_hex()));
    }

    #[test]
    fn a_sealing_key_is_believed_with_its_own_signature_only() {
        let signature = key().sign_sealing_key(b"one");
        assert_eq!(key().public().verify_sealing_key(b"one", &signature), Ok(()));
        assert_eq!(key().public().verify_sealing_key(b"two", &signature), Err(SignError::Signature));
        assert_eq!(key().public().verify_sealing_key(b"one", b""), Err(SignError::Malformed));
    }

    #[test]
    fn a_signed_sealing_key_is_no_command() {
        let command = sealing_key_text(&[0; 32]);
        let signature = key().sign_sealing_key(&[0; 32]);
        let bytes = v1::SignedCommand { command, signature, delegation: Vec::new() }.encode_to_vec();
        assert_eq!(key().public().open(&bytes), Err(SignError::Malformed));
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unnoticed(at in 0usize..200, by in 1u8..=255) {
            let mut bytes = key().sign(&command()).encode_to_vec();
            let at = at % bytes.len();
            bytes[at] ^= by;
            // A change of an unsigned length may still decode to the same two fields; then it is the same command.
            if let Ok(opened) = key().public().open(&bytes) {
                prop_assert_eq!(opened, command());
            }
        }

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(key().public().open(&bytes).is_err());
        }
    }
}
