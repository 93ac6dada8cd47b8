//! Calls that do not end well, and how scripts see it.

use std::{
    io::Read,
    os::{
        fd::AsRawFd,
        unix::net::{UnixListener, UnixStream},
    },
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use command_fds::CommandFdExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, said};

/// Enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_end_has_its_code_and_its_words() {
    let desk = Desk::new();
    for (line, code, out, err) in [
        ("vd --vol X -f", 2, "", "lsmcli: error: Volume with ID X not found!\n"),
        ("vm --vol V --ag X", 2, "", "lsmcli: error: Access Group with ID X not found!\n"),
        (
            "fs-clone --src-fs X --dst-name c",
            2,
            "",
            "lsmcli: error: Source File System with ID X not found!\n",
        ),
        ("fs-snap-delete --snap X --fs F -f", 2, "", "lsmcli: error: Snapshot with ID X not found!\n"),
        ("vu --vol V --ag A", 4, "", "NO_STATE_CHANGE(125): Volume is not masked Data: table 7\n"),
        ("vr --vol V --size 51200 -f", 4, "", "NO_STATE_CHANGE(125): Specified size same as current \n"),
        ("fs-resize --fs F --size 2048 -f", 4, "", "NO_STATE_CHANGE(125): Specified size same as current \n"),
        ("job-status --job X", 4, "", "NOT_FOUND_JOB(202): Job not found \n"),
        ("job-status --job RUNNING", 7, "42\n", ""),
        (
            "job-status --job FAILED",
            2,
            "",
            "lsmcli: error: job-status job error code= 3 (NOT_ENOUGH_SPACE(350): the pool is full)\n",
        ),
        (
            "vc --name fails --size 1K --pool P",
            2,
            "",
            "lsmcli: error: volume-create job error code= 3 (NOT_ENOUGH_SPACE(350): the pool is full)\n",
        ),
        ("-b vc --name as-job --size 1K --pool P", 7, "VOLUME\n", ""),
        ("vd --vol V -f -b", 7, "NOTHING\n", ""),
        ("lv --fs F", 2, "", "lsmcli: error: Search key 'fs_id' is not supported by volume listing.\n"),
        ("ls --sys S", 2, "", "lsmcli: error: System listing with search is not supported\n"),
        (
            "lv --sys S --pool P",
            2,
            "",
            "lsmcli: error: Search key specified more than once (system_id, pool_id)\n",
        ),
        ("list --type snapshots", 2, "", "lsmcli: error: --fs <file system id> required\n"),
        ("fs-export --fs F", 2, "", "lsmcli: error:  please specify --ro-host or --rw-host\n"),
        (
            "vrc --name r --disk D9 --disk D1 --raid-type RAID0",
            4,
            "",
            "NOT_FOUND_DISK(209): Disk ID D9 not found \n",
        ),
        (
            "vrc --name r --disk D1 --disk D3 --raid-type RAID0",
            4,
            "",
            "DISK_NOT_FREE(513): Disk D3 is not free \n",
        ),
        (
            "vrc --name r --disk D1 --disk D1 --raid-type RAID0",
            4,
            "",
            "NOT_FOUND_DISK(209): Disk ID D1 is given twice \n",
        ),
        ("-w 0 ls", 2, "", "lsmcli: error: [-w|--wait] requires a non-zero positive integer\n"),
        ("ls -w 13", 13, "", "PERMISSION_DENIED(13): not you \n"),
        ("ls -u nix://", 4, "", "PLUGIN_NOT_EXIST(311): Plug-in nix not found \n"),
        (
            "local-disk-ident-led-on --path /dev/none",
            4,
            "",
            "NO_SUPPORT(153): the lamps of /dev/none cannot be reached from here \n",
        ),
    ] {
        let said = desk.line(line);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (code, out, err), "{line}");
    }
}

#[test]
fn a_call_without_words_shows_the_usage_and_fails() {
    let desk = Desk::new();
    let nothing = desk.call(&[]);
    assert_eq!((nothing.code, nothing.err.as_str()), (1, ""));
    assert!(nothing.out.starts_with("usage: lsmcli "));
    let wrong = desk.line("volume-create --name n");
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert!(
        wrong.err.ends_with(
            "\nlsmcli volume-create: error: the following arguments are required: --size, --pool\n"
        ),
        "{}",
        wrong.err
    );
}

