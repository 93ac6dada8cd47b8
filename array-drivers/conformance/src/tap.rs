//! Listening in on the sessions of the checks: every reply of the whole run is held against the strict readers.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sanfleet_driver::{FrameBuffer, MAX_FRAME};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use crate::{plug::Plug, strict, target::Door};

/// How long a driver whose client has gone may take to end.
const END: Duration = Duration::from_secs(2);

/// What the strict readers did not like, each once, with the method that it was first seen in.
#[derive(Debug, Default)]
pub struct Record {
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    replies: u64,
    violations: BTreeMap<String, String>,
}

impl Record {
    pub fn note(&self, method: &str, violations: Vec<String>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.replies += 1;
        for violation in violations {
            notes.violations.entry(violation).or_insert_with(|| method.to_owned());
        }
    }

    /// How many replies were read, and what was wrong with them.
    pub fn told(&self) -> (u64, Vec<String>) {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let told = notes.violations.iter().map(|(violation, method)| format!("{method}: {violation}"));
        (notes.replies, told.collect())
    }
}

/// Listens at `path` for one client and puts it through to a driver.
pub fn listen(path: &Path, door: Door, record: Arc<Record>) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move {
        if let Ok((client, _)) = listener.accept().await
            && let Ok(plug) = Plug::open(&door).await
        {
            Tap { record, asked: VecDeque::new(), extended: false }.relay(client, plug).await;
        }
    });
    Ok(())
}

struct Tap {
    record: Arc<Record>,
    /// The methods whose replies are still to come.
    asked: VecDeque<String>,
    /// The client asked for extensions, so replies may hold what only they explain.
    extended: bool,
}

impl Tap {
    /// Hands bytes on, both ways, until either side has gone. An error of one side is the end of the other.
    async fn relay(&mut self, mut client: UnixStream, mut plug: Plug) {
        let (mut requests, mut replies) = (FrameBuffer::new(MAX_FRAME), FrameBuffer::new(MAX_FRAME));
        let (mut from_client, mut from_driver) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            tokio::select! {
                read = client.read(&mut from_client) => {
                    let Some(bytes) = some(read, &from_client) else { break };
                    self.hear(&mut requests, bytes, Self::request);
                    if plug.stream.write_all(bytes).await.is_err() {
                        break;
                    }
                }
                read = plug.stream.read(&mut from_driver) => {
                    let Some(bytes) = some(read, &from_driver) else { break };
                    self.hear(&mut replies, bytes, Self::reply);
                    if client.write_all(bytes).await.is_err() {
                        break;
                    }
                }
            }
        }
        drop(client);
        plug.close(END).await;
    }

    fn hear(&mut self, buffer: &mut FrameBuffer, bytes: &[u8], note: fn(&mut Self, &[u8])) {
        buffer.push(bytes);
        // What is no frame the session itself complains about.
        while let Ok(Some(body)) = buffer.next_frame() {
            note(self, &body);
        }
    }

    fn request(&mut self, body: &[u8]) {
        #[derive(Deserialize)]
        struct Request {
            method: String,
        }
        let method = serde_json::from_slice(body).map_or(String::new(), |request: Request| request.method);
        self.extended |= method == strict::EXTENSIONS;
        self.asked.push_back(method);
    }

    fn reply(&mut self, body: &[u8]) {
        let method = self.asked.pop_front().unwrap_or_default();
        self.record.note(&method, strict::violations(&method, self.extended, body));
    }
}

fn some(read: io::Result<usize>, bytes: &[u8]) -> Option<&[u8]> {
    match read {
        Ok(count @ 1..) => bytes.get(..count),
        _ => None,
    }
}
