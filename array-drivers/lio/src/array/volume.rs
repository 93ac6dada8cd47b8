//! Volumes: thin logical volumes that carry our tags.

use sanfleet_driver::{AdminState, ErrorNumber, PoolId, Provisioning, Search, Volume, VolumeKey};

use super::{Answer, Array, pool, refused, system_id};
use crate::{
    identity::Serial,
    machine::{New, PoolRow, Survey, VolumeRow},
};

const BLOCK: u64 = 512;
/// Twice as many characters are in a tag, which may have 1,024 (lvm2 `lib/datastruct/str_list.c`).
const NAME_BYTES: usize = 200;

impl VolumeRow {
    pub(super) fn key(&self) -> VolumeKey {
        VolumeKey::new(self.serial.as_str())
    }

    pub(super) fn record(&self) -> Volume {
        Volume {
            id: self.key(),
            name: self.name.clone(),
            vpd83: self.serial.naa(),
            block_size: Some(BLOCK),
            num_of_blocks: Some(self.size / BLOCK),
            admin_state: AdminState::ENABLED,
            system_id: system_id(),
            pool_id: PoolId::new(format!("{}/{}", self.group, self.pool)),
            plugin_data: None,
        }
    }
}

impl Array {
    pub fn volumes(&mut self, search: Option<&Search>) -> Answer<Vec<Volume>> {
        let mut volumes: Vec<Volume> = self.look()?.survey.volumes.iter().map(VolumeRow::record).collect();
        if let Some(search) = search.filter(|search| search.key == "pool_id") {
            volumes.retain(|volume| volume.pool_id.as_str() == search.value);
        }
        Ok(volumes)
    }

    pub fn volume_ids(&mut self, key: &VolumeKey) -> Answer<Vec<String>> {
        let look = self.look()?;
        Ok(vec![format!("naa.{}", find(&look.survey, key)?.serial.naa())])
    }

    pub fn volume_create(
        &mut self,
        pool: &PoolId,
        name: &str,
        size: u64,
        provisioning: Provisioning,
    ) -> Answer<Volume> {
        let look = self.look()?;
        let pool = pool::find(&look.survey, pool)?;
        if provisioning == Provisioning::FULL {
            return refused(ErrorNumber::InvalidArgument, "volumes of a thin pool are thin");
        }
        require_possible(pool, size)?;
        require_nameable(name)?;
        let serial = Serial::mint();
        self.machine.make(New { serial: &serial, name }, pool, size.next_multiple_of(BLOCK))?;
        self.made(&serial)
    }

    /// A copy that shares its blocks with its source until either is written to. It is in the source's pool.
    pub fn volume_clone(&mut self, pool: Option<&PoolId>, source: &VolumeKey, name: &str) -> Answer<Volume> {
        require_nameable(name)?;
        if let Some(pool) = pool {
            self.require_in(pool, source)?;
        }
        let Ok(source) = source.as_str().parse() else { return no_volume(source) };
        let copy = self.machine.copy(New { serial: &Serial::mint(), name }, &source)?;
        Ok(copy.record())
    }

    fn require_in(&mut self, pool: &PoolId, source: &VolumeKey) -> Answer<()> {
        let look = self.look()?;
        pool::find(&look.survey, pool)?;
        let own = find(&look.survey, source)?.record().pool_id;
        match own == *pool {
            true => Ok(()),
            false => refused(
                ErrorNumber::NoSupport,
                format!("a clone is in the pool of its source, which is {own}"),
            ),
        }
    }

    fn made(&mut self, serial: &Serial) -> Answer<Volume> {
        let look = self.look()?;
        match look.survey.volumes.iter().find(|volume| volume.serial == *serial) {
            Some(volume) => Ok(volume.record()),
            None => {
                refused(ErrorNumber::PluginBug, format!("LVM made volume {serial}, and does not list it"))
            }
        }
    }

    pub fn volume_resize(&mut self, key: &VolumeKey, size: u64) -> Answer<Volume> {
        let look = self.look()?;
        let volume = find(&look.survey, key)?;
        if size <= volume.size {
            return match size == volume.size {
                true => refused(ErrorNumber::NoStateChange, format!("volume {key} has {size} bytes")),
                false => refused(
                    ErrorNumber::NoSupport,
                    "volumes are not made smaller: what is on them would be lost",
                ),
            };
        }
        let pool = look.survey.pools.iter().find(|pool| pool.id() == volume.record().pool_id);
        match pool {
            Some(pool) => require_possible(pool, size)?,
            None => return refused(ErrorNumber::NotFoundPool, format!("the pool of volume {key} is gone")),
        }
        self.machine.grow(volume, size.next_multiple_of(BLOCK))?;
        self.made(&volume.serial)
    }

    pub fn volume_delete(&mut self, key: &VolumeKey) -> Answer<()> {
        let look = self.look()?;
        let volume = find(&look.survey, key)?;
        if look.state.is_masked(&volume.serial) {
            return refused(ErrorNumber::IsMasked, format!("volume {key} is shown to an access group"));
        }
        Ok(self.machine.remove(volume)?)
    }
}

pub(super) fn find<'a>(survey: &'a Survey, key: &VolumeKey) -> Answer<&'a VolumeRow> {
    match survey.volumes.iter().find(|volume| volume.serial.as_str() == key.as_str()) {
        Some(volume) => Ok(volume),
        None => no_volume(key),
    }
}

fn no_volume<T>(key: &VolumeKey) -> Answer<T> {
    refused(ErrorNumber::NotFoundVolume, format!("no volume {key}"))
}

/// Space is promised more than once, but a volume that is larger than all of it could never be filled.
fn require_possible(pool: &PoolRow, size: u64) -> Answer<()> {
    if size == 0 {
        return refused(ErrorNumber::InvalidArgument, "a volume has a size");
    }
    match size > pool.size {
        true => refused(
            ErrorNumber::NotEnoughSpace,
            format!("pool {} has {} bytes, not {size}", pool.id(), pool.size),
        ),
        false => Ok(()),
    }
}

fn require_nameable(name: &str) -> Answer<()> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        let message = format!("a volume's name has 1 to {NAME_BYTES} bytes and no control characters");
        return refused(ErrorNumber::InvalidArgument, message);
    }
    Ok(())
}
