//! The driver's program without a client of ours: as a person starts it, and as libStorageMgmt's daemon does.

use std::{
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use sanfleet_driver::encode_frame;

use crate::bench::{Bench, LONG};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sim_lsmplugin"))
}

fn run(arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = program().args(arguments).output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// The driver with the far end of a socket as its descriptor 0.
fn started() -> (UnixStream, Child) {
    let (near, far) = UnixStream::pair().unwrap();
    let stdin = Stdio::from(OwnedFd::from(far));
    let child = program().arg("0").stdin(stdin).stderr(Stdio::piped()).spawn().unwrap();
    (near, child)
}

fn call(method: &str, params: &str) -> Vec<u8> {
    encode_frame(format!(r#"{{"method": "{method}", "id": 100, "params": {params}}}"#).as_bytes()).unwrap()
}

/// The reply's body.
fn answer(driver: &mut UnixStream, call: &[u8]) -> String {
    driver.write_all(call).unwrap();
    let mut header = [0; 10];
    driver.read_exact(&mut header).unwrap();
    let mut body = vec![0; std::str::from_utf8(&header).unwrap().parse().unwrap()];
    driver.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn a_person_may_try_an_array_and_sees_what_it_has() {
    let bench = Bench::new();
    let (code, text) = run(&["--check", &bench.uri("")]);
    assert_eq!(code, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "ok      register");
    assert!(lines[1].starts_with("ok      systems        1: "), "{text}");
    assert!(lines[2].starts_with("ok      pools          4: POOL_ID_00001 (Pool 1), "), "{text}");
    assert!(text.contains("\nok      volumes        0\n") && text.contains(" VOLUME_CREATE "), "{text}");
    let (code, json) = run(&["--check", &bench.uri(""), "--output", "json"]);
    assert_eq!((code, json.chars().next()), (0, Some('{')), "{json}");
}

#[test]
fn an_array_that_cannot_be_had_is_a_failure_and_a_line_that_means_nothing_is_another() {
    let bench = Bench::new();
    let (code, text) = run(&["--check", &bench.uri("&colour=blue")]);
    assert!(code == 1 && text.starts_with("failed  register") && text.contains("colour"), "{code} {text}");
    let nowhere = ["--check", "sim://", "--password-file", "/nonexistent/password"];
    for wrong in [&["--check"][..], &["--fly"], &[], &nowhere] {
        let (code, text) = run(wrong);
        assert!(code == 2 && !text.is_empty(), "{wrong:?}: {code} {text}");
    }
}

#[test]
fn a_client_that_only_looks_whether_somebody_is_there_is_no_failure() {
    let (near, child) = started();
    drop(near);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_driver_that_is_in_the_middle_of_a_call_ends_soon_after_its_client() {
    let bench = Bench::new();
    let (mut near, child) = started();
    let register =
        format!(r#"{{"uri": "{}", "password": null, "timeout": 600000, "flags": 0}}"#, bench.uri(""));
    answer(&mut near, &call("plugin_register", &register));
    let now = answer(&mut near, &call("sanfleet_changes", r#"{"since": null, "wait_ms": 0, "flags": 0}"#));
    let token = now.split(r#""token":""#).nth(1).unwrap().split('"').next().unwrap();
    // Nothing changes, so this one would take ten minutes.
    let wait = format!(r#"{{"since": "{token}", "wait_ms": 600000, "flags": 0}}"#);
    near.write_all(&call("sanfleet_changes", &wait)).unwrap();
    let began = Instant::now();
    drop(near);
    let output = child.wait_with_output().unwrap();
    assert!(began.elapsed() < LONG && !output.status.success(), "{output:?}");
}
