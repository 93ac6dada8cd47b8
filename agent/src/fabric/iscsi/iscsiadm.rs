//! What this fabric needs of its machine beyond what all SCSI fabrics do: open-iscsi's program.

use crate::{
    deadline::Deadline,
    fabric::scsi::Machine,
    host::{
        HostError,
        linux::{LinuxHost, tool::Tool},
    },
};

const ISCSIADM: Tool = Tool { program: "iscsiadm", package: "open-iscsi" };

pub trait Iscsiadm: Machine {
    /// How it ends is for people: whether it did its work is read from sysfs.
    fn iscsiadm(&self, arguments: &[&str], deadline: Deadline) -> Result<(), HostError>;
}

impl Iscsiadm for &LinuxHost {
    fn iscsiadm(&self, arguments: &[&str], deadline: Deadline) -> Result<(), HostError> {
        ISCSIADM.run(arguments, None, deadline)
    }
}
