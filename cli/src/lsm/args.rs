//! From words to what is to be done. Pure: no environment, no file, no array.

mod command;
mod scan;
mod spec;
mod usage;
mod value;

pub use command::*;
use scan::{Given, Scanned, scan};
use spec::{ASYNC, GLOBAL, OptionSpec};
pub use value::{Format, Host, ListType, Secret};
use value::{Refused, Shape};

use crate::lsm::alias;

/// The release whose command line this one is.
const VERSION: &str = "1.10.3";

/// What the words ask for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    Run(Box<Invocation>),
    /// Print this, and be done.
    Print(String),
    /// Nothing was said: the usage.
    Nothing(String),
}

/// A command and how it is to be carried out.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation {
    pub global: Global,
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Global {
    pub uri: Option<String>,
    pub prompt: bool,
    pub human: bool,
    pub terse: Option<String>,
    pub header: bool,
    pub raw_numbers: bool,
    pub script: bool,
    pub force: bool,
    /// Longest time for one call, in milliseconds.
    pub wait_ms: u64,
    pub asynchronous: bool,
    pub fork_plugin: Option<String>,
    pub format: Format,
}

/// Words that make no sense, and the usage that belongs to them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{usage}\n{program}: error: {why}")]
pub struct UsageError {
    usage: String,
    program: String,
    why: String,
}

const DEFAULT_WAIT_MS: u64 = 30_000;

