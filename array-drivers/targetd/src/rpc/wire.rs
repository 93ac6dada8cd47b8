//! How requests get to the daemon.

use std::fmt;

use sanfleet_driver_http::{Client, Deadline, HttpError, Response};

/// The only path that the daemon has.
const PATH: &str = "/targetrpc";

/// The seam between what is said and how it travels.
pub(crate) trait Wire: fmt::Debug {
    fn exchange(&mut self, request: &[u8], deadline: Deadline) -> Result<Response, HttpError>;
}

#[derive(Debug)]
pub(crate) struct HttpWire(pub Client);

impl Wire for HttpWire {
    fn exchange(&mut self, request: &[u8], deadline: Deadline) -> Result<Response, HttpError> {
        self.0.post_json(PATH, request, deadline)
    }
}
