//! Programs: where they are, and running them to a good end.

use std::{
    env,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// An ordinary user's PATH lacks these, and most of what we run is in them.
const SYSTEM: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A program of this name, in the PATH or where systems keep theirs.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    directories.map(|directory| directory.join(name)).find(|file| is_program(file))
}

/// Like [`find`], for what was seen to before.
pub fn located(name: &str) -> anyhow::Result<PathBuf> {
    find(name).with_context(|| format!("the program {name} is not on this machine"))
}

pub fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Runs it where the operator can see what it says, and fails when it does. Its output goes to stderr.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let out = std::io::stderr();
    let status =
        command.stdin(Stdio::null()).stdout(out).status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// Runs it and gives what it prints, or nothing when it cannot be run or fails.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_and_a_directory_is_none() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
        assert!(!is_program(Path::new("/usr")));
        assert!(!is_program(Path::new("/etc/passwd")));
    }

    #[test]
    fn a_program_that_fails_is_named_with_its_arguments() {
        let failed = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(failed.contains("sh -c exit 3") && failed.contains('3'), "{failed}");
        assert_eq!(answer(Command::new("sh").args(["-c", "echo yes; exit 1"])), None);
        assert_eq!(answer(&mut Command::new("no-such-program-anywhere")), None);
    }
}
