//! Freezing a file system waits for three RCU grace periods, one for each level of writers that it stops: 10 to 30 ms each on a
//! busy machine, during which everybody waits already. The kernel can hurry them.
//!
//! `/sys/kernel/rcu_expedited` (kernel: Documentation/admin-guide/sysfs-kernel-rcu and `rcu_expedited` in kernel/rcu/update.c)
//! makes it do so for all grace periods, at the cost of interrupts to all processors: nothing to leave on, nothing to
//! fear for the few milliseconds of a freeze. An administrator who has set it keeps it set.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
};

const SWITCH: &str = "/sys/kernel/rcu_expedited";

/// The switch, opened before anyone waits. Without the right to turn it, a freeze takes longer, and that is all.
#[derive(Debug)]
pub struct Switch(Option<File>);

impl Switch {
    pub fn open() -> Self {
        Self(OpenOptions::new().read(true).write(true).open(SWITCH).ok().filter(is_off))
    }

    /// Grace periods are hurried until what this returns is dropped.
    pub fn turn_on(&self) -> Expedited<'_> {
        let turned = self.0.as_ref().filter(|switch| switch.write_at(b"1\n", 0).is_ok());
        Expedited(turned)
    }
}

/// Turns the switch off again when it is dropped.
#[derive(Debug)]
pub struct Expedited<'a>(Option<&'a File>);

impl Drop for Expedited<'_> {
    fn drop(&mut self) {
        if let Some(switch) = self.0 {
            // If the kernel does not take it, grace periods stay short: that costs a little, and loses nothing.
            let _ = switch.write_at(b"0\n", 0);
        }
    }
}

/// Off now: whoever turned it on will turn it off, and it is not ours.
fn is_off(switch: &File) -> bool {
    let mut value = [0u8; 1];
    switch.read_at(&mut value, 0).is_ok() && &value == b"0"
}
