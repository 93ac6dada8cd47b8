//! The invariants of ARCHITECTURE.md that source code can break.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names of all packages that a package needs to run, transitively.
fn needs(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// A module of tests in a file comes last and is left out; what is only named in one line is not the end of the file.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        code.push_str(before);
        let item = after.trim_start().lines().next().unwrap_or_default();
        if item.starts_with("mod ") && item.ends_with('{') {
            return code;
        }
        rest = after;
    }
    code + rest
}

#[test]
fn what_comes_after_a_module_of_tests_in_another_file_is_looked_at() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nfn only() {}\nc\n#[cfg(test)]\nmod tests {\nd";
    let code = without_tests(text);
    assert!(["a\n", "\nb\n", "\nc\n"].iter().all(|part| code.contains(part)) && !code.contains("\nd"));
}

/// All Rust files below a folder, without those that only tests use.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => {
                    let text = fs::read_to_string(&path).unwrap();
                    let code = without_tests(&text);
                    if path.file_name().is_none_or(|name| name != "tests.rs") {
                        found.push((path, code));
                    }
                }
                false => {}
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {folder}");
    found
}

fn assert_nowhere(folder: &str, forbidden: &[&str]) {
    for (path, code) in sources(folder) {
        for word in forbidden {
            let line = code.lines().find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(line.is_none(), "{}: {word} in: {}", path.display(), line.unwrap_or_default());
        }
    }
}

const IO: [&str; 7] =
    ["std::fs", "std::net", "std::process", "tokio", "SystemTime", "Instant::now", "async "];

#[test]
fn protocol_does_no_io() {
    let needs = needs("sanfleet-protocol");
    for foreign in ["tokio", "async-nats", "rustix", "nix", "udev"] {
        assert!(!needs.contains(foreign), "protocol needs {foreign}");
    }
    assert_nowhere("protocol/src", &IO);
}

#[test]
fn matching_and_planning_are_pure() {
    for (path, code) in sources("controller/src") {
        let name = path.to_string_lossy().into_owned();
        let pure = ["/matching", "/plan", "src/doctor.rs", "src/doctor/", "runs/progress.rs"];
        if pure.iter().any(|pure| name.contains(pure)) {
            for word in IO {
                assert!(!code.contains(word), "{name}: {word}");
            }
        }
    }
}

/// What drivers are made of, and each of them.
const DRIVERS: [&str; 6] = [
    "sanfleet-driver",
    "sanfleet-driver-http",
    "sanfleet-driver-sim",
    "sanfleet-driver-lio",
    "sanfleet-driver-targetd",
    "sanfleet-driver-nexentastor",
];

#[test]
fn drivers_and_agent_do_not_know_each_other() {
    for driver in DRIVERS {
        let needs = needs(driver);
        assert!(!needs.contains("sanfleet-agent") && !needs.contains("sanfleet-controller"), "{driver}");
    }
    let agent = needs("sanfleet-agent");
    for stranger in DRIVERS.into_iter().chain(["sanfleet-controller"]) {
        assert!(!agent.contains(stranger), "the agent needs {stranger}");
    }
    assert!(!needs("sanfleet-cli").contains("sanfleet-controller"));
}

#[test]
fn only_verification_makes_a_verified_device() {
    for (path, code) in sources("agent/src") {
        if !path.ends_with("src/verify.rs") {
            let made = code.contains("VerifiedDevice {") && !code.contains("impl VerifiedDevice {");
            assert!(!made, "{} makes a VerifiedDevice", path.display());
        }
    }
}

#[test]
fn what_changes_a_volume_takes_it_verified() {
    let host = fs::read_to_string(workspace().join("agent/src/host.rs")).unwrap();
    for (verb, proof) in [
        ("fn detach(", "VerifiedDevice"),
        ("fn mount(", "VerifiedDevice"),
        ("fn make_file_system(", "BlankDevice"),
        ("fn set_file_system_id(", "VerifiedDevice"),
        ("fn reread_size(", "VerifiedDevice"),
        ("fn resize_map(", "VerifiedDevice"),
        ("fn grow_file_system(", "VerifiedDevice"),
    ] {
        let signature = host.split(verb).nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
        assert!(signature.contains(proof), "{verb}{signature}");
    }
}

#[test]
fn only_proof_makes_a_blank_device() {
    for (path, code) in sources("agent/src") {
        if !path.ends_with("src/blank.rs") {
            assert!(!code.contains("BlankDevice("), "{} makes a BlankDevice", path.display());
        }
    }
}

#[test]
fn subjects_are_built_in_one_file() {
    for folder in ["agent/src", "controller/src", "cli/src"] {
        assert_nowhere(folder, &["\"sanfleet.v1."]);
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    let mut with_unsafe = Vec::new();
    for folder in
        ["protocol/src", "agent/src", "controller/src", "array-drivers", "cli/src", "tests", "packaging"]
    {
        for (path, code) in sources(folder) {
            if code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl") {
                with_unsafe.push(path);
            }
        }
    }
    assert!(
        with_unsafe
            .iter()
            .all(|path| path.ends_with("agent/src/host/ioctl.rs") || path.ends_with("tests/architecture.rs")),
        "{with_unsafe:?}"
    );
}

/// Every Rust file of the workspace, tests and all.
fn all_sources() -> String {
    let mut text = String::new();
    let mut folders: Vec<_> =
        ["protocol", "agent", "controller", "array-drivers", "cli", "tests", "packaging"]
            .map(|name| workspace().join(name))
            .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => {
                    text.push_str(&fs::read_to_string(&path).unwrap());
                }
                false => {}
            }
        }
    }
    text
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let (page, sources) =
        (fs::read_to_string(workspace().join("docs/threat-model.md")).unwrap(), all_sources());
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| T")).collect();
    assert_eq!(rows.len(), 14);
    for row in rows {
        let shown_by = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        let named = shown_by.split('`').skip(1).step_by(2);
        for name in named {
            assert!(sources.contains(&format!("fn {name}(")), "{name} is no test");
        }
    }
}
