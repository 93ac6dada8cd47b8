//! The file: records one after the other, each with its length and its checksum before it.
//!
//! It knows nothing of what the records mean. A record is its length and CRC-32 (4 bytes each, little-endian), then JSON.
//! What follows the first record that is not whole was never acknowledged, and is cut off.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{LedgerError, Record};

const HEADER: usize = 8;
/// No record comes near it; a length above it is damage.
const MAX_RECORD: usize = 1 << 20;
/// A ledger that has grown beyond this was not written by us.
const MAX_FILE: u64 = 64 << 20;

#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// Length up to which the file is whole.
    good: u64,
    /// Its length when it was last written anew.
    new: u64,
    /// Held for as long as we live: two agents must not write one ledger. It is on a file of its own, because the log is
    /// replaced by another one at times.
    _lock: File,
}

impl Log {
    /// Opens or makes the file, and reads what is whole in it.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>), LedgerError> {
        let failed = |doing| move |source| LedgerError::Io { path: path.to_owned(), doing, source };
        let lock = open_private(&path.with_extension("lock")).map_err(failed("open its lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(LedgerError::InUse { path: path.to_owned() });
        }
        let mut file = open_private(path).map_err(failed("open"))?;
        let mut bytes = Vec::new();
        (&mut file).take(MAX_FILE).read_to_end(&mut bytes).map_err(failed("read"))?;
        let (records, good) = parse(&bytes);
        let mut log = Self { path: path.to_owned(), file, good: good as u64, new: 0, _lock: lock };
        log.cut_off().map_err(failed("cut off its torn end"))?;
        Ok((log, records))
    }

    pub fn bytes(&self) -> u64 {
        self.good
    }

    pub fn bytes_when_new(&self) -> u64 {
        self.new
    }

    /// Appends the records and waits until the disk has them: all of them or none.
    pub fn append(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let bytes = encode(records)?;
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half a record is taken back at once; where even that fails, it is a torn end at the next start.
            let _ = self.cut_off();
            return Err(self.failed("write", source));
        }
        self.good += bytes.len() as u64;
        Ok(())
    }

    /// Puts a file with these records alone in the place of this one, in one step.
    pub fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let bytes = encode(records)?;
        let new = self.path.with_extension("new");
        let replace = || -> io::Result<File> {
            let mut file = open_private(&new)?;
            file.set_len(0)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            if let Some(directory) = self.path.parent() {
                File::open(directory)?.sync_all()?;
            }
            Ok(file)
        };
        self.file = replace().map_err(|source| self.failed("write anew", source))?;
        self.good = bytes.len() as u64;
        self.new = self.good;
        Ok(())
    }

    fn cut_off(&mut self) -> io::Result<()> {
        self.file.set_len(self.good)?;
        self.file.seek(SeekFrom::Start(self.good)).map(drop)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> LedgerError {
        LedgerError::Io { path: self.path.clone(), doing, source }
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn encode(records: &[Record]) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = Vec::new();
    for record in records {
        let body = serde_json::to_vec(record).unwrap_or_default();
        let length = u32::try_from(body.len()).ok().filter(|_| (1..=MAX_RECORD).contains(&body.len()));
        let length = length.ok_or(LedgerError::TooLarge(body.len()))?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
    }
    Ok(bytes)
}

/// The records that are whole, and how many bytes they take.
fn parse(bytes: &[u8]) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((record, after)) = first(rest) {
        records.push(record);
        rest = after;
    }
    (records, bytes.len() - rest.len())
}

fn first(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    if length > MAX_RECORD {
        return None;
    }
    let (body, after) = rest.split_at_checked(length)?;
    if crc32fast::hash(body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return None;
    }
    Some((serde_json::from_slice(body).ok()?, after))
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A log whose disk is full.
    pub fn full(directory: &Path) -> Log {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let lock = open_private(&directory.join("other.lock")).unwrap();
        Log { path: "/dev/full".into(), file, good: 0, new: 0, _lock: lock }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (_, good) = parse(&bytes);
            prop_assert!(good <= bytes.len());
        }
    }
}
