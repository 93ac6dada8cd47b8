//! A client of our own making that says exactly what a check wants said, wrong things included.

use std::{io, process::ExitStatus, sync::Arc, time::Duration};

use sanfleet_driver::{FrameBuffer, MAX_FRAME, encode_frame};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    expect::{Verdict, failed},
    plug::Plug,
    strict,
    tap::Record,
};

/// One connection, read frame by frame. Every reply is held against the strict readers.
#[derive(Debug)]
pub struct Wire {
    plug: Plug,
    buffer: FrameBuffer,
    deadline: Duration,
    record: Arc<Record>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Result(Value),
    Error {
        code: i64,
        message: String,
    },
    /// The driver closed the connection instead.
    Closed,
}

impl Wire {
    pub fn new(plug: Plug, deadline: Duration, record: Arc<Record>) -> Self {
        Self { plug, buffer: FrameBuffer::new(MAX_FRAME), deadline, record }
    }

    /// Calls with these parameters; `flags` is added.
    pub async fn call(&mut self, method: &str, mut params: Value) -> Verdict<Reply> {
        if let Some(params) = params.as_object_mut() {
            params.entry("flags").or_insert(json!(0));
        }
        self.say(&json!({"method": method, "id": 100, "params": params})).await?;
        self.reply(method).await
    }

    /// Calls, and fails unless there is a result.
    pub async fn ask(&mut self, method: &str, params: Value) -> Verdict<Value> {
        match self.call(method, params).await? {
            Reply::Result(result) => Ok(result),
            other => failed(format!("the reply to {method}"), "a result", format!("{other:?}")),
        }
    }

    pub async fn say(&mut self, request: &Value) -> Verdict {
        let frame = encode_frame(request.to_string().as_bytes()).unwrap_or_default();
        self.send(&frame).await
    }

    /// Bytes as they are. A driver that has closed the connection shows in the reply.
    pub async fn send(&mut self, bytes: &[u8]) -> Verdict {
        match timeout(self.deadline, self.plug.stream.write_all(bytes)).await {
            Ok(Err(error)) if gone(&error) => Ok(()),
            Ok(sent) => Ok(sent?),
            Err(_) => failed("a request", "that the driver reads it", "it did not within the deadline"),
        }
    }

    pub async fn flush(&mut self) -> Verdict {
        Ok(self.plug.stream.flush().await?)
    }

    /// The next reply; `method` is what it answers.
    pub async fn reply(&mut self, method: &str) -> Verdict<Reply> {
        match timeout(self.deadline, self.body()).await {
            Ok(Ok(Some(body))) => {
                self.record.note(method, strict::violations(method, false, &body));
                read(method, &body)
            }
            Ok(Ok(None)) => Ok(Reply::Closed),
            Ok(Err(error)) => failed(format!("the reply to {method}"), "a frame", error.to_string()),
            Err(_) => {
                failed(format!("the reply to {method}"), "that it comes", "nothing within the deadline")
            }
        }
    }

    async fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = vec![0; 64 << 10];
        loop {
            if let Some(body) = self.buffer.next_frame().map_err(io::Error::other)? {
                return Ok(Some(body));
            }
            match self.plug.stream.read(&mut piece).await {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                Ok(0) => return Err(io::Error::other("the reply ends in the middle")),
                Ok(count) => self.buffer.push(piece.get(..count).unwrap_or_default()),
                Err(error) if gone(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes without a word; how the driver's process ended, if it is ours and did so by itself.
    pub async fn close(self) -> Closed {
        let ours = self.plug.is_ours();
        match self.plug.close(self.deadline).await {
            Some(status) => Closed::Ended(status),
            None if ours => Closed::Killed,
            None => Closed::NotOurs,
        }
    }
}

/// What became of the driver's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    Ended(ExitStatus),
    /// It did not end when its client had gone.
    Killed,
    NotOurs,
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn read(method: &str, body: &[u8]) -> Verdict<Reply> {
    let refuse =
        || failed(format!("the reply to {method}"), "a result or an error", String::from_utf8_lossy(body));
    let Ok(reply) = serde_json::from_slice::<Value>(body) else { return refuse() };
    if let Some(result) = reply.get("result") {
        return Ok(Reply::Result(result.clone()));
    }
    match reply.pointer("/error/code").and_then(Value::as_i64) {
        Some(code) => {
            let message =
                reply.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok(Reply::Error { code, message })
        }
        None => refuse(),
    }
}
