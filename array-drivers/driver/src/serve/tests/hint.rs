//! The flags of `volume_create`, the only ones that the protocol has.

use super::*;
use crate::{
    job::JobOr,
    model::{Provisioning, Volume, VolumeCreateFlags},
};

/// An array that has no choice of how I/O goes; the volumes that it made.
#[derive(Default)]
struct Plain(Vec<String>);

/// One that has; the hints that came.
#[derive(Default)]
struct Raid(Vec<VolumeCreateFlags>);

fn made(name: &str) -> Result<JobOr<Volume>, LsmError> {
    let volume = json!({"id": name, "name": name, "vpd83": "", "block_size": 512, "num_of_blocks": 1,
        "admin_state": 1, "system_id": "s", "pool_id": "p"});
    Ok(JobOr::Done(serde_json::from_value(volume).unwrap()))
}

#[array_driver]
impl ArrayDriver for Plain {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "no choice".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, _: &str, _: Option<&str>, _: Duration) -> Result<(), LsmError> {
        Ok(())
    }

    fn volume_create(
        &mut self,
        _: &Pool,
        name: &str,
        _: u64,
        _: Provisioning,
    ) -> Result<JobOr<Volume>, LsmError> {
        self.0.push(name.into());
        made(name)
    }
}

#[array_driver]
impl ArrayDriver for Raid {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "hardware RAID".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, _: &str, _: Option<&str>, _: Duration) -> Result<(), LsmError> {
        Ok(())
    }

    fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        size_bytes: u64,
        provisioning: Provisioning,
    ) -> Result<JobOr<Volume>, LsmError> {
        self.volume_create_hinted(pool, name, size_bytes, provisioning, VolumeCreateFlags::NONE)
    }

    fn volume_create_hinted(
        &mut self,
        _: &Pool,
        name: &str,
        _: u64,
        _: Provisioning,
        hints: VolumeCreateFlags,
    ) -> Result<JobOr<Volume>, LsmError> {
        self.0.push(hints);
        made(name)
    }
}

/// The outcomes of calls with these methods and flags, in one session.
fn called(driver: &mut dyn ArrayDriver, calls: &[(&str, u64)]) -> Vec<Result<(), ErrorNumber>> {
    let mut dispatcher = Dispatcher::new(driver);
    dispatcher.dispatch(&Request::parse(REGISTER.as_bytes()).unwrap()).unwrap();
    let mut call = |method: &str, flags: u64| {
        let body = json!({"method": method, "id": 100, "params": {"pool": pool("p"), "volume_name": "v",
            "size_bytes": 512, "provisioning": 3, "flags": flags}});
        let body = body.to_string();
        dispatcher.dispatch(&Request::parse(body.as_bytes()).unwrap()).map(drop).map_err(|error| error.number)
    };
    calls.iter().map(|(method, flags)| call(method, *flags)).collect()
}

#[test]
fn the_hints_of_a_new_volume_reach_the_driver_that_wants_them() {
    let mut driver = Raid::default();
    assert_eq!(called(&mut driver, &[("volume_create", 0), ("volume_create", 1 | 8)]), [Ok(()), Ok(())]);
    let both = VolumeCreateFlags::USE_SYSTEM_CACHE | VolumeCreateFlags::DISABLE_IO_PASSTHROUGH;
    assert_eq!(driver.0, [VolumeCreateFlags::NONE, both]);
}

#[test]
fn a_driver_without_the_choice_makes_the_volume_all_the_same() {
    let mut driver = Plain::default();
    assert_eq!(called(&mut driver, &[1, 2, 4, 8].map(|flag| ("volume_create", flag))), [Ok(()); 4]);
    assert_eq!(driver.0.len(), 4);
}

#[test]
fn a_flag_of_no_meaning_and_a_hint_to_another_method_are_refused() {
    let mut driver = Raid::default();
    let calls = [("volume_create", 16), ("volume_create", 1 | 1 << 63), ("pools", 1), ("volume_delete", 8)];
    assert_eq!(called(&mut driver, &calls), [Err(ErrorNumber::InvalidArgument); 4]);
    assert!(driver.0.is_empty());
}

#[test]
fn a_driver_that_makes_no_volumes_takes_no_hints_either() {
    let refused = Err(ErrorNumber::NoSupport);
    assert_eq!(called(&mut TwoPools::default(), &[("volume_create", 1)]), [refused]);
}
