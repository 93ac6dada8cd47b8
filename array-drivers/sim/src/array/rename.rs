//! Giving a volume another name. Its id, its file and its identity stay.

use rusqlite::params;
use sanfleet_driver::{ErrorNumber, Volume, VolumeKey};

use super::{
    Array,
    volume::{self, VolumeRow},
};
use crate::error::{Result, SimError};

impl Array {
    pub fn volume_rename(&self, key: &VolumeKey, name: &str) -> Result<Volume> {
        let change = self.begin()?;
        let volume = volume::find(&change, key)?;
        if volume.name == name {
            let message = format!("the volume is named {name}");
            return Err(SimError::refused(ErrorNumber::NoStateChange, message));
        }
        volume::check_name(&change, name)?;
        change
            .prepare_cached("UPDATE volume SET name = ?2 WHERE id = ?1")?
            .execute(params![volume.id, name])?;
        change.commit()?;
        self.record(VolumeRow { name: name.to_owned(), ..volume })
    }
}
