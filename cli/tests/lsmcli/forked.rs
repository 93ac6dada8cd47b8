//! Plug-ins that we are told to start, and that do not do well: whoever writes one wants to see all that it printed.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use crate::desk::{Desk, Said};

/// Enough for a busy machine, and far less than a plug-in sleeps here.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a plug-in that is this script.
fn started(desk: &Desk, script: &str) -> Said {
    let plugin = desk.folder.path().join("plugin");
    fs::write(&plugin, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    desk.call(&["-w", "200", "--fork_plugin", plugin.to_str().unwrap(), "ls"])
}

#[test]
fn a_plug_in_that_dies_leaves_its_words_and_its_code() {
    let desk = Desk::new();
    let said = started(&desk, "echo one; echo two >&2; printf three; exit 3");
    assert_eq!(
        (said.code, said.out.as_str()),
        (4, "PLUGIN>> one\nPLUGIN>> two\nPLUGIN>> three\nPLUGIN EC>> 3\n")
    );
    assert!(said.err.starts_with("TRANSPORT_COMMUNICATION(400): "), "{}", said.err);
}

#[test]
fn a_plug_in_that_hangs_is_ended() {
    let desk = Desk::new();
    let start = Instant::now();
    let said = started(&desk, "echo $$; exec sleep 600");
    assert_eq!((said.code, said.err.starts_with("TIMEOUT(11): ")), (4, true), "{}", said.err);
    assert!(start.elapsed() < PATIENCE);
    let (number, rest) = said.out.strip_prefix("PLUGIN>> ").unwrap().split_once('\n').unwrap();
    assert_eq!(rest, "PLUGIN EC>> -9\n");
    assert!(!fs::exists(format!("/proc/{number}")).unwrap());
}

#[test]
fn what_a_plug_in_has_started_does_not_keep_us_waiting() {
    let desk = Desk::new();
    let start = Instant::now();
    // It holds the plug-in's output open, and the socket.
    let said = started(&desk, "sleep 600 & echo $!; exit 0");
    assert!(start.elapsed() < PATIENCE);
    let (number, rest) = said.out.strip_prefix("PLUGIN>> ").unwrap().split_once('\n').unwrap();
    assert_eq!(rest, "PLUGIN EC>> 0\n");
    let child = rustix::process::Pid::from_raw(number.parse().unwrap()).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
}
