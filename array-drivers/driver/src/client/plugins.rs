//! Which plug-ins there are: each is asked what it is, without an array and without registering.
//!
//! A broken one is in the list with its error and keeps no other out of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use futures::future::join_all;

use super::{ClientError, Options, Session, Way, connect::sockets};
use crate::method::PluginInfo;

const SUFFIX: &str = "_lsmplugin";

/// One plug-in, or why it does not say what it is.
#[derive(Debug)]
pub struct Plugin {
    /// The scheme that its URIs have.
    pub name: String,
    pub info: Result<PluginInfo, ClientError>,
}

/// The plug-ins that a daemon serves below `folder`, by name. Each is given the deadline of `options`, all at once.
///
/// # Errors
/// When the folder cannot be read.
pub async fn available_plugins(folder: &Path, options: &Options) -> io::Result<Vec<Plugin>> {
    let found = sockets(folder)?.into_iter().filter_map(|path| Some((name_of(&path)?, Way::Socket(path))));
    Ok(asked(found, options).await)
}

/// The plug-ins that are installed as programs in `folder`, by name; each is started to ask it.
///
/// # Errors
/// When the folder cannot be read.
pub async fn installed_plugins(folder: &Path, options: &Options) -> io::Result<Vec<Plugin>> {
    let mut programs: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    programs.sort();
    let found = programs.into_iter().filter_map(|path| {
        let name = name_of(&path)?.strip_suffix(SUFFIX).filter(|name| !name.is_empty())?.to_owned();
        path.is_file().then_some((name, Way::Program(path)))
    });
    Ok(asked(found, options).await)
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

async fn asked(found: impl Iterator<Item = (String, Way)>, options: &Options) -> Vec<Plugin> {
    join_all(found.map(async |(name, way)| Plugin { name, info: introduce(&way, options).await })).await
}

/// Asks one plug-in what it is; it is told nothing of an array.
pub async fn introduce(way: &Way, options: &Options) -> Result<PluginInfo, ClientError> {
    // Closed without a farewell, as libStorageMgmt's own clients do.
    Session::reach(way, "", options).await?.plugin_info().await
}
