//! What a driver writes to its stderr: it goes to our log, and the last line is kept for the error if the driver dies.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::AsyncReadExt,
    process::ChildStderr,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

/// What of a driver's stderr reaches our log: lines a process, bytes a line. The rest is read and thrown away, so that a
/// talkative driver neither blocks nor fills the log.
const MAX_LINES: usize = 1_000;
const MAX_LINE: usize = 2_000;

/// Reads a driver's stderr until it ends.
#[derive(Debug)]
pub(super) struct LastWords {
    last: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl LastWords {
    pub fn listen(driver: String, stderr: ChildStderr) -> Self {
        let last = Arc::<Mutex<String>>::default();
        let reader = tokio::spawn(log_stderr(driver, stderr, Arc::clone(&last)));
        Self { last, reader }
    }

    /// The last line; none when nothing was said. Ask when the process has ended.
    pub async fn heard_by(self, end: Instant) -> Option<String> {
        // A process that slipped out of its group may hold the pipe open: what came so far must do.
        let _ = timeout_at(end, self.reader).await;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (!last.is_empty()).then_some(last)
    }
}

async fn log_stderr(driver: String, mut stderr: ChildStderr, last: Arc<Mutex<String>>) {
    let mut lines = Lines::default();
    let mut piece = [0; 4096];
    let mut logged = 0;
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        for line in lines.push(piece.get(..count).unwrap_or_default()) {
            logged += 1;
            match logged {
                ..MAX_LINES => tracing::info!(driver, "{line}"),
                MAX_LINES => tracing::warn!(driver, "the driver says too much: the rest is not logged"),
                _ => {}
            }
            if !line.trim().is_empty() {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
            }
        }
    }
}

/// Cuts bytes into lines of bounded length.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => whole.push(legible(&std::mem::take(&mut self.line))),
                _ if self.line.len() < MAX_LINE => self.line.push(byte),
                _ => {}
            }
        }
        whole
    }
}

fn legible(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_stays_within_its_bound() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'a'; 1000]).is_empty());
        }
        assert_eq!(lines.push(b"\nnext\x1b[31m\n"), ["a".repeat(MAX_LINE), "next[31m".into()]);
    }
}
