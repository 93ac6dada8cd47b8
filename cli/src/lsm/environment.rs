//! What the environment and `~/.lsmcli` say of the array to talk to.

use std::{ffi::OsString, fs, io, path::PathBuf};

use sanfleet_driver::{Uri, UriError};

use super::{args::Global, prompt, stop::Stop};

/// Looks up a variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The variables of this process.
pub fn process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The array to talk to.
pub struct Target {
    pub uri: String,
    /// Which driver reaches it.
    pub kind: String,
    pub password: Option<String>,
}

/// The URI from the command line, else from `LSMCLI_URI`, else from `~/.lsmcli`; the password from a prompt if that was asked for,
/// else from `LSMCLI_PASSWORD`.
pub fn target(global: &Global, variables: Variables) -> Result<Target, Stop> {
    let text = |name| variables(name).map(|value| value.to_string_lossy().into_owned());
    let from_file = || variables("HOME").and_then(|home| uri_in_file(&PathBuf::from(home).join(".lsmcli")));
    let uri = global.uri.clone().or_else(|| text("LSMCLI_URI")).or_else(from_file);
    let uri = uri.ok_or_else(|| Stop::Usage("--uri missing or export LSMCLI_URI".to_owned()))?;
    let parsed: Uri = uri.parse().map_err(|error: UriError| {
        Stop::refused(sanfleet_driver::ErrorNumber::InvalidArgument, format!("{error}"))
    })?;
    let password = match global.prompt {
        true => Some(prompt::password().map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => Stop::Interrupted,
            _ => Stop::Usage(format!("cannot ask for the password: {error}")),
        })?),
        false => text("LSMCLI_PASSWORD"),
    };
    if password.is_some() && parsed.user.is_none() {
        return Err(Stop::Usage("password specified with no user name in uri".to_owned()));
    }
    Ok(Target { uri, kind: parsed.kind, password })
}

/// A file that cannot be read says nothing.
fn uri_in_file(path: &std::path::Path) -> Option<String> {
    uri_in(&fs::read_to_string(path).ok()?)
}

/// The last `uri=` line counts; other keys are passed over.
fn uri_in(text: &str) -> Option<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.rev().find(|(key, _)| key.trim() == "uri").map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::args::{Request, parse};

    fn global(line: &[&str]) -> Global {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        match parse("lsmcli", "lsmcli", &words) {
            Ok(Request::Run(invocation)) => invocation.global,
            other => panic!("{other:?}"),
        }
    }

    fn target_of(line: &[&str], variables: &[(&str, &str)]) -> Result<Target, Stop> {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        target(&global(line), &lookup)
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let home = tempfile::tempdir().unwrap();
        fs::write(
            home.path().join(".lsmcli"),
            "# mine\n  #uri=no://\nuri = file://?a=b \nother=x\nnonsense\n",
        )
        .unwrap();
        let home = ("HOME", home.path().to_str().unwrap());
        let both = [home, ("LSMCLI_URI", "environment://")];
        assert_eq!(target_of(&["ls", "-u", "line://"], &both).unwrap().uri, "line://");
        assert_eq!(target_of(&["ls"], &both).unwrap().kind, "environment");
        assert_eq!(target_of(&["ls"], &[home]).unwrap().uri, "file://?a=b");
    }

    #[test]
    fn without_a_uri_there_is_nothing_to_talk_to() {
        let refused = target_of(&["ls"], &[]).err().unwrap();
        assert_eq!(refused.message("lsmcli").unwrap(), "lsmcli: error: --uri missing or export LSMCLI_URI\n");
    }

    #[test]
    fn a_password_needs_a_user() {
        let variables = [("LSMCLI_PASSWORD", "hunter2")];
        let refused = target_of(&["ls", "-u", "sim://host"], &variables).err().unwrap();
        assert_eq!(refused.exit(), 2);
        let target = target_of(&["ls", "-u", "ontap+ssl://admin@host"], &variables).unwrap();
        assert_eq!((target.kind.as_str(), target.password.as_deref()), ("ontap", Some("hunter2")));
    }

    #[test]
    fn what_is_no_uri_is_an_invalid_argument() {
        assert_eq!(target_of(&["ls", "-u", "sim"], &[]).err().unwrap().exit(), 4);
    }
}
