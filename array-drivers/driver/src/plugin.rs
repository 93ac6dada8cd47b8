//! The `main` of a driver: `<kind>_lsmplugin <descriptor>`.
//!
//! Whoever starts it (a controller of ours, or lsmd) leaves a connected socket open and names its number as the only argument.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{inherited::InheritedSocket, method::ArrayDriver, serve::serve};

/// Exit code of a session that broke, and of a command line that is none.
const FAILED: u8 = 2;

/// Runs a driver's process. `make` is called only when there is somebody to serve.
pub fn run_plugin(make: fn() -> Box<dyn ArrayDriver>, description: &str, version: &str) -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let first = arguments.next().map(|argument| argument.to_string_lossy().into_owned());
    match (first.as_deref(), arguments.next()) {
        (Some("--version" | "-V"), None) => print(&format!("{description} {version}")),
        (Some("--help" | "-h"), None) => print(&help(&program.to_string_lossy(), description)),
        (Some(number), None) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
            serve_number(number, make)
        }
        _ => {
            eprintln!("{}", help(&program.to_string_lossy(), description));
            ExitCode::from(FAILED)
        }
    }
}

fn serve_number(number: &str, make: fn() -> Box<dyn ArrayDriver>) -> ExitCode {
    let socket = number.parse().map_err(io::Error::other).and_then(InheritedSocket::new);
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("descriptor {number} is no connected socket: {error}");
            return ExitCode::from(FAILED);
        }
    };
    match serve(make().as_mut(), socket) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("{error}{cause}");
            ExitCode::from(FAILED)
        }
    }
}

fn help(program: &str, description: &str) -> String {
    format!(
        "{description}\n\nUsage: {program} <DESCRIPTOR>\n       {program} --help | --version\n\n\
         Serves the libStorageMgmt plug-in protocol over the connected socket that its starter left open as <DESCRIPTOR>."
    )
}

fn print(text: &str) -> ExitCode {
    // Whoever asked may have closed the pipe: nothing is lost.
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::SUCCESS
}
