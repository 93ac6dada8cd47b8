//! What the two processes say to each other, and in which bytes.

use bytes::Bytes;

/// One message: a word, and which question it belongs to.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Frame {
    /// Given by who asks; 0 where nothing is answered.
    #[prost(uint64, tag = "1")]
    pub ticket: u64,
    /// None where the other side is newer and says what this one does not know.
    #[prost(oneof = "Word", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub word: Option<Word>,
}

/// All that is ever said.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Word {
    /// To the helper: a command as it came off the bus. Answered with its result.
    #[prost(bytes = "bytes", tag = "2")]
    Command(Bytes),
    /// To the helper: the bus is there (again), and who listens may have missed anything.
    #[prost(message, tag = "3")]
    Connected(()),
    /// To the helper: this is the end. Answered with `Left` when nothing more will be said.
    #[prost(message, tag = "4")]
    Leave(()),
    /// To the relay: to be published as this host's. Each is answered with `Sent`.
    #[prost(bytes = "bytes", tag = "5")]
    Report(Bytes),
    #[prost(bytes = "bytes", tag = "6")]
    Heartbeat(Bytes),
    /// To the relay: what was published shall leave it. Answered with `Sent`.
    #[prost(message, tag = "7")]
    Flush(()),
    #[prost(bytes = "bytes", tag = "8")]
    Result(Bytes),
    #[prost(enumeration = "Sent", tag = "9")]
    Sent(i32),
    #[prost(message, tag = "10")]
    Left(()),
}

/// What became of what the relay was to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Sent {
    Unknown = 0,
    Done = 1,
    Disconnected = 2,
    TooLarge = 3,
    Refused = 4,
}

impl Word {
    /// Its name, for messages. What it carries is nobody's business there.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Connected(()) => "connected",
            Self::Leave(()) => "leave",
            Self::Report(_) => "report",
            Self::Heartbeat(_) => "heartbeat",
            Self::Flush(()) => "flush",
            Self::Result(_) => "result",
            Self::Sent(_) => "sent",
            Self::Left(()) => "left",
        }
    }

    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Result(_) | Self::Sent(_) | Self::Left(()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_are_more_than_a_word_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(frame) = Frame::decode(bytes.as_slice()) {
                prop_assert_eq!(Frame::decode(frame.encode_to_vec().as_slice()), Ok(frame));
            }
        }
    }

    #[test]
    fn a_word_that_this_side_does_not_know_is_none() {
        // Field 15, of length 0.
        let frame = Frame::decode(&[0x08, 7, 0x7a, 0][..]).unwrap();
        assert_eq!(frame, Frame { ticket: 7, word: None });
    }
}
