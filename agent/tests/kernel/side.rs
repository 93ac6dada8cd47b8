//! Both sides of the agent's seam to its host: this machine's kernel, and the simulated twin. What holds for one must hold
//! for the other, so that tests are written once and told which side they stand on.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use sanfleet_agent::{
    fabric::Wanted,
    host::{
        Host,
        sim::{SimCall, SimDevice, SimHost},
    },
};
use sanfleet_protocol::{FileSystemId, MountPoint, VolumeId};

use crate::lab::{Lab, VOLUME_BYTES, must, soon, volume};

/// What is on a volume before a test begins.
#[derive(Clone, Copy)]
pub enum Content {
    Blank,
    /// This file system, with the UUID [`made_with`].
    Made(&'static str),
    /// Data of no kind that we know, in the last bytes.
    Scribbled,
}

/// A host with a laboratory round it.
pub struct Side {
    pub name: &'static str,
    pub lab: Lab,
    pub host: Box<dyn Host>,
    sim: Option<SimHost>,
}

pub fn sides() -> [Side; 2] {
    let (real, twin) = (Lab::new(), Lab::new());
    let sim = SimHost::builder().fabric("loop").build();
    [
        Side { name: "linux", host: Box::new(real.host()), lab: real, sim: None },
        Side { name: "sim", host: Box::new(sim.clone()), lab: twin, sim: Some(sim) },
    ]
}

/// The UUID of the n-th volume's file system.
pub fn made_with(n: u8) -> FileSystemId {
    uuid(0x0fce, n)
}

/// One that no volume begins with.
pub fn minted(n: u8) -> FileSystemId {
    uuid(0x5eed, n)
}

/// The UUIDs of btrfs are one to the whole machine, where every test is a process of its own and others run beside it.
fn uuid(front: u16, n: u8) -> FileSystemId {
    let process = std::process::id();
    format!("{process:08x}-{front:04x}-4344-8566-7788990000{n:02x}").parse().unwrap()
}

impl Side {
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// The n-th volume, attached to the host.
    pub fn volume(&self, n: u8, content: Content) -> VolumeId {
        let id = volume(n);
        match &self.sim {
            Some(sim) => sim.offer("loop", simulated(n, content)),
            None => self.publish(n, content),
        }
        assert!(self.host.rescan("loop", Wanted::anywhere(&id), soon()).unwrap(), "{}", self.name);
        id
    }

    fn publish(&self, n: u8, content: Content) {
        let file = self.path(n);
        let disk = self.file(n);
        disk.set_len(VOLUME_BYTES).unwrap();
        match content {
            Content::Blank => {}
            Content::Scribbled => disk.write_all_at(b"precious", VOLUME_BYTES - 8).unwrap(),
            Content::Made(kind) => {
                let uuid = made_with(n).to_string();
                let id = match kind {
                    "xfs" => ["-m".to_owned(), format!("uuid={uuid}")],
                    _ => ["-U".to_owned(), uuid],
                };
                must(&format!("mkfs.{kind}"), &["-q", &id[0], &id[1], file.to_str().unwrap()]);
            }
        }
        self.lab.publish(n.into(), &file, &volume(n));
    }

    /// The array copies the n-th volume as it is now; the copy is attached as another volume. Not for the simulated side,
    /// where a device holds nothing that could be copied.
    pub fn copy(&self, n: u8, to: u8) {
        let copied = fs::copy(self.path(n), self.path(to)).unwrap();
        assert_eq!(copied, VOLUME_BYTES);
        self.lab.publish(to.into(), &self.path(to), &volume(to));
        assert!(self.host.rescan("loop", Wanted::anywhere(&volume(to)), soon()).unwrap());
    }

    /// The kernel's name of the n-th volume's device.
    pub fn device(&self, n: u8) -> String {
        let devices = self.host.devices().unwrap();
        devices.into_iter().find(|device| device.cached_ids.contains(&volume(n))).unwrap().name
    }

    /// The n-th volume's unit is another volume's from now on, and sysfs has not noticed.
    pub fn become_another(&self, n: u8) {
        let other = volume(n + 100);
        match &self.sim {
            Some(sim) => sim.set_true_ids(&self.device(n), vec![other]),
            None => self.lab.rename(n.into(), &other),
        }
    }

    /// The array gives the n-th volume another size.
    pub fn resize(&self, n: u8, bytes: u64) {
        match &self.sim {
            Some(sim) => sim.resize(&self.device(n), bytes),
            None => self.file(n).set_len(bytes).unwrap(),
        }
    }

    fn path(&self, n: u8) -> PathBuf {
        self.lab.path().join(format!("volume{n}"))
    }

    fn file(&self, n: u8) -> File {
        OpenOptions::new().write(true).create(true).truncate(false).open(self.path(n)).unwrap()
    }

    /// Somebody else sees to it that something is mounted there.
    pub fn claim_unit(&self, at: &MountPoint, unit: &str) {
        match &self.sim {
            Some(sim) => sim.claim_unit(at),
            None => fs::write(self.lab.units().join(unit), "[Mount]\nWhat=nfs:/precious\n").unwrap(),
        }
    }

    /// What the n-th volume's device is read from is gone.
    pub fn break_reading(&self, n: u8) {
        match &self.sim {
            Some(sim) => sim.break_device(&self.device(n), SimCall::Read),
            // Past its end a file cannot be read; the device does not know that it has become shorter.
            None => self.file(n).set_len(0).unwrap(),
        }
    }

    /// Mounts the n-th volume as somebody else would.
    pub fn mount_by_hand(&self, n: u8, name: &str) {
        let at = self.lab.at(name);
        match &self.sim {
            Some(sim) => sim.mount_by_hand(&self.device(n), at.as_str()),
            None => {
                fs::create_dir(at.as_path()).unwrap();
                must("mount", &[&format!("/dev/{}", self.device(n)), at.as_str()]);
            }
        }
    }
}

fn simulated(n: u8, content: Content) -> SimDevice {
    let device = SimDevice::loopback(&format!("loop{n}"), vec![volume(n)]).size(VOLUME_BYTES);
    match content {
        Content::Blank => device,
        Content::Scribbled => device.scribbled(),
        Content::Made(kind) => device.formatted(kind, &made_with(n).to_string(), ""),
    }
}
