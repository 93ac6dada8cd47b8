//! Frames: ten decimal digits, zero padded, that count the bytes of JSON after them.
//!
//! The pure half of both ends: bytes go in as they come, whole frames come out. Memory grows with what has arrived, never with
//! what a header promises.

const HEADER: usize = 10;
/// The least that one read from a stream may bring.
#[cfg(feature = "client")]
const READ_SIZE: usize = 16 << 10;

/// The longest frame we take from a peer unless told otherwise. Ten thousand volumes are about 2 MiB.
pub const MAX_FRAME: usize = 64 << 20;

/// Why bytes are no frame. The stream cannot be read further: where the next frame begins is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("frame header {0:?} is not ten digits")]
    Header(String),
    #[error("frame of {length} bytes is longer than the limit of {limit}")]
    TooLong { length: usize, limit: usize },
}

/// The bytes of one frame around `body`.
pub fn encode_frame(body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut frame = header_of(body)?;
    frame.extend_from_slice(body);
    Ok(frame)
}

/// What goes before `body`.
pub(crate) fn header_of(body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let limit = i32::MAX as usize; // the C reader refuses what does not fit 31 bits
    match body.len() <= limit {
        true => Ok(format!("{:010}", body.len()).into_bytes()),
        false => Err(FrameError::TooLong { length: body.len(), limit }),
    }
}

/// Bytes that have come and are not yet a frame.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl FrameBuffer {
    /// Takes frames of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame's body; none while it has not all come.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some((header, rest)) = self.bytes.split_at_checked(HEADER) else {
            return Ok(None);
        };
        let length = body_length(header)?;
        if length > self.limit {
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        if rest.len() == length {
            // The usual case: nothing is copied but the bytes closed up over the header.
            let mut body = std::mem::take(&mut self.bytes);
            body.drain(..HEADER);
            return Ok(Some(body));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let body = body.to_vec();
        self.bytes.drain(..HEADER + length);
        Ok(Some(body))
    }

    /// Where a reader puts more bytes: at the end, with room that doubles as they come.
    #[cfg(feature = "client")]
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.reserve(READ_SIZE.max(self.bytes.len()));
        &mut self.bytes
    }

    /// True when the stream may end here without a frame being cut.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

fn body_length(header: &[u8]) -> Result<usize, FrameError> {
    let refuse = || FrameError::Header(header.escape_ascii().to_string());
    if !header.iter().all(u8::is_ascii_digit) {
        return Err(refuse());
    }
    std::str::from_utf8(header).ok().and_then(|digits| digits.parse().ok()).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_header_is_ten_digits_and_counts_bytes_not_letters() {
        assert_eq!(encode_frame("ü".as_bytes()).unwrap(), "0000000002ü".as_bytes());
    }

    #[test]
    fn a_frame_of_nothing_is_a_frame() {
        let mut buffer = FrameBuffer::new(10);
        buffer.push(b"0000000000");
        assert_eq!(buffer.next_frame(), Ok(Some(Vec::new())));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_header_that_promises_too_much_is_refused_before_the_bytes_come() {
        let mut buffer = FrameBuffer::new(100);
        buffer.push(b"0000000101");
        assert_eq!(buffer.next_frame(), Err(FrameError::TooLong { length: 101, limit: 100 }));
    }

    #[test]
    fn signs_and_blanks_are_no_digits() {
        for header in [&b"+000000001"[..], b"         1", b"{\"id\": 100"] {
            let mut buffer = FrameBuffer::new(100);
            buffer.push(header);
            assert!(matches!(buffer.next_frame(), Err(FrameError::Header(_))), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_whole_however_they_were_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            cut in 1usize..30,
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|body| encode_frame(body).unwrap()).collect();
            let mut buffer = FrameBuffer::new(100);
            let mut read = Vec::new();
            for piece in stream.chunks(cut) {
                buffer.push(piece);
                while let Some(body) = buffer.next_frame().unwrap() {
                    read.push(body);
                }
            }
            prop_assert_eq!(read, bodies);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn any_bytes_are_frames_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = FrameBuffer::new(50);
            buffer.push(&bytes);
            while let Ok(Some(_)) = buffer.next_frame() {}
        }
    }
}