#[test]
fn the_same_commands_are_there_under_the_programs_own_name() {
    let desk = Desk::new();
    for words in [&["lsm", "-t,", "p"][..], &["-o", "json", "lsm", "-t,", "p"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sanfleet"));
        assert_eq!(said(desk.surround(&mut command).args(words)).out, "everything,3\n", "{words:?}");
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sanfleet"));
    assert!(said(desk.surround(&mut command).arg("--help")).out.contains("\n  lsm "));
}

#[test]
fn without_a_daemon_and_a_driver_both_are_named() {
    let desk = Desk::new();
    let empty = desk.folder.path().join("empty");
    let said = said(desk.command(&["ls", "-u", "nix://"]).env("LSM_UDS_PATH", &empty));
    assert_eq!(said.code, 4);
    assert!(
        said.err.starts_with("DAEMON_NOT_RUNNING(12): no driver nix_lsmplugin is installed"),
        "{}",
        said.err
    );
}

#[test]
fn a_daemon_that_has_died_is_told() {
    let desk = Desk::new();
    drop(UnixListener::bind(desk.folder.path().join("ipc/stale")).unwrap());
    let said = desk.line("ls -u stale://");
    assert_eq!((said.code, said.err.starts_with("PLUGIN_IPC_FAIL(301): ")), (4, true), "{}", said.err);
}

#[test]
fn a_plug_in_that_never_answers_is_given_up_in_time() {
    let desk = Desk::new();
    let _silent = UnixListener::bind(desk.folder.path().join("ipc/silent")).unwrap();
    let start = Instant::now();
    let said = desk.line("lv -u silent:// -w 200");
    assert_eq!((said.code, said.err.starts_with("TIMEOUT(11): ")), (4, true), "{}", said.err);
    assert!(start.elapsed() < PATIENCE && start.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_plug_in_that_ends_in_the_middle_is_told() {
    let desk = Desk::new();
    let listener = UnixListener::bind(desk.folder.path().join("ipc/short")).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 10]).unwrap();
    });
    let said = desk.line("lv -u short://");
    server.join().unwrap();
    assert_eq!(
        (said.code, said.err.starts_with("TRANSPORT_COMMUNICATION(400): ")),
        (4, true),
        "{}",
        said.err
    );
}

#[test]
fn a_plug_in_that_says_nothing_does_not_hide_the_others() {
    let desk = Desk::new();
    let _silent = UnixListener::bind(desk.folder.path().join("ipc/silent")).unwrap();
    let said = desk.line("list --type plugins -t, -w 200");
    // A machine may have plug-ins of its own.
    assert_eq!(
        (said.code, said.out.lines().any(|line| line.starts_with("everything"))),
        (0, true),
        "{}",
        said.out
    );
    assert!(said.err.contains("plug-in silent: TIMEOUT(11)"), "{}", said.err);
}

#[test]
fn a_reader_who_has_gone_ends_the_program_quietly() {
    let desk = Desk::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = desk.command(&["lv"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(1), 0));
}

#[test]
fn an_interrupt_ends_the_program_with_one() {
    let desk = Desk::new();
    let listener = UnixListener::bind(desk.folder.path().join("ipc/silent")).unwrap();
    let child = desk
        .command(&["lv", "-u", "silent://"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it has asked it waits for the answer.
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(1), 0));
}

#[test]
fn a_descriptor_that_we_are_given_goes_before_everything_else() {
    let desk = Desk::new();
    let stream = UnixStream::connect(desk.folder.path().join("ipc/all")).unwrap();
    let number = stream.as_raw_fd().to_string();
    let mut command = desk.command(&["-t,", "p", "-u", "nix://"]);
    command.env("LSMCLI_DEBUG_FD", number).preserved_fds(vec![stream.into()]);
    assert_eq!(said(&mut command).out, "everything,3\n");
}

#[test]
fn the_uri_comes_from_the_file_when_nothing_else_says_it() {
    let desk = Desk::new();
    let call = |desk: &Desk| said(desk.command(&["-t,", "p"]).env_remove("LSMCLI_URI"));
    let nowhere = call(&desk);
    assert_eq!(
        (nowhere.code, nowhere.err.as_str()),
        (2, "lsmcli: error: --uri missing or export LSMCLI_URI\n")
    );
    std::fs::write(desk.folder.path().join(".lsmcli"), "# arrays\nuri = all://\n").unwrap();
    assert_eq!(call(&desk).out, "everything,3\n");
}

#[test]
fn a_password_from_the_environment_reaches_the_plug_in_and_needs_a_user() {
    let desk = Desk::new();
    let call = |uri: &str| said(desk.command(&["p", "-u", uri]).env("LSMCLI_PASSWORD", "hunter2"));
    assert_eq!(call("all://me@host").code, 0);
    assert_eq!(desk.told(), ["register hunter2"]);
    let refused = call("all://host");
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (2, "lsmcli: error: password specified with no user name in uri\n")
    );
}
