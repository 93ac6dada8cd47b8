//! Where plug-ins are: sockets of the daemon, executables beside us and in the usual folders.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{fs::FileTypeExt, net::UnixStream},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};
use sanfleet_driver::{
    ErrorNumber,
    client::{Options, SOCKET_FOLDER, Way, introduce},
};

use crate::lsm::{
    environment::Variables,
    layout::PluginRow,
    stop::{Stop, as_refusal, refusal},
};

/// Where packages put drivers; the first is the controller's own default.
const FOLDERS: [&str; 3] = ["/usr/libexec/sanfleet/drivers", "/usr/libexec/sanfleet", "/usr/bin"];
const SUFFIX: &str = "_lsmplugin";

/// The folders to look in.
#[derive(Debug, Clone)]
pub struct Places {
    sockets: PathBuf,
    drivers: Vec<PathBuf>,
}

impl Places {
    pub fn new(variables: Variables) -> Self {
        let sockets =
            variables("LSM_UDS_PATH").filter(|path| !path.is_empty()).unwrap_or_else(|| SOCKET_FOLDER.into());
        let beside_us = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
        let set: Option<PathBuf> = variables("SANFLEET_DRIVER_DIR").map(OsString::into);
        let usual = FOLDERS.iter().map(PathBuf::from);
        Self { sockets: sockets.into(), drivers: beside_us.into_iter().chain(set).chain(usual).collect() }
    }

    /// The way to arrays of this kind. The daemon goes first where it runs: it may serve them with a plug-in that is not ours.
    pub fn find(&self, kind: &str) -> Result<Way, Stop> {
        let socket = self.sockets.join(kind);
        if is_socket(&socket) {
            return match access(&socket, Access::READ_OK | Access::WRITE_OK) {
                Ok(()) => Ok(Way::Socket(socket)),
                Err(_) => {
                    let why = format!("may not read and write {}", socket.display());
                    Err(Stop::refused(ErrorNumber::PluginSocketPermission, why))
                }
            };
        }
        let name = format!("{kind}{SUFFIX}");
        let program = self.drivers.iter().map(|folder| folder.join(&name)).find(|path| path.is_file());
        program.map(Way::Program).ok_or_else(|| self.nowhere(kind))
    }

    fn nowhere(&self, kind: &str) -> Stop {
        let daemon_runs = self.sockets().iter().any(|(_, path)| UnixStream::connect(path).is_ok());
        match daemon_runs {
            true => Stop::refused(ErrorNumber::PluginNotExist, format!("Plug-in {kind} not found")),
            false => Stop::refused(
                ErrorNumber::DaemonNotRunning,
                format!(
                    "no driver {kind}{SUFFIX} is installed, and no daemon listens in {}",
                    self.sockets.display()
                ),
            ),
        }
    }

    fn sockets(&self) -> BTreeMap<String, PathBuf> {
        files(&self.sockets).filter(|(_, path)| is_socket(path)).collect()
    }

    /// Every kind that there is a plug-in for, with the way that would be taken.
    fn all(&self) -> BTreeMap<String, Way> {
        let mut all: BTreeMap<_, _> =
            self.sockets().into_iter().map(|(kind, path)| (kind, Way::Socket(path))).collect();
        for (name, path) in self.drivers.iter().flat_map(|folder| files(folder)) {
            let kind = name.strip_suffix(SUFFIX).filter(|kind| !kind.is_empty());
            if let Some(kind) = kind.filter(|_| path.is_file()) {
                all.entry(kind.to_owned()).or_insert(Way::Program(path));
            }
        }
        all
    }
}

/// What the plug-ins say of themselves, and why some say nothing.
pub async fn available(places: &Places, options: &Options) -> (Vec<PluginRow>, Vec<String>) {
    let (mut rows, mut silent) = (Vec::new(), Vec::new());
    for (kind, way) in places.all() {
        match introduce(&way, options).await {
            Ok(info) => rows.push(info.into()),
            Err(error) => silent.push(format!("plug-in {kind}: {}", refusal(&as_refusal(error)).trim_end())),
        }
    }
    (rows, silent)
}

fn files(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn places(folder: &Path) -> Places {
        Places { sockets: folder.join("ipc"), drivers: vec![folder.join("first"), folder.join("second")] }
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ipc", "first", "second"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        folder
    }

    #[test]
    fn the_daemons_socket_goes_before_a_driver_of_ours() {
        let folder = folder();
        let path = folder.path().join("second/sim_lsmplugin");
        fs::write(&path, "").unwrap();
        assert_eq!(places(folder.path()).find("sim").unwrap(), Way::Program(path));
        let socket = folder.path().join("ipc/sim");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(places(folder.path()).find("sim").unwrap(), Way::Socket(socket));
    }

    #[test]
    fn a_plug_in_that_is_nowhere_is_told_from_a_daemon_that_is_not_there() {
        let folder = folder();
        let number = |refused| match refused {
            Err(Stop::Refused(error)) => error.number,
            other => panic!("{other:?}"),
        };
        assert_eq!(number(places(folder.path()).find("nix")), ErrorNumber::DaemonNotRunning);
        let _listener = UnixListener::bind(folder.path().join("ipc/other")).unwrap();
        assert_eq!(number(places(folder.path()).find("nix")), ErrorNumber::PluginNotExist);
    }

    #[test]
    fn the_folders_can_be_set_in_the_environment() {
        let folder = folder();
        let (sockets, drivers) = (folder.path().join("ipc"), folder.path().join("first"));
        fs::write(drivers.join("nix_lsmplugin"), "").unwrap();
        let variables = |name: &str| match name {
            "LSM_UDS_PATH" => Some(sockets.clone().into_os_string()),
            "SANFLEET_DRIVER_DIR" => Some(drivers.clone().into_os_string()),
            _ => None,
        };
        assert_eq!(Places::new(&variables).find("nix").unwrap(), Way::Program(drivers.join("nix_lsmplugin")));
    }
}
