//! The systemd units: how exposed systemd itself finds the services that they start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd").join(name)
}

/// What `systemd-analyze security` says of a unit: 0 is best, 10 worst.
fn exposure(unit: &str) -> f64 {
    let file = self::unit(unit);
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&file)
        .output()
        .expect("systemd-analyze is installed by cargo xtask test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let verdict =
        said.lines().rev().find_map(|line| line.split_once("Overall exposure level")).unwrap_or_else(|| {
            panic!("{unit}: {said}{}", String::from_utf8_lossy(&output.stderr));
        });
    let words = verdict.1.split(": ").nth(1).unwrap();
    words.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_controller_is_hardly_exposed() {
    assert!(exposure("sanfleet-controller.service") <= 1.5);
}

#[test]
fn the_process_of_the_agent_that_faces_the_bus_is_hardly_exposed() {
    assert!(exposure("sanfleet-agent.service") <= 1.5);
}

/// It has to mount for the whole host, so it has root's rights and no file system of its own. This bound only keeps it from
/// becoming worse.
#[test]
fn the_helper_is_no_more_exposed_than_it_has_to_be() {
    assert!(exposure("sanfleet-agent-helper.service") <= 4.8);
}

/// systemd.exec(5): each of these gives a service a mount namespace of its own, and what is mounted there nobody else sees.
#[test]
fn what_the_helper_mounts_is_seen_by_the_whole_host() {
    const OWN_NAMESPACE: [&str; 27] = [
        "BindPaths",
        "BindReadOnlyPaths",
        "DynamicUser",
        "ExecPaths",
        "ExtensionImages",
        "InaccessiblePaths",
        "LoadCredential",
        "LogNamespace",
        "MountAPIVFS",
        "MountFlags",
        "MountImages",
        "NetworkNamespacePath",
        "NoExecPaths",
        "PrivateDevices",
        "PrivateIPC",
        "PrivateMounts",
        "PrivateNetwork",
        "PrivateTmp",
        "PrivateUsers",
        "ProcSubset",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "ProtectProc",
        "ProtectSystem",
    ];
    let text = std::fs::read_to_string(unit("sanfleet-agent-helper.service")).unwrap();
    let set: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(set.contains(&"CapabilityBoundingSet"), "{set:?}");
    for directive in &set {
        let paths = ["Root", "ReadOnlyPaths", "ReadWritePaths", "TemporaryFileSystem"];
        let other = paths.iter().any(|path| directive.starts_with(path));
        assert!(!other && !OWN_NAMESPACE.contains(directive), "{directive}");
    }
}

#[test]
fn the_helper_is_there_before_who_speaks_to_it_and_goes_after() {
    let text = std::fs::read_to_string(unit("sanfleet-agent.service")).unwrap();
    for order in ["Requires=", "After="] {
        let lines = text.lines().filter(|line| line.starts_with(order));
        assert!(lines.into_iter().any(|line| line.contains("sanfleet-agent-helper.service")), "{order}");
    }
}
