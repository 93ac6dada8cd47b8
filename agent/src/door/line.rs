//! One end of the connection: questions and answers in both directions, any number at one time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use prost::Message;
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::oneshot,
};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::{
    DoorError,
    word::{Frame, Word},
};

/// Which question an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// What the other side wants.
#[derive(Debug, PartialEq)]
pub struct Question {
    pub ticket: Ticket,
    pub word: Word,
}

/// Says things to the other side.
#[derive(Debug)]
pub struct Line {
    out: tokio::sync::Mutex<FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>>,
    /// Who waits for an answer; none when no more can come.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Word>>>>,
    asked: AtomicU64,
}

/// Hears what the other side says. It has to be listened to for answers to arrive.
#[derive(Debug)]
pub struct Incoming {
    frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    line: Arc<Line>,
}

/// Both ends of one side; `longest` is the largest frame, in bytes, that is taken from the other.
pub fn line(stream: UnixStream, longest: usize) -> (Arc<Line>, Incoming) {
    let (input, output) = stream.into_split();
    let line = Arc::new(Line {
        out: tokio::sync::Mutex::new(FramedWrite::new(output, LengthDelimitedCodec::new())),
        waiting: Mutex::new(Some(HashMap::new())),
        asked: AtomicU64::new(0),
    });
    let codec = LengthDelimitedCodec::builder().max_frame_length(longest).new_codec();
    let incoming = Incoming { frames: FramedRead::new(input, codec), line: Arc::clone(&line) };
    (line, incoming)
}

impl Line {
    /// Says what nobody answers.
    pub async fn tell(&self, word: Word) -> Result<(), DoorError> {
        self.send(0, word).await
    }

    pub async fn answer(&self, to: Ticket, word: Word) -> Result<(), DoorError> {
        self.send(to.0, word).await
    }

    /// Returns when it is sent. Words are sent in the order in which this was called and first polled.
    pub async fn ask(&self, word: Word) -> Result<Answer, DoorError> {
        let (answer, answered) = oneshot::channel();
        let ticket = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        match self.waiting().as_mut() {
            Some(waiting) => waiting.insert(ticket, answer),
            None => return Err(DoorError::Gone),
        };
        self.send(ticket, word).await?;
        Ok(Answer(answered))
    }

    async fn send(&self, ticket: u64, word: Word) -> Result<(), DoorError> {
        let frame = Bytes::from(Frame { ticket, word: Some(word) }.encode_to_vec());
        self.out.lock().await.send(frame).await.map_err(DoorError::Broken)
    }

    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Word>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer for which nobody waits any more is nobody's.
    fn hand_over(&self, ticket: u64, word: Word) {
        let who = self.waiting().as_mut().and_then(|waiting| waiting.remove(&ticket));
        if let Some(who) = who {
            let _ = who.send(word);
        }
    }
}

/// An answer that is still to come.
#[derive(Debug)]
pub struct Answer(oneshot::Receiver<Word>);

impl Answer {
    pub async fn wait(self) -> Result<Word, DoorError> {
        self.0.await.map_err(|_| DoorError::Gone)
    }
}

impl Incoming {
    /// The next question; `None` at the end. Nothing is lost when this is dropped before it has returned.
    pub async fn next(&mut self) -> Result<Option<Question>, DoorError> {
        while let Some(bytes) = self.frames.next().await {
            let bytes = bytes.map_err(DoorError::Broken)?.freeze();
            let frame = Frame::decode(bytes).map_err(|_| DoorError::NoWord)?;
            let word = frame.word.ok_or(DoorError::NoWord)?;
            if !word.is_answer() {
                return Ok(Some(Question { ticket: Ticket(frame.ticket), word }));
            }
            self.line.hand_over(frame.ticket, word);
        }
        Ok(None)
    }

    /// Listens for answers alone, until the end.
    pub async fn answers(&mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Who waits is told: what answers is dropped with it.
        *self.line.waiting() = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const LONGEST: usize = 1000;

    fn both() -> ((Arc<Line>, Incoming), (Arc<Line>, Incoming)) {
        let (one, other) = UnixStream::pair().unwrap();
        (line(one, LONGEST), line(other, LONGEST))
    }

    fn command(text: &'static str) -> Word {
        Word::Command(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn each_answer_comes_to_the_question_that_it_is_for_in_whatever_order() {
        let ((asking, mut answers), (answering, mut questions)) = both();
        tokio::spawn(async move { answers.answers().await });
        let (first, second) =
            (asking.ask(command("one")).await.unwrap(), asking.ask(command("two")).await.unwrap());
        let (one, two) = (questions.next().await.unwrap().unwrap(), questions.next().await.unwrap().unwrap());
        assert_eq!((&one.word, &two.word), (&command("one"), &command("two")));
        for question in [two, one] {
            let Word::Command(text) = question.word else { panic!("{question:?}") };
            answering.answer(question.ticket, Word::Result(text)).await.unwrap();
        }
        assert_eq!(first.wait().await.unwrap(), Word::Result(Bytes::from_static(b"one")));
        assert_eq!(second.wait().await.unwrap(), Word::Result(Bytes::from_static(b"two")));
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_learns_that_the_other_is_gone() {
        let ((asking, answers), other) = both();
        let answer = asking.ask(command("one")).await.unwrap();
        drop((answers, other));
        assert!(matches!(answer.wait().await, Err(DoorError::Gone)));
        assert!(matches!(asking.ask(command("two")).await, Err(DoorError::Gone)));
    }

    #[tokio::test]
    async fn what_is_too_long_or_no_word_ends_the_connection() {
        for said in [vec![0xff, 0xff, 0xff, 0xff], vec![0, 0, 0, 2, 0x08, 0x01], vec![0, 0, 0, 1, 0xff]] {
            let (mut raw, other) = UnixStream::pair().unwrap();
            let (_line, mut questions) = line(other, LONGEST);
            raw.write_all(&said).await.unwrap();
            assert!(questions.next().await.is_err(), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_off_is_no_question() {
        let (mut raw, other) = UnixStream::pair().unwrap();
        let (_line, mut questions) = line(other, LONGEST);
        raw.write_all(&[0, 0, 0, 9, 0x08]).await.unwrap();
        drop(raw);
        assert!(!matches!(questions.next().await, Ok(Some(_))));
    }
}
