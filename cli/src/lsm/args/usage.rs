//! What `--help` and a wrong command line show.

use std::fmt::Write as _;

use super::{
    command::{COMMANDS, CommandSpec},
    spec::{ASYNC, Arity, GLOBAL, OptionSpec},
};
use crate::lsm::alias::ALIASES;

/// Columns before the explanation of an option.
const MARGIN: usize = 28;

pub fn of_program(program: &str) -> String {
    format!(
        "usage: {program} [-h] [-v] [-u <URI>] [-P] [-H] [-t <SEP>] [-e] [-f] [-w <MS>] [--header] [-b] [-s] command ..."
    )
}

/// Of one command; `long` with its options.
pub fn of_command(program: &str, spec: &CommandSpec, long: bool) -> String {
    let mut text = format!("usage: {program} {} [options]", spec.name);
    for option in spec.options {
        let (open, close) = if option.required { ("", "") } else { ("[", "]") };
        let _ = write!(text, " {open}{} {}{close}", option.long, option.metavar);
    }
    if long {
        let _ = write!(text, "\n\n{}\n", spec.about);
        section(&mut text, "options", GLOBAL.iter());
        section(&mut text, "cmd required arguments", spec.options.iter().filter(|option| option.required));
        section(&mut text, "cmd optional arguments", spec.options.iter().filter(|option| !option.required));
    }
    text
}

/// Everything: options, commands, aliases.
pub fn help(program: &str) -> String {
    let mut text = of_program(program);
    let _ = write!(
        text,
        "\n\nThe command line of libStorageMgmt. Run {program} <command> -h for more on each command.\n\ncommands:\n"
    );
    for spec in COMMANDS {
        line(&mut text, spec.name, spec.about);
    }
    section(&mut text, "options", GLOBAL.iter());
    text.push_str("\ncommand aliases:\n");
    for (alias, words) in ALIASES {
        let _ = writeln!(text, "   {alias:<18}   Alias of '{}'", words.join(" "));
    }
    text
}

fn section<'a>(text: &mut String, title: &str, options: impl Iterator<Item = &'a OptionSpec>) {
    let mut options = options.filter(|option| !option.hidden).peekable();
    if options.peek().is_none() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    for option in options {
        let about = if option.choices.is_empty() { option.about.to_owned() } else { choices(option) };
        line(text, &names(option), &about);
    }
}

fn choices(option: &OptionSpec) -> String {
    let choices = format!("one of {}", option.choices.join(", "));
    if option.about.is_empty() { choices } else { format!("{}; {choices}", option.about) }
}

fn names(option: &OptionSpec) -> String {
    let value = if option.arity == Arity::Value { format!(" {}", option.metavar) } else { String::new() };
    match option.short {
        Some(short) if option.long == ASYNC => format!("-{short}"),
        Some(short) => format!("-{short}{value}, {}{value}", option.long),
        None => format!("{}{value}", option.long),
    }
}

fn line(text: &mut String, name: &str, about: &str) {
    if about.is_empty() {
        let _ = writeln!(text, "  {name}");
    } else if name.len() + 4 > MARGIN {
        let _ = writeln!(text, "  {name}\n{:MARGIN$}{about}", "");
    } else {
        let _ = writeln!(text, "  {name:<width$}{about}", width = MARGIN - 2);
    }
}
