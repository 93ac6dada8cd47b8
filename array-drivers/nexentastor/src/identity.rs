//! What hosts see of a volume: the GUID of its COMSTAR logical unit, which is an NAA id.

use sanfleet_protocol::volume_id::VolumeId;
use serde::Deserialize;

/// The NAA id in hex, lower case, without a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Naa(String);

/// Why a text is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no NAA id")]
pub(crate) struct NoNaa(String);

impl Naa {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Naa {
    type Error = NoNaa;

    /// COMSTAR writes the digits in capitals.
    fn try_from(text: String) -> Result<Self, NoNaa> {
        let hex = text.to_ascii_lowercase();
        match VolumeId::from_lsm_vpd83(&hex) {
            Some(_) => Ok(Self(hex)),
            None => Err(NoNaa(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_of_comstar_is_an_naa_id_and_nothing_else_is_one() {
        let naa = Naa::try_from("600144F0C73ABF0F00004C7C0D510001".to_owned()).unwrap();
        assert_eq!(naa.as_str(), "600144f0c73abf0f00004c7c0d510001");
        for bad in ["", "0x600144F0", "600144F0C73ABF0F00004C7C0D51000G", "tank/vol"] {
            assert!(Naa::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
