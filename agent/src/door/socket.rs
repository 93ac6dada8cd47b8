//! Where the two meet: a socket in a directory of root's, for one user.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use super::DoorError;
use crate::{config::Helper, passwd};

/// After a failure to take a connection, which is for want of memory or file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The helper's side.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    user: u32,
}

impl Door {
    /// Takes the place of a socket that an earlier helper has left.
    pub fn open(helper: &Helper) -> Result<Self, DoorError> {
        let user = passwd::find(&helper.user)
            .map_err(DoorError::Users)?
            .ok_or_else(|| DoorError::NoUser { name: helper.user.clone() })?;
        let directory = helper.socket.parent().unwrap_or(Path::new("/"));
        prepare(directory)?;
        let listener = listen(&helper.socket, user.id).map_err(|source| at(&helper.socket)(source))?;
        Ok(Self { listener, user: user.id })
    }

    /// The next connection of the one user; others are refused, and said to be.
    pub async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await.and_then(|(stream, _)| Ok((stream.peer_cred()?.uid(), stream)))
            {
                Ok((user, stream)) if user == self.user => return stream,
                Ok((user, _)) => tracing::warn!(user, "refused: this user is not the agent's"),
                Err(error) => {
                    tracing::error!(%error, "no connection can be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The relay's side. Whoever listens has to be root, or who we are ourselves.
pub async fn reach(socket: &Path) -> Result<UnixStream, DoorError> {
    let stream = UnixStream::connect(socket).await.map_err(at(socket))?;
    let user = stream.peer_cred().map_err(at(socket))?.uid();
    match user == 0 || user == geteuid().as_raw() {
        true => Ok(stream),
        false => Err(DoorError::Impostor { path: socket.to_owned(), user }),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> DoorError {
    let path = path.to_owned();
    move |source| DoorError::Socket { path: path.clone(), source }
}

/// Whoever may write to the directory could put a socket of his own there.
fn prepare(directory: &Path) -> Result<(), DoorError> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(at(directory))?;
    let data = fs::metadata(directory).map_err(at(directory))?;
    let (owner, mode) = (data.uid(), data.permissions().mode() & 0o777);
    let ours = owner == 0 || owner == geteuid().as_raw();
    match ours && mode & 0o022 == 0 {
        true => Ok(()),
        false => Err(DoorError::Directory { path: directory.to_owned(), owner, mode }),
    }
}

/// It has its owner and mode before it has its name.
fn listen(socket: &Path, user: u32) -> io::Result<UnixListener> {
    let unnamed = PathBuf::from(format!("{}.new", socket.display()));
    remove_socket(&unnamed)?;
    let listener = UnixListener::bind(&unnamed)?;
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o600))?;
    chown(&unnamed, Some(user), None)?;
    fs::rename(&unnamed, socket)?;
    Ok(listener)
}

/// Nothing else is ever removed.
fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
