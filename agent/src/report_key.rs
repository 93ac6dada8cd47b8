//! The key that this host's reports are signed by: made at the first start, in a file of the state directory that root alone reads.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sanfleet_protocol::ReportKey;

use crate::file::{self, Access};

const NAME: &str = "report.key";

#[derive(Debug, thiserror::Error)]
pub enum ReportKeyError {
    #[error("{}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} holds no key; without it the host makes another, which the controller is to be told of", path.display())]
    NoKey { path: PathBuf },
}

/// The key of this host; a new one where there is none.
pub fn load(state_dir: &Path) -> Result<ReportKey, ReportKeyError> {
    let path = state_dir.join(NAME);
    let failed = |source| ReportKeyError::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => ReportKey::from_hex(&text).map_err(|_| ReportKeyError::NoKey { path: path.clone() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// It has its name only when all of it is on disk: half a key would be another one.
fn make(path: &Path) -> io::Result<ReportKey> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let key = ReportKey::from_bytes(&secret);
    file::replace(path, &format!("{}\n", key.to_hex()), Access::PRIVATE)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_root_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = load(folder.path()).unwrap();
        assert_eq!(load(folder.path()).unwrap().public(), first.public());
        let mode = fs::metadata(folder.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_no_key_is_not_replaced_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "cut of").unwrap();
        assert!(matches!(load(folder.path()), Err(ReportKeyError::NoKey { .. })));
    }
}
