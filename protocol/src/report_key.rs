//! Signatures of reports: a host says what it has under a key of its own, so that nobody else on the bus can say it in
//! its name.
//!
//! A controller knows a host by the first key that it has shown, until an operator names another. What a host says is
//! evidence all the same: the key tells who says it, not that it is so.

use std::{fmt, str::FromStr};

use prost::Message;

use crate::{
    limits,
    sign::{CommandKey, PublicKey, SignError},
    v1,
};

/// A report may have this much around it, in bytes.
const AROUND_BYTES: usize = 256;

/// A host's secret key. Never printed.
#[derive(Clone)]
pub struct ReportKey(CommandKey);

impl ReportKey {
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(CommandKey::from_bytes(secret))
    }

    /// Reads the form that [`Self::to_hex`] writes.
    pub fn from_hex(text: &str) -> Result<Self, SignError> {
        CommandKey::from_hex(text).map(Self)
    }

    /// The secret itself, for its file and nothing else.
    pub fn to_hex(&self) -> String {
        self.0.to_hex()
    }

    pub fn public(&self) -> ReportPublicKey {
        ReportPublicKey(self.0.public())
    }

    pub fn sign(&self, report: &v1::HostReport) -> v1::SignedReport {
        let report = report.encode_to_vec();
        let signature = self.0.sign_report(&report);
        v1::SignedReport { report, signature, key: self.0.public().to_bytes().to_vec() }
    }
}

impl fmt::Debug for ReportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportKey(public {})", self.public())
    }
}

/// What a host is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPublicKey(PublicKey);

impl fmt::Display for ReportPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReportPublicKey {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, SignError> {
        text.parse().map(Self)
    }
}

/// Reads a report that is signed, by whatever key it names, or that is bare, as earlier agents send them.
pub fn open(bytes: &[u8]) -> Result<(v1::HostReport, Option<ReportPublicKey>), SignError> {
    if bytes.len() > limits::REPORT_BYTES + AROUND_BYTES {
        return Err(SignError::LargeReport(bytes.len()));
    }
    let signed = v1::SignedReport::decode(bytes).map_err(|_| SignError::NoReport)?;
    if signed == v1::SignedReport::default() {
        return Ok((decode(bytes)?, None));
    }
    let key = PublicKey::from_bytes(&signed.key)?;
    key.verify_report(&signed.report, &signed.signature)?;
    Ok((decode(&signed.report)?, Some(ReportPublicKey(key))))
}

fn decode(report: &[u8]) -> Result<v1::HostReport, SignError> {
    v1::HostReport::decode(report).map_err(|_| SignError::NoReport)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> ReportKey {
        ReportKey::from_bytes(&[7; 32])
    }

    fn report() -> v1::HostReport {
        v1::HostReport { version: 1, host: "db1".to_owned(), generation: 5, ..Default::default() }
    }

    #[test]
    fn a_signed_report_opens_with_its_key_and_a_bare_one_without() {
        let signed = key().sign(&report()).encode_to_vec();
        assert_eq!(open(&signed).unwrap(), (report(), Some(key().public())));
        assert_eq!(open(&report().encode_to_vec()).unwrap(), (report(), None));
        assert_eq!(key().public().to_string().parse(), Ok(key().public()));
    }

    #[test]
    fn what_is_signed_as_a_report_is_no_command_and_the_other_way_round() {
        let signed = key().sign(&report());
        let as_command = v1::SignedCommand {
            command: signed.report.clone(),
            signature: signed.signature,
            delegation: Vec::new(),
        };
        assert_eq!(
            CommandKey::from_bytes(&[7; 32]).public().open_signed(&as_command),
            Err(SignError::Signature)
        );
        let command = CommandKey::from_bytes(&[7; 32]).sign(&v1::Command::default());
        let as_report =
            v1::SignedReport { report: command.command, signature: command.signature, key: signed.key };
        assert_eq!(open(&as_report.encode_to_vec()), Err(SignError::Report));
    }

    proptest! {
        #[test]
        fn one_byte_changed_and_it_is_no_report_of_that_key(place: prop::sample::Index, change in 1u8..) {
            let mut bytes = key().sign(&report()).encode_to_vec();
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            let opened = open(&bytes);
            prop_assert!(!matches!(&opened, Ok((_, Some(by))) if *by == key().public()), "{opened:?}");
        }
    }
}
