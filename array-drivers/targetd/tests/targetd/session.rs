//! A session with the emulator, in the test's own process.

use std::time::Duration;

use sanfleet_driver::{
    AccessGroup, ArrayDriver, ElementType, FileSystem, InitiatorType, JobOr, LsmError, Pool, Provisioning,
    Volume,
};
use sanfleet_driver_targetd::TargetdDriver;

use super::emulator::{Emulator, PASSWORD};

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const MIB: u64 = 1 << 20;

pub fn session(emulator: &Emulator) -> TargetdDriver {
    let mut driver = TargetdDriver::default();
    driver.plugin_register(&emulator.uri(), Some(PASSWORD), PATIENCE).unwrap();
    driver
}

pub fn done<T>(made: JobOr<T>) -> T {
    match made {
        JobOr::Done(made) => made,
        JobOr::Job(job) => panic!("targetd knows no jobs, and here is {job}"),
    }
}

pub fn pool(driver: &mut TargetdDriver, element: ElementType) -> Pool {
    driver.pools(None).unwrap().into_iter().find(|pool| pool.element_type.contains(element)).unwrap()
}

pub fn volume(driver: &mut TargetdDriver, name: &str) -> Volume {
    create(driver, name).unwrap()
}

pub fn create(driver: &mut TargetdDriver, name: &str) -> Result<Volume, LsmError> {
    let pool = pool(driver, ElementType::VOLUME_THIN);
    driver.volume_create(&pool, name, 16 * MIB, Provisioning::DEFAULT).map(done)
}

pub fn group(driver: &mut TargetdDriver, name: &str) -> AccessGroup {
    let system = driver.systems().unwrap().remove(0);
    driver.access_group_create(name, &iqn(name), InitiatorType::ISCSI, &system).unwrap()
}

pub fn file_system(driver: &mut TargetdDriver, name: &str) -> FileSystem {
    let pool = pool(driver, ElementType::FILE_SYSTEM);
    done(driver.fs_create(&pool, name, 16 * MIB).unwrap())
}

pub fn iqn(name: &str) -> String {
    format!("iqn.2026-01.example:{name}")
}
