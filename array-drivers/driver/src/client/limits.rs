//! What a driver's process may take of the host.
//!
//! Set from outside on the running process, right after its start: before it has read a single request. Every process that it
//! starts has the same limits for itself. The number of processes is not limited: the kernel counts them per user, so a limit
//! would hit other drivers. What a driver leaves running goes with its process group instead.

use std::io;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The limits of one driver's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space in bytes. Interpreters reserve more than they use: be generous.
    pub memory: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 1 << 30, descriptors: 256 }
    }
}

impl Limits {
    /// Also forbids core dumps: a driver's memory holds its array's password.
    pub(super) fn set_on(self, process: Pid) -> io::Result<()> {
        for (resource, limit) in
            [(Resource::As, self.memory), (Resource::Nofile, self.descriptors), (Resource::Core, 0)]
        {
            prlimit(Some(process), resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        Ok(())
    }
}
