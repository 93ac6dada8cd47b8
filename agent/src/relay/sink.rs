//! Reports and heartbeats to the bus, by plain publishing: an agent never uses the JetStream API.

use async_nats::connection::State;
use bytes::Bytes;
use sanfleet_protocol::{HostId, subject};

use crate::reporter::{ReportSink, SinkError};

#[derive(Debug, Clone)]
pub struct NatsSink {
    client: async_nats::Client,
    reports: String,
    heartbeats: String,
}

impl NatsSink {
    pub fn new(client: async_nats::Client, host: &HostId) -> Self {
        Self { client, reports: subject::report(host), heartbeats: subject::heartbeat(host) }
    }

    async fn publish(&self, subject: &str, message: Bytes) -> Result<(), SinkError> {
        // The client would keep messages for the next connection, where they would be old.
        if self.client.connection_state() != State::Connected {
            return Err(SinkError::Disconnected);
        }
        let bytes = message.len();
        self.client.publish(subject.to_owned(), message).await.map_err(|error| match error.kind() {
            async_nats::client::PublishErrorKind::MaxPayloadExceeded => SinkError::TooLarge { bytes },
            _ => SinkError::Bus(Box::new(error)),
        })
    }
}

impl ReportSink for NatsSink {
    async fn publish_report(&self, report: Bytes) -> Result<(), SinkError> {
        self.publish(&self.reports, report).await
    }

    async fn publish_heartbeat(&self, heartbeat: Bytes) -> Result<(), SinkError> {
        self.publish(&self.heartbeats, heartbeat).await
    }

    async fn flush(&self) -> Result<(), SinkError> {
        self.client.flush().await.map_err(|error| SinkError::Bus(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::ConnectOptions;
    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;

    const BOUND: Duration = Duration::from_secs(10);
    const MAX_PAYLOAD: usize = 1000;

    /// Speaks as much of the NATS client protocol as a publisher needs; gives the messages that it gets.
    async fn serve(stream: TcpStream, messages: tokio::sync::mpsc::UnboundedSender<(String, Vec<u8>)>) {
        let mut stream = BufReader::new(stream);
        let info = format!(
            "INFO {{\"server_id\":\"t\",\"version\":\"2.12.0\",\"max_payload\":{MAX_PAYLOAD},\"headers\":true}}\r\n"
        );
        stream.write_all(info.as_bytes()).await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or_default() > 0 {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => stream.write_all(b"PONG\r\n").await.unwrap(),
                ["PUB", subject, size] => {
                    let mut body = vec![0; size.parse::<usize>().unwrap() + 2];
                    stream.read_exact(&mut body).await.unwrap();
                    body.truncate(body.len() - 2);
                    messages.send(((*subject).to_owned(), body)).unwrap();
                }
                _ => {}
            }
            line.clear();
        }
    }

    #[tokio::test]
    async fn reports_and_heartbeats_are_published_on_the_hosts_own_subjects() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
        let server = tokio::spawn(async move { serve(listener.accept().await.unwrap().0, sender).await });

        let client = timeout(BOUND, async_nats::connect(url)).await.unwrap().unwrap();
        let sink = NatsSink::new(client, &"db1".parse().unwrap());
        sink.publish_report(Bytes::from_static(b"report")).await.unwrap();
        sink.publish_heartbeat(Bytes::from_static(b"alive")).await.unwrap();
        sink.flush().await.unwrap();
        for expected in [("sanfleet.v1.host.db1.report", "report"), ("sanfleet.v1.host.db1.alive", "alive")] {
            let (subject, body) = timeout(BOUND, messages.recv()).await.unwrap().unwrap();
            assert_eq!((subject.as_str(), body.as_slice()), (expected.0, expected.1.as_bytes()));
        }
        let error = sink.publish_report(Bytes::from(vec![0; MAX_PAYLOAD + 1])).await.unwrap_err();
        assert!(matches!(error, SinkError::TooLarge { bytes: 1001 }), "{error:?}");
        server.abort();
    }

    #[tokio::test]
    async fn without_a_connection_nothing_is_kept_for_later() {
        // Bound and dropped: nobody listens there.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let options = ConnectOptions::new().retry_on_initial_connect();
        let client = options.connect(format!("nats://{address}")).await.unwrap();
        let sink = NatsSink::new(client, &"db1".parse().unwrap());
        let refused = sink.publish_report(Bytes::from_static(b"report")).await;
        assert!(matches!(refused, Err(SinkError::Disconnected)));
    }
}
