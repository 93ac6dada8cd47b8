//! Builds the programs of this workspace.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

/// The features that carry the tests' failpoints. Nothing that ships has them.
pub const FAILPOINTS: &str =
    "sanfleet-agent/failpoints,sanfleet-controller/failpoints,sanfleet-driver-sim/failpoints";

/// What ships.
pub const PACKAGES: [&str; 7] = [
    "sanfleet-agent",
    "sanfleet-controller",
    "sanfleet-driver-sim",
    "sanfleet-driver-targetd",
    "sanfleet-driver-nexentastor",
    "sanfleet-driver-lio",
    "sanfleet-cli",
];

pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    forget_package(&mut command);
    command
}

/// What cargo told *us* of our own package is nobody else's: build scripts look at it, and everything that has one would be
/// built again whenever it differs.
fn forget_package(command: &mut Command) {
    let ours = |key: &str| key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_");
    for key in std::env::vars_os().filter_map(|(key, _)| key.into_string().ok()).filter(|key| ours(key)) {
        command.env_remove(key);
    }
}

/// The top of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds what runs on hosts and controllers, and says where it is.
pub fn programs(features: &[&str]) -> anyhow::Result<PathBuf> {
    eprintln!("building the programs");
    let mut build = cargo();
    build.args(["build", "--locked", "--bins"]);
    build.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    build.args(features.iter().flat_map(|features| ["--features", features]));
    let status = build.status().context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "the build ended with {status}");
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program is in no folder")?.to_owned())
}

/// Builds some packages, with these options of cargo's, and says where their programs are.
pub fn packages(packages: &[&str], options: &[&str]) -> anyhow::Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--quiet"]).args(options);
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    let status = build.status().context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "the build ended with {status}");
    let own = std::env::current_exe()?;
    let profiles = own.parent().and_then(Path::parent).context("this program is in no folder")?;
    Ok(profiles.join(if options.contains(&"--release") { "release" } else { "debug" }))
}

/// Builds a program of tests that a package has beside its code, and says where it is.
pub fn tests(package: &str, name: &str, features: &str) -> anyhow::Result<PathBuf> {
    let mut build = cargo();
    build.args(["test", "--locked", "--no-run", "--quiet", "--message-format", "json"]);
    build.args(["--package", package, "--test", name, "--features", features]);
    let output = build.stderr(std::process::Stdio::inherit()).output().context("cannot start cargo")?;
    anyhow::ensure!(output.status.success(), "the build ended with {}", output.status);
    let messages = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    messages
        .filter_map(|line| serde_json::from_slice::<Artifact>(line).ok())
        .filter(|artifact| artifact.target.name == name)
        .find_map(|artifact| artifact.executable)
        .with_context(|| format!("cargo does not say where the tests {name} of {package} are"))
}

/// What cargo says of something that it has built.
#[derive(serde::Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(serde::Deserialize)]
struct Target {
    name: String,
}

/// True when a driver of that package name is in this repository.
pub fn is_package(package: &str) -> bool {
    let Some(kind) = package.strip_prefix("sanfleet-driver-") else { return false };
    workspace().join("array-drivers").join(kind).join("Cargo.toml").is_file()
}

/// A command that runs as root: mounts and loop devices need it. Through `sudo` when we are somebody else.
pub fn as_root(command: &[std::ffi::OsString]) -> Command {
    let mut words = command.iter();
    let mut run = match rustix::process::geteuid().is_root() {
        true => Command::new(words.next().cloned().unwrap_or_default()),
        false => {
            let mut sudo = Command::new("sudo");
            // The toolchain is the user's, and so are its paths.
            let path = std::env::var_os("PATH").unwrap_or_default();
            let mut assignment = std::ffi::OsString::from("PATH=");
            assignment.push(path);
            sudo.args(["--preserve-env", "--", "env"]).arg(assignment);
            sudo
        }
    };
    run.args(words).current_dir(workspace());
    forget_package(&mut run);
    run
}
