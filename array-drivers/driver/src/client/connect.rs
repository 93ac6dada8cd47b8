//! The ways to a driver: a program that we start, a socket that libStorageMgmt's daemon serves, a descriptor we are given.

use std::{
    env, fs, io,
    os::unix::{fs::FileTypeExt, net::UnixStream as StdUnixStream},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};
use tokio::{net::UnixStream, time::timeout};

#[cfg(feature = "direct")]
use super::direct::{DirectLine, Doorway};
use super::{
    ClientError, Options, Session, milliseconds,
    process::DriverProcess,
    wire::{Line, Wire},
};
use crate::method::PluginRegister;

/// Where libStorageMgmt's daemon has its sockets when the environment does not say.
pub const SOCKET_FOLDER: &str = "/var/run/lsm/ipc";

/// How to get at a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A program that we start, one process a session.
    Program(PathBuf),
    /// A socket behind which somebody else starts one.
    Socket(PathBuf),
    /// The folder of the daemon's sockets; which one it is, the URI's scheme says.
    Daemon(PathBuf),
    /// The program where it is installed, and else what the daemon serves below `sockets`: looked up for each session, so that
    /// either may come later than we.
    Installed { program: PathBuf, sockets: PathBuf },
    /// A driver in our own process.
    #[cfg(feature = "direct")]
    Direct(Doorway),
}

/// The folder of the daemon's sockets: `LSM_UDS_PATH`, or libStorageMgmt's default.
pub fn socket_folder() -> PathBuf {
    env::var_os("LSM_UDS_PATH").filter(|path| !path.is_empty()).unwrap_or_else(|| SOCKET_FOLDER.into()).into()
}

impl Session {
    /// Reaches the driver and registers with it.
    pub async fn connect(
        way: &Way,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        let session = Self::reach(way, uri, &options).await?;
        session.register(uri, password).await
    }

    /// Starts the driver's program and registers with it. It dies when the session is dropped, or ends by itself when we do,
    /// for its socket then closes.
    pub async fn connect_executable(
        path: &Path,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        Self::connect(&Way::Program(path.to_owned()), uri, password, options).await
    }

    /// Connects to the socket of a driver that somebody else starts, and registers with it.
    pub async fn connect_socket(
        path: &Path,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        Self::connect(&Way::Socket(path.to_owned()), uri, password, options).await
    }

    /// Registers with the driver at the other end of a stream that is connected already, as libStorageMgmt's client does
    /// with the descriptor that `LSMCLI_DEBUG_FD` names.
    pub async fn connect_stream(
        stream: StdUnixStream,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        let adopt = || {
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        };
        let stream =
            adopt().map_err(|source| ClientError::Start { path: "a given descriptor".into(), source })?;
        Self::over(stream, None, &options).register(uri, password).await
    }

    /// A session that nobody has registered yet.
    pub(super) async fn reach(way: &Way, uri: &str, options: &Options) -> Result<Self, ClientError> {
        match way {
            Way::Program(path) => Self::start(path, options),
            Way::Socket(path) => Ok(Self::over(connected(path, options).await?, None, options)),
            #[cfg(feature = "direct")]
            Way::Direct(door) => {
                let opened = DirectLine::open(door);
                let line =
                    opened.map_err(|source| ClientError::Start { path: "our own process".into(), source })?;
                Ok(Self::on(Line::Direct(line), None, options))
            }
            // Where neither is, the program's is the path to name.
            Way::Installed { program, sockets } if is_executable(program) || !is_served(sockets, uri) => {
                Self::start(program, options)
            }
            Way::Daemon(folder) | Way::Installed { sockets: folder, .. } => {
                let path = served(folder, uri)?;
                Ok(Self::over(connected(&path, options).await?, None, options))
            }
        }
    }

    fn start(path: &Path, options: &Options) -> Result<Self, ClientError> {
        let (process, stream) = DriverProcess::start(path, &options.environment, options.limits)
            .map_err(|source| ClientError::Start { path: path.to_owned(), source })?;
        Ok(Self::over(stream, Some(process), options))
    }

    fn over(stream: UnixStream, process: Option<DriverProcess>, options: &Options) -> Self {
        Self::on(Line::Socket(stream), process, options)
    }

    fn on(line: Line, process: Option<DriverProcess>, options: &Options) -> Self {
        Self {
            wire: Some(Wire::new(line, options.max_frame)),
            process,
            deadline: options.deadline,
            end: None,
            calling: false,
            monitor: None,
            leave: None,
        }
    }

    async fn register(mut self, uri: &str, password: Option<&str>) -> Result<Self, ClientError> {
        let (uri, password, timeout) =
            (uri.to_owned(), password.map(str::to_owned), milliseconds(self.deadline));
        match self.call(PluginRegister { uri, password, timeout }).await {
            Ok(()) => Ok(self),
            Err(error) => {
                self.die();
                Err(error)
            }
        }
    }
}

