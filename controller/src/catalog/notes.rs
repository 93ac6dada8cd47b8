//! What is known of a host that it does not report: that nothing new is put there, what it is called by, whose reports are its own.

use std::collections::BTreeMap;

use sanfleet_protocol::{
    ReportPublicKey,
    labels::{LabelError, LabelKey, LabelValue, Labels},
    sign::SignError,
    v1,
};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostNotes {
    /// Nothing new is put there.
    pub cordoned: bool,
    /// They count more than the agent's own.
    pub labels: Labels,
    /// Whoever reports in its name has this key; anybody where there is none.
    pub report_key: Option<ReportPublicKey>,
}

/// Why what was kept cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error(transparent)]
    Key(#[from] SignError),
}

/// Whether a report is a host's own, by the key that signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    Known,
    /// The host has shown none before.
    New,
    Other,
}

impl HostNotes {
    pub fn to_message(&self) -> v1::HostNotes {
        let report_key = self.report_key.as_ref().map(ToString::to_string).unwrap_or_default();
        v1::HostNotes { cordoned: self.cordoned, labels: texts(&self.labels), report_key }
    }

    pub fn from_message(message: &v1::HostNotes) -> Result<Self, NoteError> {
        let labels = message.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let key = Some(message.report_key.as_str()).filter(|key| !key.is_empty());
        Ok(Self {
            cordoned: message.cordoned,
            labels: Labels::parse(labels)?,
            report_key: key.map(str::parse).transpose()?,
        })
    }

    /// Whose a report is that this key has signed, or none has.
    pub fn signer(&self, key: Option<&ReportPublicKey>) -> Signer {
        match (&self.report_key, key) {
            (None, None) => Signer::Known,
            (None, Some(_)) => Signer::New,
            (Some(known), Some(key)) if known == key => Signer::Known,
            (Some(_), _) => Signer::Other,
        }
    }

    /// The value that a host goes by: the operator's, or else what its agent reported.
    pub fn label<'a>(&'a self, key: &str, reported: &'a v1::HostReport) -> Option<&'a str> {
        let said = key.parse::<LabelKey>().ok().and_then(|key| self.labels.get(&key));
        said.map(LabelValue::as_str).or_else(|| reported.labels.get(key).map(String::as_str))
    }

    /// All labels that a host goes by.
    pub fn merged(&self, reported: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        reported.clone().into_iter().chain(texts(&self.labels)).collect()
    }
}

fn texts(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::ReportKey;

    use super::*;

    #[test]
    fn a_host_is_known_by_the_first_key_and_nobody_else_reports_for_it() {
        let [own, other] = [1, 2].map(|byte| ReportKey::from_bytes(&[byte; 32]).public());
        let unknown = HostNotes::default();
        assert_eq!((unknown.signer(None), unknown.signer(Some(&own))), (Signer::Known, Signer::New));
        let known = HostNotes { report_key: Some(own.clone()), ..HostNotes::default() };
        assert_eq!(known.signer(Some(&own)), Signer::Known);
        assert_eq!((known.signer(Some(&other)), known.signer(None)), (Signer::Other, Signer::Other));
        assert_eq!(HostNotes::from_message(&known.to_message()).unwrap(), known);
    }
}
