//! The conformance suite against a driver: the suite is a program of its own, for it needs more than an errand should.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::build;

/// Builds the suite, and the driver if it is one of ours and none is given, and runs it with these arguments.
pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let mut packages = vec!["sanfleet-conformance".to_owned()];
    packages.extend(driver(arguments).filter(|package| build::is_package(package)));
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let bin_dir = build::packages(&packages, &["--bins"])?;
    let program = bin_dir.join("sanfleet-conformance");
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The package of the driver that the URI asks for, unless the arguments say where it is.
fn driver(arguments: &[String]) -> Option<String> {
    if value(arguments, "--driver").or_else(|| value(arguments, "--socket")).is_some() {
        return None;
    }
    let kind = value(arguments, "--uri")?.split(['+', ':']).next()?;
    Some(format!("sanfleet-driver-{kind}"))
}

/// What an option is set to, by `--option value` or `--option=value`.
fn value<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(option) {
            Some("") => return arguments.next().map(String::as_str),
            Some(rest) if rest.starts_with('=') => return rest.strip_prefix('='),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver_of(line: &str) -> Option<String> {
        driver(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_driver_of_ours_is_built_unless_another_is_given() {
        assert_eq!(driver_of("--list --uri sim://?x=y").as_deref(), Some("sanfleet-driver-sim"));
        assert_eq!(driver_of("--uri=ontap+ssl://filer --list").as_deref(), Some("sanfleet-driver-ontap"));
        assert_eq!(driver_of("--uri sim:// --driver /usr/bin/sim_lsmplugin"), None);
        assert_eq!(driver_of("--uri sim:// --socket lsmd"), None);
        assert_eq!(driver_of("--list"), None);
        assert!(build::is_package("sanfleet-driver-sim") && !build::is_package("sanfleet-driver-nothing"));
    }
}
