//! Reading the host: sysfs, procfs and a few files of `/etc`. Nothing here opens a block device or changes anything.

pub mod attribute;
pub mod device_ids;
pub mod devices;
pub mod fabric;
pub mod facts;
pub mod initiators;
pub mod mountinfo;
pub mod mounts;
pub mod watch;

mod block;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tree;
