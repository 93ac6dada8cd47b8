//! The `main` of a driver.
//!
//! Whoever starts it (a controller of ours, or lsmd) leaves a connected socket open and names its number as the only argument. A
//! person may ask it what it is, or to try an array.

mod arguments;

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
    os::fd::RawFd,
    process::ExitCode,
};

use arguments::{Check, Command};

use crate::{
    hang_up::end_after_hang_up, inherited::inherited_socket, method::ArrayDriver, self_check::self_check,
    serve::serve,
};

/// Exit code of a self-check that found a fault.
const FAULTY: u8 = 1;
/// Exit code of a session that broke, and of a command line that is none.
const FAILED: u8 = 2;
/// Where libStorageMgmt's command line has its password too.
const PASSWORD: &str = "LSMCLI_PASSWORD";

/// Runs a driver's process. `make` is called only when there is somebody to serve.
pub fn run_plugin(make: fn() -> Box<dyn ArrayDriver>, description: &str, version: &str) -> ExitCode {
    let mut arguments = env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let program = arguments.next().unwrap_or_default();
    match Command::parse(arguments) {
        Ok(Command::Version) => print(&format!("{description} {version}")),
        Ok(Command::Help) => print(&arguments::help(&program, description)),
        Ok(Command::Serve(number)) => serve_number(number, make),
        Ok(Command::Check(check)) => check_array(make, &check),
        Err(error) => fail(&format!("{error}\n\n{}", arguments::help(&program, description))),
    }
}

fn serve_number(number: RawFd, make: fn() -> Box<dyn ArrayDriver>) -> ExitCode {
    let socket = match inherited_socket(number) {
        Ok(socket) => socket,
        Err(error) => return fail(&format!("descriptor {number} is no connected socket: {error}")),
    };
    if let Err(error) = end_after_hang_up(&socket, FAILED.into()) {
        return fail(&format!("cannot watch the client: {error}"));
    }
    match serve(make().as_mut(), socket) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            fail(&format!("{error}{cause}"))
        }
    }
}

fn check_array(make: fn() -> Box<dyn ArrayDriver>, check: &Check) -> ExitCode {
    let password = match &check.password_file {
        Some(path) => match fs::read_to_string(path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => return fail(&format!("cannot read the password from {path}: {error}")),
        },
        None => env::var(PASSWORD).ok(),
    };
    let report = self_check(make().as_mut(), &check.uri, password.as_deref());
    print(&if check.json { report.to_json() } else { report.to_string() });
    match report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAULTY),
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever asked may have closed the pipe: nothing is lost.
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn fail(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(FAILED)
}
