//! A volume of an array that a run is about, as planning found it.

use sanfleet_protocol::{ArrayId, VolumeId, v1};

use crate::{matching::VolumeRef, runs::params::ParamsError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayVolume {
    pub at: VolumeRef,
    pub id: VolumeId,
    pub name: String,
    pub size_bytes: u64,
}

impl ArrayVolume {
    pub fn array(&self) -> &ArrayId {
        &self.at.array
    }

    /// The array's own id of it.
    pub fn key(&self) -> &str {
        self.at.volume.as_str()
    }

    pub fn to_message(&self) -> v1::ArrayVolume {
        v1::ArrayVolume {
            array: self.at.array.to_string(),
            volume: self.at.volume.to_string(),
            volume_id: self.id.to_string(),
            name: self.name.clone(),
            size_bytes: self.size_bytes,
        }
    }

    pub fn from_message(message: Option<&v1::ArrayVolume>) -> Result<Self, ParamsError> {
        let message = message.ok_or(ParamsError::Missing { field: "volume" })?;
        let volume = sanfleet_driver::VolumeKey::new(message.volume.as_str());
        Ok(Self {
            at: VolumeRef { array: message.array.parse()?, volume },
            id: message.volume_id.parse()?,
            name: message.name.clone(),
            size_bytes: message.size_bytes,
        })
    }
}
