//! Initiators and ports as both ends send them: WWPNs in lower case with colons, iSCSI names in lower case.
//!
//! libStorageMgmt's C client takes some spellings that its Python client does not, and passes others on unchanged.

use sanfleet_protocol::initiator::Initiator;
use serde::{Serialize, Serializer};

/// The canonical spelling; a text that names no initiator stays as it is.
pub(crate) fn canonical(text: &str) -> String {
    text.parse::<Initiator>().map_or_else(|_| text.to_owned(), |initiator| initiator.to_string())
}

pub(crate) fn one<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&canonical(text))
}

pub(crate) fn all<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    texts.iter().map(|text| canonical(text)).collect::<Vec<_>>().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_wwpn_becomes_the_one_that_all_clients_take() {
        for text in
            ["10000000C9952FDE", "0x10000000c9952fde", "10-00-00-00-C9-95-2F-DE", "10.00.00.00.c9.95.2f.de"]
        {
            assert_eq!(canonical(text), "10:00:00:00:c9:95:2f:de");
        }
    }

    #[test]
    fn an_iscsi_name_is_lower_case_and_anything_else_stays() {
        assert_eq!(canonical("IQN.2026-01.Example:A"), "iqn.2026-01.example:a");
        assert_eq!(canonical("Host One"), "Host One");
    }
}
