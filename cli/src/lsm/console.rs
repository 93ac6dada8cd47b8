//! What commands work with: the session, and the way to say something.

use std::io::{self, Write};

use sanfleet_driver::{Capabilities, Disk, JobId, Volume, client::Session};
use serde::Serialize;
use serde_json::json;

use super::{
    layout::{Located, Shown, Style, show},
    local_disk::DiskPaths,
    prompt,
    stop::Stop,
    sysfs::Folder,
};

/// An open session and how its answers are shown.
pub struct Console<'a> {
    pub session: &'a mut Session,
    pub out: Out,
    /// Jobs are left to themselves.
    pub asynchronous: bool,
    /// Nothing is asked before data are lost.
    pub force: bool,
    /// What each system claims, once it was asked for.
    pub claimed: Option<Vec<Capabilities>>,
    pub disks: Disks,
}

impl Console<'_> {
    /// True when data may be lost, because it was said so or because the answer is yes.
    pub fn may_lose_data(&self, certain: bool) -> Result<bool, Stop> {
        if self.force { Ok(true) } else { prompt::may_lose_data(certain) }
    }

    pub fn show_volumes(&mut self, volumes: Vec<Volume>) -> Result<(), Stop> {
        let located = volumes.into_iter().map(|record| self.disks.locate(record, |volume| &volume.vpd83));
        self.out.show(&located.collect::<Vec<_>>())
    }

    pub fn show_disks(&mut self, disks: Vec<Disk>) -> Result<(), Stop> {
        let located = disks.into_iter().map(|record| self.disks.locate(record, |disk| &disk.vpd83));
        self.out.show(&located.collect::<Vec<_>>())
    }
}

/// The disks of this host, read when the first record asks for them.
pub struct Disks {
    sysfs: Folder,
    known: Option<DiskPaths>,
}

impl Disks {
    pub fn new(sysfs: Folder) -> Self {
        Self { sysfs, known: None }
    }

    fn locate<T>(&mut self, record: T, vpd83: impl Fn(&T) -> &String) -> Located<T> {
        let id = vpd83(&record);
        if id.is_empty() {
            return Located { record, paths: Vec::new() };
        }
        // A host without sysfs, as in some containers, has no disks that we could tell.
        let known = self.known.get_or_insert_with(|| DiskPaths::scan(&self.sysfs).unwrap_or_default());
        let paths = known.of(id);
        Located { record, paths }
    }
}

/// How answers are shown.
#[derive(Debug, Clone)]
pub struct Out {
    pub style: Style,
    pub json: bool,
}

impl Out {
    pub fn show<T: Shown + Serialize>(&self, records: &[T]) -> Result<(), Stop> {
        if self.json { self.value(&records) } else { print(&show(records, &self.style)) }
    }

    /// One word or number.
    pub fn say(&self, text: &str, value: impl Serialize) -> Result<(), Stop> {
        if self.json { self.value(&value) } else { print(&format!("{text}\n")) }
    }

    pub fn text(&self, text: &str, value: impl Serialize) -> Result<(), Stop> {
        if self.json { self.value(&value) } else { print(text) }
    }

    pub fn job(&self, job: &JobId) -> Result<(), Stop> {
        self.say(job.as_str(), json!({ "job": job }))
    }

    fn value(&self, value: &impl Serialize) -> Result<(), Stop> {
        let mut bytes = serde_json::to_vec(value).map_err(|error| Stop::Output(error.into()))?;
        bytes.push(b'\n');
        write(&bytes)
    }
}

fn print(text: &str) -> Result<(), Stop> {
    write(text.as_bytes())
}

/// At once, so that a reader who has gone is noticed here.
fn write(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Stop::Output)
}