/// Reads the words after the program's name. `program` is how messages call it, `called` how it was called.
pub fn parse(program: &str, called: &str, words: &[String]) -> Result<Request, UsageError> {
    if words.is_empty() {
        return Ok(Request::Nothing(usage::of_program(program)));
    }
    let refuse =
        |why: String| UsageError { usage: usage::of_program(program), program: program.to_owned(), why };
    let options: Vec<_> = GLOBAL.iter().collect();
    let (before, mut strangers, rest) = match scan(&options, words, true) {
        Ok(Scanned::Given { given, strangers, rest }) => (given, strangers, rest),
        Ok(Scanned::Help) => return Ok(Request::Print(usage::help(program))),
        Ok(Scanned::Version) => return Ok(Request::Print(format!("{called} {VERSION}\n"))),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let Some((name, words)) = command_and_words(&rest) else {
        return Err(refuse("the following arguments are required: command".to_owned()));
    };
    let Some(spec) = COMMANDS.iter().find(|spec| spec.name == name) else {
        let names: Vec<_> = COMMANDS.iter().map(|spec| spec.name).collect();
        let why =
            format!("argument command: invalid choice: '{name}' (choose from '{}')", names.join("', '"));
        return Err(refuse(why));
    };
    let (after, more) = match scan_command(program, spec, &words)? {
        Scanned::Given { given, strangers, .. } => (given, strangers),
        Scanned::Help => return Ok(Request::Print(usage::of_command(program, spec, true))),
        Scanned::Version => return Ok(Request::Print(format!("{called} {VERSION}\n"))),
    };
    let command = read(program, spec, &after)?;
    strangers.extend(more);
    if !strangers.is_empty() {
        return Err(refuse(format!("unrecognized arguments: {}", strangers.join(" "))));
    }
    let global = global(&before, &after).map_err(|error| refuse(error.to_string()))?;
    if global.wait_ms == 0 {
        return Err(refuse("[-w|--wait] requires a non-zero positive integer".to_owned()));
    }
    Ok(Request::Run(Box::new(Invocation { global, command })))
}

/// An alias stands for a command and maybe its first words.
fn command_and_words(rest: &[String]) -> Option<(String, Vec<String>)> {
    let (first, after) = rest.split_first()?;
    let expanded = alias::expand(first).unwrap_or(&[]).iter().map(|word| (*word).to_owned());
    let mut words: Vec<String> = expanded.collect();
    if words.is_empty() {
        words.push(first.clone());
    }
    words.extend(after.iter().cloned());
    let name = words.remove(0);
    Some((name, words))
}

fn scan_command(program: &str, spec: &CommandSpec, words: &[String]) -> Result<Scanned, UsageError> {
    let options: Vec<&'static OptionSpec> = GLOBAL.iter().chain(spec.options).collect();
    scan(&options, words, false).map_err(|error| in_command(program, spec, error.to_string()))
}

/// The command from its options; of those that are missing all are named.
fn read(program: &str, spec: &CommandSpec, given: &Given) -> Result<Command, UsageError> {
    let missing = spec.options.iter().filter(|option| option.required && !given.has(option.long));
    let missing: Vec<_> = missing.map(|option| option.long).collect();
    if !missing.is_empty() {
        let why = format!("the following arguments are required: {}", missing.join(", "));
        return Err(in_command(program, spec, why));
    }
    (spec.read)(given).map_err(|error| in_command(program, spec, error.to_string()))
}

fn in_command(program: &str, spec: &CommandSpec, why: String) -> UsageError {
    let program_and_command = format!("{program} {}", spec.name);
    UsageError { usage: usage::of_command(program, spec, false), program: program_and_command, why }
}

/// What was said before the command counts; what was said after it, where nothing was said before.
fn global(before: &Given, after: &Given) -> Result<Global, Refused> {
    fn value<T: value::Value>(
        before: &Given,
        after: &Given,
        option: &'static str,
    ) -> Result<Option<T>, Refused> {
        let first: Option<T> = Shape::take(before, option)?;
        first.map_or_else(|| Shape::take(after, option), |value| Ok(Some(value)))
    }
    let has = |option| before.has(option) || after.has(option);
    Ok(Global {
        uri: value(before, after, "--uri")?,
        prompt: has("--prompt"),
        human: has("--human"),
        terse: value(before, after, "--terse")?,
        header: has("--header"),
        raw_numbers: has("--enum"),
        script: has("--script"),
        force: has("--force"),
        wait_ms: value(before, after, "--wait")?.unwrap_or(DEFAULT_WAIT_MS),
        asynchronous: has(ASYNC),
        fork_plugin: value(before, after, "--fork_plugin")?,
        format: value(before, after, "--output")?.unwrap_or(Format::Text),
    })
}

#[cfg(test)]
mod tests {
    use sanfleet_driver::Provisioning;

    use super::{value::Size, *};

    fn request(line: &[&str]) -> Result<Request, UsageError> {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        parse("lsmcli", "/usr/bin/lsmcli", &words)
    }

    fn invocation(line: &[&str]) -> Invocation {
        match request(line) {
            Ok(Request::Run(invocation)) => *invocation,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    fn refusal(line: &[&str]) -> String {
        request(line).unwrap_err().to_string().lines().last().unwrap().to_owned()
    }

    #[test]
    fn every_alias_stands_for_a_command_that_exists() {
        for (alias, words) in alias::ALIASES {
            assert!(COMMANDS.iter().any(|spec| spec.name == words[0]), "{alias}");
        }
    }

    #[test]
    fn an_alias_is_read_as_what_it_stands_for() {
        for (alias, words) in alias::ALIASES {
            // Whatever the command wants is missing in the same way.
            let (short, long) = (request(&[alias, "-H"]), request(&[words, &["-H"]].concat()));
            assert_eq!(short, long, "{alias}");
        }
        let Command::List(list) = invocation(&["lv", "--sys", "s"]).command else { panic!() };
        assert_eq!((list.kind, list.sys.as_deref()), (ListType::Volumes, Some("s")));
    }

    #[test]
    fn a_volume_may_be_called_as_an_alias() {
        let Command::VolumeCreate(create) =
            invocation(&["vc", "--name", "vd", "--size", "1G", "--pool", "p"]).command
        else {
            panic!()
        };
        assert_eq!((create.name.as_str(), create.pool.as_str(), create.size), ("vd", "p", Size(1 << 30)));
    }

    #[test]
    fn options_of_all_commands_are_taken_before_the_command_and_after() {
        for line in
            [&["-u", "sim://", "-H", "ls"][..], &["ls", "-u", "sim://", "-H"], &["-H", "ls", "--ur=sim://"]]
        {
            let global = invocation(line).global;
            assert_eq!((global.uri.as_deref(), global.human), (Some("sim://"), true), "{line:?}");
        }
        let global =
            invocation(&["-u", "sim://before", "-w", "5", "ls", "-u", "sim://after", "-w", "7"]).global;
        assert_eq!((global.uri.as_deref(), global.wait_ms), (Some("sim://before"), 5));
        assert_eq!(invocation(&["ls"]).global.wait_ms, 30_000);
    }

    #[test]
    fn options_are_found_by_their_beginning_as_long_as_it_is_unique() {
        let line = ["volume-create", "--na", "n", "--si", "1K", "--po", "p", "--prov", "thin"];
        let Command::VolumeCreate(create) = invocation(&line).command else { panic!() };
        assert_eq!(create.provisioning, Some(Provisioning::THIN));
        assert!(
            refusal(&["vc", "--p", "x"])
                .contains("ambiguous option: --p could match --prompt, --pool, --provisioning")
        );
    }

    #[test]
    fn what_is_missing_is_named_in_whole() {
        assert_eq!(
            refusal(&["volume-create", "--pool", "p"]),
            "lsmcli volume-create: error: the following arguments are required: --name, --size"
        );
        assert_eq!(refusal(&["-H"]), "lsmcli: error: the following arguments are required: command");
        assert!(matches!(request(&[]), Ok(Request::Nothing(usage)) if usage.starts_with("usage: lsmcli ")));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, why) in [
            (&["list", "--type", "nothing"][..], "invalid choice: 'NOTHING' (choose from 'VOLUMES', 'POOLS'"),
            (&["nothing"], "argument command: invalid choice: 'nothing' (choose from 'list'"),
            (&["ls", "more"], "lsmcli: error: unrecognized arguments: more"),
            (&["ls", "--nonsense", "x"], "unrecognized arguments: --nonsense x"),
            (&["ls", "-w", "0"], "[-w|--wait] requires a non-zero positive integer"),
            (&["ls", "-w", "soon"], "invalid: not a positive integer value 'soon'"),
            (&["vr", "--vol", "v", "--size", "big"], "Incorrect size argument format: 'big'"),
            (&["aa", "--ag", "a", "--init", "host"], "\"host\" is invalid WWPN or iSCSI IQN"),
        ] {
            assert!(refusal(line).contains(why), "{line:?}: {}", refusal(line));
        }
    }

    #[test]
    fn options_that_may_come_again_keep_all_their_values() {
        let line = ["fs-export", "--fs", "f", "--ro-host", "a", "--ro-host", "10.0.0.1", "--anonuid", "5"];
        let Command::FsExport(export) = invocation(&line).command else { panic!() };
        assert_eq!(export.ro_hosts, [Host("a".into()), Host("10.0.0.1".into())]);
        assert_eq!((export.anon_uid, export.anon_gid), (Some(5), None));
    }

    #[test]
    fn version_and_help_are_printed() {
        assert_eq!(request(&["ls", "-v"]), Ok(Request::Print("/usr/bin/lsmcli 1.10.3\n".into())));
        let Ok(Request::Print(help)) = request(&["-h"]) else { panic!() };
        assert!(
            help.contains("volume-replicate-range-block-size")
                && help.contains("Alias of 'list --type volumes'")
        );
        assert!(!help.contains("fork_plugin"));
        let Ok(Request::Print(help)) = request(&["vc", "-h"]) else { panic!() };
        assert!(help.contains("--provisioning") && help.contains("DEFAULT"), "{help}");
    }

    #[test]
    fn a_password_does_not_show() {
        let command =
            invocation(&["iscsi-chap", "--init", "iqn.a", "--in-user", "u", "--in-pass", "hunter2"]).command;
        assert!(!format!("{command:?}").contains("hunter2"));
    }
}
