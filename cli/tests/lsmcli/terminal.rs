//! What is asked at a terminal, at a real one.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::{Command, Output, Stdio},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

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

/// Runs a command that asks for a password at its terminal; gives how it ended, all that was seen, and whether the terminal shows
/// again what is typed.
fn asked_for_password(desk: &Desk, keys: &[u8]) -> (Output, String, bool) {
    let terminal = Terminal::new();
    let mut command = Command::new("setsid");
    desk.surround(&mut command).args(["--ctty", "--wait"]).arg(desk.program()).args(["-P", "-t,", "p"]);
    command.stdin(terminal.program.try_clone().unwrap()).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let Terminal { mut person, program } = terminal;
    drop(command);
    let mut seen = Vec::new();
    let mut piece = [0; 100];
    while !seen.ends_with(b"Password: ") {
        let count = person.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..count]);
    }
    person.write_all(keys).unwrap();
    let output = child.wait_with_output().unwrap();
    let shows = tcgetattr(&program).unwrap().local_modes.contains(LocalModes::ECHO);
    drop(program);
    let count = person.read(&mut piece).unwrap_or_default();
    seen.extend_from_slice(&piece[..count]);
    (output, String::from_utf8(seen).unwrap(), shows)
}

#[test]
fn a_password_that_is_asked_for_does_not_show() {
    let desk = Desk::new();
    let (output, seen, shows) = asked_for_password(&desk, b"hunner\x7f\x7f\x7fter2\r");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"everything,3\n"[..]));
    assert!(!seen.contains("ter2") && shows, "{seen:?}");
    assert_eq!(desk.told(), ["register hunter2"]);
}

#[test]
fn an_interrupt_instead_of_the_password_ends_the_program_with_one() {
    let desk = Desk::new();
    let (output, seen, shows) = asked_for_password(&desk, b"hunt\x03");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(!seen.contains("hunt") && shows, "{seen:?}");
    assert!(desk.told().is_empty());
}

#[test]
fn without_a_terminal_the_password_is_read_from_stdin() {
    let desk = Desk::new();
    let call = |input: &str| {
        let mut command = Command::new("setsid");
        desk.surround(&mut command).arg("--wait").arg(desk.program()).args(["-P", "-t,", "p"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for (input, register) in [
        ("hunter2\n", "register hunter2"),
        ("hunter 2 \r\nmore", "register hunter 2 "),
        ("\x03\n", "register \x03"),
    ] {
        assert_eq!(call(input), (Some(0), "everything,3\n".into(), "Password: ".into()), "{input:?}");
        assert_eq!(desk.told(), [register]);
    }
    let (code, out, err) = call("");
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("cannot ask for the password"), "{err}");
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
