//! A fabric, a state directory and a host of our own in a temporary directory; all of it is gone when it is dropped.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use sanfleet_agent::{
    actions::{ActionError, Quiesced, Workshop, check_source},
    claims::Claims,
    clock::unix_ms,
    config::Policy,
    deadline::Deadline,
    fabric::Wanted,
    host::{
        Host,
        linux::{LinuxHost, LinuxHostOptions},
    },
    ledger::Ledger,
    policy::Gate,
    quiesce::Quiesces,
};
use sanfleet_protocol::{Layers, MountPoint, QuiesceBy, RunId, VolumeId, v1, volume_id};

pub const INITIATOR: &str = "iqn.2026-01.example:acting";
/// Enough for an XFS and for an empty MariaDB; the files are sparse.
pub const VOLUME_BYTES: u64 = 512 << 20;
pub const BOUND: Duration = Duration::from_secs(20);

pub fn volume(n: u8) -> VolumeId {
    VolumeId::naa(&[0x60, 1, 0x40, 0x5f, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]).unwrap()
}

pub fn run_id(n: u32) -> RunId {
    format!("{n:032x}").parse().unwrap()
}

pub fn soon() -> Deadline {
    Deadline::after(BOUND)
}

pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < BOUND, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn try_run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

pub fn must(program: &str, arguments: &[&str]) -> String {
    try_run(program, arguments)
        .unwrap_or_else(|error| panic!("{program} {arguments:?} (is this root?): {error}"))
}

pub struct Lab {
    directory: tempfile::TempDir,
    pub ledger: Arc<Ledger>,
}

impl Lab {
    pub fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make loop devices and mounts: run them as root"
        );
        let directory = tempfile::tempdir().unwrap();
        for name in ["state", "units"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let ledger = Arc::new(Ledger::open(&directory.path().join("state"), unix_ms()).unwrap());
        Self { directory, ledger }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What the agent says of a whole volume that is mounted there.
    pub fn check_source(
        &self,
        at: &MountPoint,
        by: QuiesceBy,
        quiesced: &Quiesced,
    ) -> Result<v1::CommandDone, ActionError> {
        let request = check_source::Request { at: at.clone(), by, layers: Layers::default() };
        let own = check_source::Own { state_dir: &self.state_dir(), quiesced };
        check_source::check_source(&self.host(), &request, own, soon())
    }

    pub fn state_dir(&self) -> PathBuf {
        self.path().join("state")
    }

    pub fn fabric(&self) -> PathBuf {
        self.path().join("fabric")
    }

    pub fn units(&self) -> PathBuf {
        self.path().join("units")
    }

    pub fn at(&self, name: &str) -> MountPoint {
        self.path().join(name).to_str().unwrap().parse().unwrap()
    }

    pub fn host(&self) -> LinuxHost {
        LinuxHost::new(LinuxHostOptions {
            loop_fabric: Some(self.fabric()),
            initiators: vec![INITIATOR.parse().unwrap()],
            unit_dir: self.units(),
            ..LinuxHostOptions::default()
        })
        .unwrap()
    }

    pub fn quiesces(&self) -> Arc<Quiesces> {
        Quiesces::new(env!("CARGO_BIN_EXE_sanfleet-agent").into(), Arc::clone(&self.ledger))
    }

    /// Everything that commands of this lab's host work with.
    pub fn workshop(&self, host: Arc<dyn Host>) -> Workshop {
        Workshop {
            host,
            ledger: Arc::clone(&self.ledger),
            quiesces: self.quiesces(),
            state_dir: self.state_dir(),
            gate: Gate::new(Policy::of_simulated_host()),
            quiesced: Quiesced::default(),
            claims: Claims::default(),
            max_dead_man: BOUND,
            report_now: Box::new(|| ()),
        }
    }

    /// A volume's file of its own, with this file system; `None` where the tool to make it is not installed.
    pub fn make(&self, name: &str, kind: &str) -> Option<PathBuf> {
        let file = self.path().join(name);
        File::create(&file).unwrap().set_len(VOLUME_BYTES).unwrap();
        match try_run(&format!("mkfs.{kind}"), &["-q", file.to_str().unwrap()]) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && kind != "ext4" => None,
            made => made.map(|_| file).map_err(|error| panic!("mkfs.{kind}: {error}")).ok(),
        }
    }

    /// A new ext4 on a volume of its own, mounted there.
    pub fn mounted(&self, n: u8, name: &str) -> MountPoint {
        let file = self.make(&format!("{name}.volume"), "ext4").unwrap();
        let at = self.at(name);
        fs::create_dir_all(at.as_path()).unwrap();
        self.publish(n.into(), &file, &volume(n));
        let before = self.loops();
        self.host().rescan("loop", Wanted::anywhere(&volume(n)), soon()).unwrap();
        let device = self.loops().into_iter().find(|name| !before.contains(name)).unwrap();
        must("mount", &[&format!("/dev/{device}"), at.as_str()]);
        at
    }

    /// Publishes the file to our initiator, as an array does when it masks a volume.
    pub fn publish(&self, unit: u32, file: &Path, id: &VolumeId) {
        let directory = self.unit(unit);
        fs::create_dir_all(&directory).unwrap();
        fs::hard_link(file, directory.join("disk")).unwrap();
        fs::write(directory.join("vpd_pg83"), volume_id::page(std::slice::from_ref(id))).unwrap();
    }

    /// The unit's volume is another one from now on, with the same file behind it.
    pub fn rename(&self, unit: u32, id: &VolumeId) {
        fs::write(self.unit(unit).join("vpd_pg83"), volume_id::page(std::slice::from_ref(id))).unwrap();
    }

    pub fn unpublish(&self, unit: u32) {
        fs::remove_dir_all(self.unit(unit)).unwrap();
    }

    pub fn unit(&self, unit: u32) -> PathBuf {
        self.fabric().join(INITIATOR).join(format!("lun-{unit}"))
    }

    /// Loop devices on files of this lab.
    pub fn loops(&self) -> Vec<String> {
        let listed = fs::read_dir("/sys/block").unwrap().filter_map(Result::ok);
        let ours = |name: &String| {
            let backing = fs::read_to_string(format!("/sys/block/{name}/loop/backing_file"));
            backing.is_ok_and(|file| Path::new(file.trim()).starts_with(self.path()))
        };
        listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(ours).collect()
    }

    /// Mount points below the lab's directory, the innermost first.
    pub fn mounts(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let points = table.lines().filter_map(|line| line.split(' ').nth(4));
        let mut ours: Vec<String> =
            points.filter(|at| Path::new(at).starts_with(self.path())).map(str::to_owned).collect();
        ours.reverse();
        ours
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for at in self.mounts() {
            // A test that failed half-way may leave it frozen, and then nothing could be unmounted.
            let _ = try_run("fsfreeze", &["--unfreeze", &at]);
            // A guard that has let go may not be gone yet.
            let since = Instant::now();
            while try_run("umount", &[&at]).is_err() && since.elapsed() < BOUND {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        for name in self.loops() {
            let _ = try_run("losetup", &["--detach", &format!("/dev/{name}")]);
        }
    }
}
