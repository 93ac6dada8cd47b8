//! One request, one answer.

use std::{thread, time::Duration};

use ureq::{Agent, AsSendBody, Body, http};

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

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
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

    /// From now on somebody else asks: a token was given out, or has expired.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        self.credentials = credentials;
    }

    /// Sends JSON to a path, which begins with `/`.
    pub fn post_json(&self, path: &str, body: &[u8], deadline: Deadline) -> Result<Response, HttpError> {
        self.send(Method::Post, path, body, deadline)
    }

    /// Sends JSON, or nothing when `body` is empty, to a path that begins with `/` and may have a query.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, HttpError> {
        again_when_refused(deadline, || self.send_once(method, path, body, deadline))
    }

    fn send_once(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, HttpError> {
        let left = deadline.left();
        if left.is_zero() {
            return Err(HttpError::ConnectTooSlow { address: self.address.clone() });
        }
        let failed = |error| HttpError::new(self.address.clone(), self.limit, error);
        let request = self.request(method, path);
        let answer = match body.is_empty() {
            true => request.body(()).map_err(ureq::Error::from).and_then(|request| self.run(request, left)),
            false => {
                let request = request.header(http::header::CONTENT_TYPE, "application/json").body(body);
                request.map_err(ureq::Error::from).and_then(|request| self.run(request, left))
            }
        };
        let (head, mut body) = answer.map_err(failed)?.into_parts();
        let body = body.with_config().limit(self.limit).read_to_vec().map_err(failed)?;
        Ok(Response { status: head.status.as_u16(), body })
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = http::Request::builder().method(method.http()).uri(format!("{}{path}", self.base));
        match self.credentials.header() {
            Some(header) => request.header(http::header::AUTHORIZATION, header),
            None => request,
        }
    }

    fn run(
        &self,
        request: http::Request<impl AsSendBody>,
        left: Duration,
    ) -> Result<http::Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request).timeout_global(Some(left)).build();
        self.agent.run(request)
    }
}

impl Method {
    fn http(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Delete => http::Method::DELETE,
        }
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
