//! The test runner: the machine's own where there is one, else a pinned one built for us alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use super::{
    program::{self, answer, run},
    say,
};

/// Built when the machine has none.
const VERSION: &str = "0.9.143";

/// A cargo-nextest that runs.
///
/// # Errors
/// There is none, and none can be built.
pub fn ensure(shelf: &Path) -> anyhow::Result<PathBuf> {
    let ours = shelf.join("bin/cargo-nextest");
    let found = [program::find("cargo-nextest"), Some(ours.clone())];
    if let Some(runner) = found.into_iter().flatten().find(|file| runs(file)) {
        return Ok(runner);
    }
    say(
        &format!("building cargo-nextest {VERSION}"),
        "the tests run in processes of their own, side by side",
    );
    build(shelf).context("cannot build cargo-nextest")?;
    if !runs(&ours) {
        bail!("cargo-nextest was built, but {} does not run", ours.display());
    }
    Ok(ours)
}

fn runs(file: &Path) -> bool {
    answer(Command::new(file).args(["nextest", "--version"])).is_some()
}

fn build(shelf: &Path) -> anyhow::Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = Command::new(cargo);
    install
        .args(["install", "--locked", "--quiet", "cargo-nextest", "--version", VERSION, "--root"])
        .arg(shelf);
    // Its own: the workspace's build directory may be locked by the build that started us.
    let built_in = shelf.join("nextest.build");
    install.arg("--target-dir").arg(&built_in);
    run(&mut install)?;
    // Hundreds of megabytes that nobody needs again; while the build fails they make the next attempt short.
    let _ = fs::remove_dir_all(&built_in);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_run_is_no_runner() {
        assert!(!runs(Path::new("/nowhere/cargo-nextest")));
        assert!(!runs(Path::new("/bin/false")));
    }
}
