//! One event as an HTTP request: CloudEvents' HTTP binding in binary mode, with a signature over time and body.

use std::time::Duration;

use async_nats::HeaderMap as BusHeaders;
use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT},
};
use ring::hmac;
use sanfleet_protocol::Password;

use crate::http::{HttpClient, HttpError, HttpUrl, header_value};

/// How long one try may take, from the look-up of the name to the status.
pub const LIMIT: Duration = Duration::from_secs(15);

const SIGNATURE: HeaderName = HeaderName::from_static("sanfleet-signature");

/// Sends events to one place.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub(super) client: HttpClient,
    pub(super) url: HttpUrl,
    pub(super) secret: Password,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the answer was {0}, a redirect, and none is followed")]
    Redirect(StatusCode),
    #[error("the answer was {0}")]
    Status(StatusCode),
}

impl NotTaken {
    /// Whoever refuses an event may take it once it has been put right.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => error.is_retryable(),
            Self::Redirect(_) | Self::Status(_) => true,
        }
    }
}

impl Delivery {
    pub async fn send(
        &self,
        event: &BusHeaders,
        body: Bytes,
        now_unix_ms: i64,
    ) -> Result<StatusCode, NotTaken> {
        let mut headers = attributes(event);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sanfleet/", env!("CARGO_PKG_VERSION"))));
        let signature = signature(self.secret.expose(), now_unix_ms / 1000, &body);
        if let Some(signature) = header_value(&signature) {
            headers.insert(SIGNATURE, signature);
        }
        let status = self.client.post(&self.url, headers, body, LIMIT).await?;
        match status {
            status if status.is_success() => Ok(status),
            status if status.is_redirection() => Err(NotTaken::Redirect(status)),
            status => Err(NotTaken::Status(status)),
        }
    }
}

/// The attributes are named alike in both bindings, but for the type of the body.
fn attributes(event: &BusHeaders) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in event.iter() {
        let name = name.to_string().to_ascii_lowercase();
        let name = match name.as_str() {
            "ce-datacontenttype" => CONTENT_TYPE,
            name if name.starts_with("ce-") => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) => name,
                Err(_) => continue,
            },
            _ => continue,
        };
        if let Some(value) = values.first().and_then(|value| header_value(value.as_str())) {
            headers.insert(name, value);
        }
    }
    headers
}

/// `t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body" in hex>`.
fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{seconds}.").as_bytes());
    signing.update(body);
    let hex: String = signing.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_others() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature("secret", 1_700_000_000, b"{}"),
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }

    #[test]
    fn attributes_become_headers_and_nothing_else_does() {
        let mut event = BusHeaders::new();
        for (name, value) in [
            ("ce-id", "7"),
            ("ce-type", "run.finished"),
            ("ce-datacontenttype", "application/json"),
            ("Nats-Msg-Id", "7"),
            ("sanfleet-reason", "x"),
        ] {
            event.insert(name, value);
        }
        let headers = attributes(&event);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["ce-id", "ce-type", "content-type"]);
        assert_eq!(headers["content-type"], "application/json");
    }
}