async fn connected(path: &Path, options: &Options) -> Result<UnixStream, ClientError> {
    timeout(options.deadline, UnixStream::connect(path))
        .await
        .unwrap_or_else(|late| Err(late.into()))
        .map_err(|source| ClientError::Start { path: path.to_owned(), source })
}

/// The plug-in that a URI wants: its scheme up to the first `+`.
fn kind_of(uri: &str) -> &str {
    uri.split(':').next().and_then(|scheme| scheme.split('+').next()).unwrap_or_default()
}

/// Where the socket of the plug-in that serves this URI has to be.
fn socket_of(folder: &Path, uri: &str) -> Option<PathBuf> {
    let kind = kind_of(uri);
    // The name becomes a path: nothing but a plain word may.
    let plain = !(kind.is_empty() || kind.starts_with('.') || kind.contains('/'));
    plain.then(|| folder.join(kind))
}

/// The socket of the plug-in that serves this URI.
fn served(folder: &Path, uri: &str) -> Result<PathBuf, ClientError> {
    let missing = || ClientError::PluginMissing { kind: kind_of(uri).to_owned(), folder: folder.to_owned() };
    let path = socket_of(folder, uri).ok_or_else(missing)?;
    if !path.exists() {
        let daemon_lives = sockets(folder).unwrap_or_default().iter().any(|path| answers(path));
        return Err(if daemon_lives {
            missing()
        } else {
            ClientError::DaemonMissing { folder: folder.to_owned() }
        });
    }
    access(&path, Access::READ_OK | Access::WRITE_OK)
        .map_err(|_| ClientError::NotPermitted { path: path.clone() })?;
    Ok(path)
}

fn is_served(folder: &Path, uri: &str) -> bool {
    let file = socket_of(folder, uri).and_then(|path| fs::metadata(path).ok());
    file.is_some_and(|file| file.file_type().is_socket())
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// The sockets in a folder, by name.
pub(super) fn sockets(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sockets: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .map(|entry| entry.path())
        .collect();
    sockets.sort();
    Ok(sockets)
}

/// True when somebody listens there: every plug-in bears a connection that closes without a word.
fn answers(path: &Path) -> bool {
    StdUnixStream::connect(path).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_plug_ins_socket_is_named_by_the_scheme_up_to_the_first_plus() {
        let folder = tempfile::tempdir().unwrap();
        let _daemon = UnixListener::bind(folder.path().join("targetd")).unwrap();
        let path = served(folder.path(), "targetd+ssl+more://host").unwrap();
        assert_eq!(path, folder.path().join("targetd"));
    }

    #[test]
    fn a_missing_plug_in_is_told_from_a_missing_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let ask = || served(folder.path(), "ontap://host").unwrap_err();
        assert!(matches!(ask(), ClientError::DaemonMissing { .. }));
        // A socket that a daemon left behind when it went is no daemon.
        let daemon = UnixListener::bind(folder.path().join("sim")).unwrap();
        assert!(matches!(ask(), ClientError::PluginMissing { kind, .. } if kind == "ontap"));
        drop(daemon);
        assert!(matches!(ask(), ClientError::DaemonMissing { .. }));
        assert!(matches!(
            served(Path::new("/nonexistent"), "sim://"),
            Err(ClientError::DaemonMissing { .. })
        ));
    }

    /// What becomes of a session with a plug-in `toy` for which there are these.
    async fn reached(program: Option<&str>, socket: bool) -> Result<Session, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        let _daemon = socket.then(|| UnixListener::bind(folder.path().join("toy")).unwrap());
        let path = folder.path().join("toy_lsmplugin");
        if let Some(program) = program {
            std::os::unix::fs::symlink(program, &path).unwrap();
        }
        let way = Way::Installed { program: path, sockets: folder.path().to_owned() };
        Session::reach(&way, "toy+ssl://host", &Options::default()).await
    }

    #[tokio::test]
    async fn an_installed_program_goes_before_the_daemons_socket() {
        for socket in [true, false] {
            assert!(reached(Some("/bin/sh"), socket).await.unwrap().process_id().is_some());
        }
    }

    #[tokio::test]
    async fn without_a_program_to_start_the_daemons_socket_is_taken() {
        for program in [None, Some("/etc/passwd"), Some("/tmp"), Some("/nonexistent")] {
            assert_eq!(reached(program, true).await.unwrap().process_id(), None, "{program:?}");
        }
    }

    #[tokio::test]
    async fn where_neither_is_the_program_is_what_is_missed() {
        let error = reached(None, false).await.unwrap_err();
        assert!(
            matches!(&error, ClientError::Start { path, .. } if path.ends_with("toy_lsmplugin")),
            "{error}"
        );
    }

    #[test]
    fn a_scheme_that_would_name_a_file_elsewhere_names_no_plug_in() {
        let folder = tempfile::tempdir().unwrap();
        let _daemon = UnixListener::bind(folder.path().join("sim")).unwrap();
        for uri in ["", "://", "../x://", "/etc/passwd", ".hidden://", "sub/dir://"] {
            assert!(matches!(served(folder.path(), uri), Err(ClientError::PluginMissing { .. })), "{uri}");
        }
    }
}
