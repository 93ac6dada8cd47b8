//! What is tested, and how it is reached.

use std::{fmt, path::PathBuf};

/// A driver and the array that it is asked to serve.
#[derive(Clone)]
pub struct Target {
    pub uri: String,
    pub password: Option<String>,
    pub door: Door,
}

/// How sessions with the driver begin.
#[derive(Debug, Clone)]
pub enum Door {
    /// A program that is started for each session with the number of its socket as only argument.
    Program(PathBuf),
    /// A socket behind which somebody, libStorageMgmt's daemon for instance, has a driver for each connection.
    Socket(PathBuf),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "(not shown)");
        f.debug_struct("Target")
            .field("uri", &self.uri)
            .field("password", &password)
            .field("door", &self.door)
            .finish()
    }
}
