//! What a driver's process was asked to do.

use std::os::fd::RawFd;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Version,
    /// Serve the client at the other end of this descriptor.
    Serve(RawFd),
    Check(Check),
}

/// Try an array and tell what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Check {
    pub uri: String,
    pub password_file: Option<String>,
    pub json: bool,
}

impl Command {
    /// The error says what is wrong, for a person.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let first = arguments.next().ok_or("a descriptor or an option is missing")?;
        let command = match first.as_str() {
            "--version" | "-V" => Self::Version,
            "--help" | "-h" => Self::Help,
            "--check" => return Check::parse(arguments).map(Self::Check),
            number => Self::Serve(descriptor(number)?),
        };
        match arguments.next() {
            None => Ok(command),
            Some(more) => Err(format!("{more} is too much")),
        }
    }
}

impl Check {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut check = Self { uri: value("--check", arguments.next())?, ..Self::default() };
        while let Some(option) = arguments.next() {
            match option.as_str() {
                "--password-file" => check.password_file = Some(value(&option, arguments.next())?),
                "--output" => check.json = is_json(&value(&option, arguments.next())?)?,
                _ => return Err(format!("{option} is no option of --check")),
            }
        }
        Ok(check)
    }
}

fn descriptor(text: &str) -> Result<RawFd, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| format!("{text} is neither a descriptor nor an option"))
}

fn value(option: &str, value: Option<String>) -> Result<String, String> {
    value.ok_or_else(|| format!("{option} needs a value"))
}

fn is_json(format: &str) -> Result<bool, String> {
    match format {
        "json" => Ok(true),
        "text" => Ok(false),
        other => Err(format!("there is no output {other}, only text and json")),
    }
}

pub(super) fn help(program: &str, description: &str) -> String {
    format!(
        "{description}\n\n\
         Usage: {program} DESCRIPTOR\n       \
         {program} --check URI [--password-file FILE] [--output text|json]\n       \
         {program} --help | --version\n\n\
         Serves the libStorageMgmt plug-in protocol over the connected socket that its starter left open as DESCRIPTOR.\n\
         --check tries the array at URI, changes nothing, and lists what it has. The password is the content of FILE, or\n\
         that of LSMCLI_PASSWORD. Exit code 0: all is well, 1: something failed, 2: wrong usage."
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_number_is_a_descriptor() {
        assert_eq!(parse("7"), Ok(Command::Serve(7)));
        for wrong in ["", "-1", "+7", "7 8", "99999999999", "seven", "--fly"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_check_takes_its_options_in_any_order() {
        let expected = Check { uri: "sim://".into(), password_file: Some("/p".into()), json: true };
        for line in [
            "--check sim:// --password-file /p --output json",
            "--check sim:// --output json --password-file /p",
        ] {
            assert_eq!(parse(line), Ok(Command::Check(expected.clone())));
        }
        for wrong in
            ["--check", "--check sim:// --output", "--check sim:// --output xml", "--check sim:// more"]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_command_line_is_one_or_refused(words in prop::collection::vec("\\PC{0,12}", 0..5)) {
            let _ = Command::parse(words);
        }
    }
}
