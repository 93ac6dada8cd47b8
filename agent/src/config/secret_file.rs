//! A password in a file of its own.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use super::ConfigError;

/// The file's text without the end of its line. A file that others may read is refused.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let refuse = |why: String| ConfigError::Password { path: path.to_owned(), why };
    let data = fs::metadata(path).map_err(|e| refuse(e.to_string()))?;
    let us = rustix::process::geteuid().as_raw();
    if data.uid() != 0 && data.uid() != us {
        return Err(refuse(format!("belongs to user {}, not to root or the agent's own user", data.uid())));
    }
    if data.permissions().mode() & 0o077 != 0 {
        let mode = data.permissions().mode() & 0o777;
        return Err(refuse(format!("has mode {mode:03o}; others may not have any access, set 0600")));
    }
    let text = fs::read_to_string(path).map_err(|e| refuse(e.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
