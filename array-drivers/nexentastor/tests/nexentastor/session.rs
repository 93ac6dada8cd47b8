//! A session with the emulator, in the test's own process.

use std::time::Duration;

use sanfleet_driver::{
    AccessGroup, ArrayDriver, FileSystem, InitiatorType, JobOr, LsmError, Pool, Provisioning, Volume,
};
use sanfleet_driver_nexentastor::NexentaStorDriver;

use super::emulator::{Emulator, PASSWORD, POOL};

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const MIB: u64 = 1 << 20;

pub fn session(emulator: &Emulator) -> NexentaStorDriver {
    let mut driver = NexentaStorDriver::default();
    driver.plugin_register(&emulator.uri(), Some(PASSWORD), PATIENCE).unwrap();
    driver
}

pub fn done<T>(made: JobOr<T>) -> T {
    match made {
        JobOr::Done(made) => made,
        JobOr::Job(job) => panic!("the driver waits for jobs, and here is {job}"),
    }
}

pub fn pool(driver: &mut NexentaStorDriver) -> Pool {
    driver.pools(None).unwrap().into_iter().find(|pool| pool.name == POOL).unwrap()
}

pub fn create(driver: &mut NexentaStorDriver, name: &str) -> Result<Volume, LsmError> {
    let pool = pool(driver);
    driver.volume_create(&pool, name, 16 * MIB, Provisioning::DEFAULT).map(done)
}

pub fn named(driver: &mut NexentaStorDriver, name: &str) -> Volume {
    driver.volumes(None).unwrap().into_iter().find(|volume| volume.name == name).unwrap()
}

pub fn group(driver: &mut NexentaStorDriver, name: &str) -> AccessGroup {
    let system = driver.systems().unwrap().remove(0);
    driver.access_group_create(name, &iqn(name), InitiatorType::ISCSI, &system).unwrap()
}

pub fn file_system(driver: &mut NexentaStorDriver, name: &str) -> FileSystem {
    let pool = pool(driver);
    done(driver.fs_create(&pool, name, 16 * MIB).unwrap())
}

pub fn iqn(name: &str) -> String {
    format!("iqn.2026-01.example:{name}")
}
