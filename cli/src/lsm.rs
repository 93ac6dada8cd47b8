//! `sanfleet lsm`, and the same under the name `lsmcli`: libStorageMgmt's command line, so that scripts written for it work here.
//!
//! Talks to an array's driver itself, without a controller and without a bus: through libStorageMgmt's daemon where that serves the
//! array, else with a driver that it starts. What differs from the original on purpose is listed in `docs/lsmcli.md`.

mod alias;
mod args;
mod command;
mod connect;
mod console;
mod environment;
mod job;
mod lamp;
mod layout;
mod link_speed;
mod local_disk;
mod lookup;
mod prompt;
mod size;
mod stop;
mod sysfs;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use args::{Command, Format, Global, Invocation, ListType, Request};
use connect::Places;
use console::{Console, Disks, Out};
use layout::Style;
use sanfleet_driver::client::Options;
use stop::Stop;
use sysfs::Folder;

/// The name under which the program is libStorageMgmt's command line and nothing else.
const NAME: &str = "lsmcli";
/// Exit code of usage errors, and of a call without any words.
const USAGE: u8 = 2;
const NOTHING: u8 = 1;

/// How the program was called, if it was called to be this command line.
pub struct Called {
    /// As messages name it.
    program: String,
    /// As it was typed.
    typed: String,
    words: Vec<String>,
}

impl Called {
    /// From the whole command line: `lsmcli …` or `sanfleet lsm …`.
    pub fn from_words(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let typed = words.next()?.to_string_lossy().into_owned();
        let name = Path::new(&typed).file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != NAME && words.next()? != "lsm" {
            return None;
        }
        let program = if name == NAME { name } else { format!("{name} lsm") };
        Some(Self { program, typed, words: words.map(|word| word.to_string_lossy().into_owned()).collect() })
    }

    /// When the words were found after options of another command line.
    pub fn behind(words: &[OsString]) -> Self {
        let words = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Self { program: "sanfleet lsm".to_owned(), typed: "sanfleet".to_owned(), words }
    }

    pub fn run(self) -> ExitCode {
        let invocation = match args::parse(&self.program, &self.typed, &self.words) {
            Ok(Request::Run(invocation)) => *invocation,
            Ok(Request::Print(text)) => return print(&text, 0),
            Ok(Request::Nothing(usage)) => return print(&format!("{usage}\n"), NOTHING),
            Err(error) => {
                complain(&format!("{error}\n"));
                return ExitCode::from(USAGE);
            }
        };
        match carry_out(invocation) {
            Ok(()) => ExitCode::SUCCESS,
            Err(stop) => {
                if let Some(message) = stop.message(&self.program) {
                    complain(&message);
                }
                ExitCode::from(stop.exit())
            }
        }
    }
}

fn print(text: &str, code: u8) -> ExitCode {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    ExitCode::from(if printed.is_ok() { code } else { NOTHING })
}

/// Nobody is left to tell when stderr is gone as well.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn carry_out(Invocation { global, command }: Invocation) -> Result<(), Stop> {
    let out = Out { style: style(&global), json: global.format == Format::Json };
    if let Some(outcome) = command::run_here(&out, &Folder::root(), &command) {
        return outcome;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Stop::Output)?;
    let wait = Duration::from_millis(global.wait_ms);
    if let Command::List(list) = &command
        && list.kind == ListType::Plugins
    {
        let options = Options { deadline: wait, ..Options::default() };
        let places = Places::new(&environment::process);
        return runtime.block_on(unless_interrupted(command::list_plugins(&out, list, &places, &options)));
    }
    runtime.block_on(unless_interrupted(with_array(&global, out, command, wait)))
}

async fn with_array(global: &Global, out: Out, command: Command, wait: Duration) -> Result<(), Stop> {
    let target = environment::target(global, &environment::process).await?;
    let mut connection =
        connect::connect(&target, global.fork_plugin.as_deref(), wait, &environment::process).await?;
    let mut console = Console {
        session: &mut connection.session,
        out,
        asynchronous: global.asynchronous,
        force: global.force,
        claimed: None,
        disks: Disks::new(Folder::root()),
    };
    let outcome = command::run(&mut console, command).await;
    connection.close().await;
    outcome
}

async fn unless_interrupted(work: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
    }
}

fn style(global: &Global) -> Style {
    Style {
        human: global.human,
        raw_numbers: global.raw_numbers,
        script: global.script,
        terse: global.terse.clone(),
        header: global.header,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &[&str]) -> Option<Called> {
        Called::from_words(line.iter().map(OsString::from))
    }

    #[test]
    fn the_program_is_known_by_its_name_or_its_first_word() {
        let by_name = called(&["/usr/bin/lsmcli", "lsm", "-H"]).unwrap();
        assert_eq!((by_name.program.as_str(), by_name.words.len()), ("lsmcli", 2));
        let by_word = called(&["./sanfleet", "lsm", "ls"]).unwrap();
        assert_eq!(
            (by_word.program.as_str(), by_word.words.as_slice()),
            ("sanfleet lsm", &["ls".to_owned()][..])
        );
        assert!(called(&["sanfleet", "array", "lsm"]).is_none() && called(&["sanfleet"]).is_none());
    }
}
