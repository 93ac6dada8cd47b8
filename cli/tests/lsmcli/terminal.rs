//! What is asked at a terminal, at a real one.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::{Command, Output, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::desk::Desk;

struct Terminal {
    /// The side of the person.
    person: File,
    program: OwnedFd,
}

impl Terminal {
    fn new() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let program = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        Self { person: person.into(), program: program.into() }
    }

    fn type_keys(&mut self, keys: &str) {
        self.person.write_all(keys.as_bytes()).unwrap();
    }
}

/// Runs a command that asks with one key, and gives the key once the question is there.
fn answered(desk: &Desk, words: &[&str], key: &str) -> Output {
    let mut terminal = Terminal::new();
    let mut command = desk.command(words);
    command.stdin(terminal.program.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    terminal.type_keys(key);
    child.wait_with_output().unwrap()
}

#[test]
fn data_are_lost_only_after_a_yes() {
    let desk = Desk::new();
    let question = "Warning: You are about to do an operation that will cause data to be lost!\n\
                    Press [Y|y] to continue, any other key to abort\n";
    for (key, told, out) in [
        ("y", &["search id V", "delete V", "free NOTHING"][..], question.to_owned()),
        ("Y", &["search id V", "delete V", "free NOTHING"], question.to_owned()),
        ("n", &["search id V"], format!("{question}Operation aborted!\n")),
    ] {
        let output = answered(&desk, &["vd", "--vol", "V"], key);
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stdout).unwrap()),
            (Some(0), out),
            "{key}"
        );
        assert_eq!(desk.told(), told, "{key}");
    }
    let output = answered(&desk, &["vr", "--vol", "V", "--size", "1K"], "n");
    assert!(String::from_utf8(output.stdout).unwrap().contains("that may cause data to be lost"));
}

#[test]
fn without_a_terminal_nothing_is_lost() {
    let desk = Desk::new();
    for line in [
        "vd --vol V",
        "fs-delete --fs F",
        "fs-snap-delete --snap N --fs F",
        "fs-snap-restore --snap N --fs F",
    ] {
        let said = desk.line(line);
        assert_eq!((said.code, said.err.contains("--force")), (2, true), "{line}");
    }
    assert_eq!(desk.told(), ["search id V"]);
}

#[test]
fn a_password_that_is_asked_for_does_not_show() {
    let desk = Desk::new();
    let terminal = Terminal::new();
    let mut command = Command::new("setsid");
    desk.surround(&mut command).args(["--ctty", "--wait"]).arg(desk.program()).args(["-P", "-t,", "p"]);
    command.stdin(terminal.program.try_clone().unwrap()).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let Terminal { mut person, program } = terminal;
    drop((command, program));
    let mut seen = Vec::new();
    let mut piece = [0; 100];
    while !seen.ends_with(b"Password: ") {
        let count = person.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..count]);
    }
    person.write_all(b"hunter2\r").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"everything,3\n"[..]));
    let count = person.read(&mut piece).unwrap_or_default();
    seen.extend_from_slice(&piece[..count]);
    assert!(!String::from_utf8_lossy(&seen).contains("hunter2"), "{seen:?}");
    assert_eq!(desk.told(), ["register hunter2"]);
}

#[test]
fn who_debugs_a_plug_in_is_waited_for_once_it_runs() {
    let desk = Desk::new();
    let output = desk.command(&["-t,", "p"]).env("LSM_DEBUG_PLUGIN", "1").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "Attach debugger to plug-in, press <return> when ready...everything,3\n"
    );
}
