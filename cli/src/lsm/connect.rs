//! The way to the array: a plug-in we are told to start, a descriptor we were given, libStorageMgmt's daemon when it serves this
//! kind of array, or else a driver that we find and start ourselves.

mod fork;
mod place;

use std::{os::fd::RawFd, path::Path, time::Duration};

pub use fork::Forked;
pub use place::{Places, available};
use sanfleet_driver::{
    ErrorNumber,
    client::{ClientError, Options, Session, inherited_stream},
};

use super::{
    environment::{Target, Variables},
    prompt,
    stop::Stop,
};

/// An open session, and the plug-in behind it if we were told to start one.
pub struct Connection {
    pub session: Session,
    forked: Option<Forked>,
}

impl Connection {
    /// Says good-bye. What was asked for is done by now: a plug-in that will not hear it does not change that.
    pub async fn close(self) {
        let _ = self.session.close().await;
        if let Some(forked) = self.forked {
            forked.finish();
        }
    }
}

/// Connects, and registers. Every call of the session is bound by `wait`.
pub async fn connect(
    target: &Target,
    fork_plugin: Option<&str>,
    wait: Duration,
    variables: Variables<'_>,
) -> Result<Connection, Stop> {
    let options = Options { deadline: wait, ..Options::default() };
    let password = target.password.as_deref();
    let mut forked = None;
    let session = if let Some(program) = fork_plugin {
        let (plugin, stream) = Forked::start(program)?;
        forked = Some(plugin);
        Session::connect_stream(stream, &target.uri, password, options).await
    } else if let Some(number) = debug_descriptor(variables)? {
        let stream = inherited_stream(number).map_err(|source| start_error("descriptor", source))?;
        Session::connect_stream(stream, &target.uri, password, options).await
    } else {
        let way = Places::new(variables).find(&target.kind)?;
        Session::connect(&way, &target.uri, password, options).await
    }?;
    if variables("LSM_DEBUG_PLUGIN").is_some_and(|value| !value.is_empty()) {
        let question = "Attach debugger to plug-in, press <return> when ready...";
        prompt::wait_for_return(question).map_err(Stop::Output)?;
    }
    Ok(Connection { session, forked })
}

fn debug_descriptor(variables: Variables) -> Result<Option<RawFd>, Stop> {
    let Some(text) = variables("LSMCLI_DEBUG_FD") else { return Ok(None) };
    let number = text.to_string_lossy().trim().parse();
    let refuse = |_| Stop::refused(ErrorNumber::PluginIpcFail, "LSMCLI_DEBUG_FD is no descriptor's number");
    number.map(Some).map_err(refuse)
}

fn start_error(path: impl AsRef<Path>, source: std::io::Error) -> ClientError {
    ClientError::Start { path: path.as_ref().to_owned(), source }
}
