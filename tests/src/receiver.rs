//! Somebody to whom events are sent over HTTP, in any mood.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::nats::free_port;

/// How it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Answers(u16),
    RedirectsTo(String),
    Silent,
}

/// What came.
#[derive(Debug, Clone)]
pub struct Request {
    /// With names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub taken: bool,
}

#[derive(Debug)]
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    came: Mutex<Vec<Request>>,
}

impl Receiver {
    pub async fn start(mood: Mood) -> anyhow::Result<Self> {
        let shared = Shared { mood: Mutex::new(mood), came: Mutex::default() };
        let mut receiver = Self { port: free_port()?, shared: Arc::new(shared), listening: None };
        receiver.listen().await?;
        Ok(receiver)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Listens again, on the same port.
    pub async fn listen(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let shared = Arc::clone(&self.shared);
        self.listening = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                // Whoever sends half a request is no concern of the next.
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        }));
        Ok(())
    }

    /// Nobody is there any more.
    pub async fn go_down(&mut self) {
        if let Some(task) = self.listening.take() {
            task.abort();
            let _ = task.await;
        }
    }

    pub fn be(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    pub fn came(&self) -> Vec<Request> {
        self.shared.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that were answered with success.
    pub fn taken(&self) -> Vec<Request> {
        self.came().into_iter().filter(|request| request.taken).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(task) = &self.listening {
            task.abort();
        }
    }
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> anyhow::Result<()> {
    let mut stream = BufStream::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end() {
            "" => break,
            line => line
                .split_once(": ")
                .map(|(name, value)| headers.insert(name.to_ascii_lowercase(), value.to_owned())),
        };
    }
    let length = headers.get("content-length").context("no length")?.parse()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let mood = shared.mood.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let taken = mood == Mood::Takes;
    shared.came.lock().unwrap_or_else(PoisonError::into_inner).push(Request { headers, body, taken });
    let answer = match mood {
        Mood::Takes => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        Mood::Answers(status) => format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n"),
        Mood::RedirectsTo(url) => {
            format!("HTTP/1.1 307 Away\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n")
        }
        // Longer than anybody waits.
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            return Ok(());
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream.flush().await?)
}
