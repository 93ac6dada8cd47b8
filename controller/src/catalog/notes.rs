//! What operators have said of a host: that nothing new is put there, and what it is called by.

use std::collections::BTreeMap;

use sanfleet_protocol::{
    labels::{LabelError, LabelKey, LabelValue, Labels},
    v1,
};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostNotes {
    /// Nothing new is put there.
    pub cordoned: bool,
    /// They count more than the agent's own.
    pub labels: Labels,
}

impl HostNotes {
    pub fn to_message(&self) -> v1::HostNotes {
        v1::HostNotes { cordoned: self.cordoned, labels: texts(&self.labels) }
    }

    pub fn from_message(message: &v1::HostNotes) -> Result<Self, LabelError> {
        let labels = message.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Ok(Self { cordoned: message.cordoned, labels: Labels::parse(labels)? })
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
