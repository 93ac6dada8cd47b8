//! Pools and volumes.

use serde_json::{Value, json};

use super::{Answer, FILES, LINEAR, Place, Refusal, State, THIN, chance, refuse};

/// LVM's extents.
const EXTENT: u64 = 4 << 20;
const BASE62: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[derive(Debug, Clone)]
pub struct Volume {
    pub uuid: String,
    pub size: u64,
    /// It has a device.
    pub active: bool,
}

fn uuid() -> String {
    let parts = [6, 4, 4, 4, 4, 4, 6].map(|length| chance(BASE62, length));
    parts.join("-")
}

pub fn volume_group(pool: &str) -> &str {
    pool.split('/').next().unwrap()
}

fn too_small<T>(size: u64, (pool, name): &Place) -> Result<T, Refusal> {
    let message = format!("Size {size} need a larger than size in original volume {name} in pool {pool}");
    refuse(-32602, message)
}

impl State {
    pub fn pool_list(&self) -> Value {
        let (size, used) = (self.config.pool_bytes, self.linear_bytes());
        let mut pools = vec![
            json!({"name": THIN, "size": size, "free_size": size - 108, "type": "block",
                "uuid": "OwkgpA-XfnL-uHy9-eVQz-w9c5-Bw0M-5qnImh"}),
            json!({"name": FILES, "size": size, "free_size": size / 8 * 7, "type": "fs"}),
        ];
        if self.config.linear {
            let size = self.linear_size();
            pools.push(json!({"name": LINEAR, "size": size, "free_size": size - used, "type": "block",
                "uuid": "m1ZVyQ-0000-wPfC-eVQz-w9c5-Bw0M-5qnImh"}));
        }
        json!(pools)
    }

    /// The smaller one, so that who looks for much space takes the thin pool.
    fn linear_size(&self) -> u64 {
        self.config.pool_bytes / 2
    }

    fn linear_bytes(&self) -> u64 {
        let linear = self.volumes.iter().filter(|((pool, _), _)| pool == LINEAR);
        linear.map(|(_, volume)| volume.size).sum()
    }

    fn require_pool(&self, pool: &str) -> Result<(), Refusal> {
        // The volume group of a thin pool is taken for a pool too.
        let known = [THIN, volume_group(THIN)].contains(&pool) || (self.config.linear && pool == LINEAR);
        match known {
            true => Ok(()),
            false => refuse(-110, format!("Invalid pool ({pool})")),
        }
    }

    pub fn vol_list(&self, pool: &str) -> Answer {
        self.require_pool(pool)?;
        let own = self.volumes.iter().filter(|((own, _), _)| own == pool);
        let rows =
            own.map(|((_, name), volume)| json!({"name": name, "size": volume.size, "uuid": volume.uuid}));
        Ok(rows.collect())
    }

    pub fn vol_create(&mut self, place: Place, size: u64) -> Answer {
        self.require_pool(&place.0)?;
        self.require_free(&place)?;
        let help = "  Run `lvcreate --help' for more information.\n";
        let failed = |text: String| refuse(-1, format!("LVMError: Process reported exit code 3:   {text}"));
        if size == 0 {
            return failed(format!("--size may not be zero.\n{help}"));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        if !place.1.chars().all(legal) {
            return failed(format!("Logical volume name \"{}\" is invalid.\n{help}", place.1));
        }
        let size = size.next_multiple_of(EXTENT);
        if place.0 == LINEAR && size > self.linear_size() - self.linear_bytes() {
            return refuse(
                -1,
                "LVMError: Process reported exit code 5:   Volume group \"vg2\" has insufficient free space\n",
            );
        }
        // A thin pool promises whatever is asked for.
        self.volumes.insert(place, Volume { uuid: uuid(), size, active: true });
        Ok(Value::Null)
    }

    fn require_free(&self, place: &Place) -> Result<(), Refusal> {
        match self.volumes.contains_key(place) {
            true => refuse(-50, "Volume with that name exists"),
            false => Ok(()),
        }
    }

    pub fn existing(&self, place: &Place) -> Result<Volume, Refusal> {
        let (pool, name) = place;
        let missing = || refuse(-103, format!("Volume {name} not found in pool {pool}"));
        self.volumes.get(place).cloned().map_or_else(missing, Ok)
    }

    pub fn vol_destroy(&mut self, place: &Place) -> Answer {
        self.existing(place)?;
        if self.luns.contains(place) {
            return refuse(-303, format!("Volume '{}' cannot be removed while exported", place.1));
        }
        self.volumes.remove(place);
        Ok(Value::Null)
    }

    pub fn vol_copy(&mut self, source: &Place, name: &str, size: Option<u64>) -> Answer {
        let target = (source.0.clone(), name.to_owned());
        let volume = self.existing(source)?;
        self.require_free(&target)?;
        if source.0 == LINEAR {
            return refuse(-1, "RuntimeError: copying is for thin pools");
        }
        if let Some(size) = size.filter(|size| *size <= volume.size) {
            return too_small(size, source);
        }
        let size = size.unwrap_or(volume.size).next_multiple_of(EXTENT);
        let copy = Volume { uuid: uuid(), size, active: self.config.active_copies };
        self.volumes.insert(target, copy);
        Ok(Value::Null)
    }

    pub fn vol_resize(&mut self, place: &Place, size: u64) -> Answer {
        self.require_pool(&place.0)?;
        let volume = self.existing(place)?;
        if size <= volume.size {
            return too_small(size, place);
        }
        let size = size.next_multiple_of(EXTENT);
        self.volumes.insert(place.clone(), Volume { size, ..volume });
        Ok(Value::Null)
    }

    /// The volume's device becomes LIO's backstore, if it has one.
    pub fn back(&self, place: &Place) -> Result<Volume, Refusal> {
        let (vg, name) = (volume_group(&place.0), &place.1);
        match self.volumes.get(place) {
            Some(volume) if volume.active => Ok(volume.clone()),
            Some(_) => {
                refuse(-1, format!("RTSLibError: Device /dev/{vg}/{name} is not a TYPE_DISK block device"))
            }
            None => refuse(
                -1,
                format!(
                    "LVMError: Process reported exit code 5:   Failed to find logical volume \"{vg}/{name}\"\n"
                ),
            ),
        }
    }
}
