//! One request, one answer.

use std::{thread, time::Duration};

use ureq::{Agent, http};

use crate::{
    credentials::Credentials,
    deadline::Deadline,
    endpoint::Endpoint,
    error::HttpError,
    trust::{Tls, TrustError},
};

/// A host that is there takes a connection sooner.
const CONNECT: Duration = Duration::from_secs(10);
/// Before a connection that was refused is tried again: a daemon that is restarted is back soon.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
const HEADER_BYTES: usize = 64 << 10;

/// An array's door.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    address: String,
    base: String,
    credentials: Credentials,
    /// Longest answer that is read.
    limit: u64,
}

/// What came back, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    /// `limit` is how many bytes of an answer are read.
    ///
    /// # Errors
    /// There is nobody whose certificate could be trusted.
    pub fn new(endpoint: &Endpoint, credentials: Credentials, limit: u64) -> Result<Self, TrustError> {
        let config = Agent::config_builder()
            .tls_config(endpoint.tls.config()?)
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(0)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_BYTES)
            .timeout_connect(Some(CONNECT))
            .build();
        let scheme = if endpoint.tls == Tls::Off { "http" } else { "https" };
        let address = endpoint.address();
        Ok(Self {
            agent: config.new_agent(),
            base: format!("{scheme}://{address}"),
            address,
            credentials,
            limit,
        })
    }

    /// Sends JSON to a path, which begins with `/`.
    pub fn post_json(&self, path: &str, body: &[u8], deadline: Deadline) -> Result<Response, HttpError> {
        again_when_refused(deadline, || self.post_once(path, body, deadline))
    }

    fn post_once(&self, path: &str, body: &[u8], deadline: Deadline) -> Result<Response, HttpError> {
        let left = deadline.left();
        if left.is_zero() {
            return Err(HttpError::ConnectTooSlow { address: self.address.clone() });
        }
        let failed = |error| HttpError::new(self.address.clone(), self.limit, error);
        let answer = self
            .agent
            .post(format!("{}{path}", self.base))
            .config()
            .timeout_global(Some(left))
            .build()
            .header(http::header::AUTHORIZATION, self.credentials.header())
            .content_type("application/json")
            .send(body)
            .map_err(failed)?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(self.limit).read_to_vec().map_err(failed)?;
        Ok(Response { status: head.status.as_u16(), body })
    }
}

/// Nothing has been sent over a connection that was refused, so it may be asked for again.
fn again_when_refused<T>(
    deadline: Deadline,
    mut attempt: impl FnMut() -> Result<T, HttpError>,
) -> Result<T, HttpError> {
    for pause in PAUSES {
        match attempt() {
            Err(HttpError::Refused { .. }) if pause < deadline.left() => thread::sleep(pause),
            outcome => return outcome,
        }
    }
    attempt()
}

#[cfg(test)]
mod tests;
