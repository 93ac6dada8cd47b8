//! Bounded access to the fields of a superblock: what lies past the end of the device is not there.

use std::io;

use sanfleet_protocol::limits;

/// Btrfs has its first superblock at 64 KiB and everyone else before that; its 4 KiB are the last that matter.
const BYTES: usize = 68 * 1024;
/// A device shorter than [`BYTES`] is read in pieces, so that it gives what it has. A multiple of every logical block size.
const PIECE: usize = 4096;

/// The first bytes of a device.
#[derive(Debug)]
pub struct Head(Vec<u8>);

impl Head {
    pub fn read(mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>) -> io::Result<Self> {
        let mut bytes = vec![0; BYTES];
        match read_at(0, &mut bytes) {
            Ok(()) => return Ok(Self(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => bytes.clear(),
            Err(error) => return Err(error),
        }
        let mut piece = [0; PIECE];
        while bytes.len() < BYTES {
            match read_at(bytes.len() as u64, &mut piece) {
                Ok(()) => bytes.extend_from_slice(&piece),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self(bytes))
    }

    #[cfg(test)]
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().take(BYTES).collect())
    }

    pub fn bytes(&self, at: usize, length: usize) -> Option<&[u8]> {
        self.0.get(at..at.checked_add(length)?)
    }

    pub fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes(at, N)?.try_into().ok()
    }

    pub fn le16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub fn le32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub fn le64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    pub fn be16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub fn be32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub fn has(&self, at: usize, magic: &[u8]) -> bool {
        self.bytes(at, magic.len()) == Some(magic)
    }

    /// Text that ends at its first NUL or at `length`, without blanks around it; what is not UTF-8 is replaced.
    pub fn text(&self, at: usize, length: usize) -> String {
        let bytes = self.bytes(at, length).unwrap_or_default();
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        limits::legible(String::from_utf8_lossy(bytes).trim()).replace('\n', "\u{fffd}")
    }

    /// A binary UUID in its usual text; empty when it is all zeros, which means that none was set.
    pub fn uuid(&self, at: usize) -> String {
        match self.array::<16>(at) {
            Some(bytes) if bytes != [0; 16] => hyphenated(bytes),
            _ => String::new(),
        }
    }
}

fn hyphenated(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
