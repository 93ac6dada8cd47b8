//! Makes a freeze short: the kernel waits for RCU grace periods before it is sure that no writer is on its way.
//!
//! `freeze_super` takes three per-superblock locks, and each costs one grace period, some 10 ms, in which writers already
//! wait. With `/sys/kernel/rcu_expedited` set (kernel:
//! `rcupdate.rcu_expedited` in Documentation/admin-guide/kernel-parameters.txt) they take well under 1 ms. The switch is one
//! for the whole machine and costs it some interrupts, so it is set for the freeze alone and put back at once. This module
//! refuses to touch it while another process does, and a kernel without it is only slower.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
};

use rustix::fs::{FlockOperation, flock};

const SWITCH: &str = "/sys/kernel/rcu_expedited";

/// The switch, opened before it is needed.
#[derive(Debug)]
pub struct Expedite(File);

/// While it lives, grace periods are short.
#[derive(Debug)]
pub struct Expedited<'a>(&'a File);

impl Expedite {
    /// `None` where there is no such switch, or none for us.
    pub fn open() -> Option<Self> {
        OpenOptions::new().read(true).write(true).open(SWITCH).ok().map(Self)
    }

    /// True when an administrator, or a guard at this moment, has it set.
    pub fn is_set(&self) -> bool {
        let mut text = [0u8; 1];
        matches!(self.0.read_at(&mut text, 0), Ok(1)) && text != *b"0"
    }

    /// `None` when it is set already, or somebody else is at it: who set it puts it back.
    pub fn begin(&self) -> Option<Expedited<'_>> {
        flock(&self.0, FlockOperation::NonBlockingLockExclusive).ok()?;
        if !self.is_set() && self.0.write_at(b"1", 0).is_ok() {
            return Some(Expedited(&self.0));
        }
        let _ = flock(&self.0, FlockOperation::Unlock);
        None
    }

    /// Puts it back for one who cannot do it any more, because it was killed.
    pub fn put_back(&self) {
        if flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok() {
            drop(Expedited(&self.0));
        }
    }
}

impl Drop for Expedited<'_> {
    fn drop(&mut self) {
        // If this fails the machine works as before, with some more interrupts; nothing here could do better.
        let _ = self.0.write_at(b"0", 0);
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}
