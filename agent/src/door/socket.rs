//! Where the two meet: a socket in a directory of root's, for one user.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown},
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
    make(directory).map_err(at(directory))?;
    let data = fs::metadata(directory).map_err(at(directory))?;
    let (owner, mode) = (data.uid(), data.permissions().mode() & 0o777);
    let ours = owner == 0 || owner == geteuid().as_raw();
    match ours && mode & 0o022 == 0 {
        true => Ok(()),
        false => Err(DoorError::Directory { path: directory.to_owned(), owner, mode }),
    }
}

/// One that is new is open to the one user, whatever our umask is.
fn make(directory: &Path) -> io::Result<()> {
    if let Some(above) = directory.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::create_dir(directory) {
        Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A helper for who we are ourselves.
    fn ours(socket: PathBuf) -> Helper {
        let own = geteuid().as_raw();
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let name = users.lines().find(|line| line.split(':').nth(2) == Some(&own.to_string())).unwrap();
        Helper { socket, user: name.split(':').next().unwrap().to_owned() }
    }

    #[tokio::test]
    async fn the_one_user_is_let_in_and_a_socket_that_was_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let helper = ours(folder.path().join("run/helper.sock"));
        drop(Door::open(&helper).unwrap());
        let door = Door::open(&helper).unwrap();
        let (one, other) = tokio::join!(reach(&helper.socket), door.accept());
        drop(other);
        assert_eq!(one.unwrap().read(&mut [0; 1]).await.unwrap(), 0);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&helper.socket), mode(&folder.path().join("run"))), (0o600, 0o755));
    }

    #[tokio::test]
    async fn a_directory_that_others_may_write_to_a_file_in_the_way_and_a_user_who_is_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let helper = ours(folder.path().join("run/helper.sock"));
        fs::create_dir(folder.path().join("run")).unwrap();
        let open_to = |mode| {
            fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(mode)).unwrap();
            Door::open(&helper)
        };
        assert!(matches!(open_to(0o777), Err(DoorError::Directory { mode: 0o777, .. })));
        fs::write(folder.path().join("run/helper.sock.new"), "somebody's").unwrap();
        assert!(matches!(open_to(0o755), Err(DoorError::Socket { .. })));
        let nobody = Helper { user: "no such user".to_owned(), ..helper };
        assert!(matches!(Door::open(&nobody), Err(DoorError::NoUser { .. })));
    }
}
