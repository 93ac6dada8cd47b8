//! What options there are: their names, whether they take a value, and what a person is told of them.

/// One option of the command line.
#[derive(Debug)]
pub struct OptionSpec {
    /// With its dashes.
    pub long: &'static str,
    pub short: Option<char>,
    pub arity: Arity,
    pub metavar: &'static str,
    pub about: &'static str,
    /// The only values that it takes; empty when it takes others.
    pub choices: &'static [&'static str],
    pub required: bool,
    /// Not shown by `--help`.
    pub hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    Flag,
    Value,
    Help,
    Version,
}

impl OptionSpec {
    const fn flag(long: &'static str, short: Option<char>, about: &'static str) -> Self {
        Self {
            long,
            short,
            arity: Arity::Flag,
            metavar: "",
            about,
            choices: &[],
            required: false,
            hidden: false,
        }
    }

    const fn value(
        long: &'static str,
        short: Option<char>,
        metavar: &'static str,
        about: &'static str,
    ) -> Self {
        let arity = Arity::Value;
        Self { long, short, arity, metavar, about, choices: &[], required: false, hidden: false }
    }

    pub fn is(&self, word: &str) -> bool {
        let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
        self.long == word
            || (self.short.is_some() && letters.next() == self.short && letters.next().is_none())
    }

    /// As messages call it: `-u/--uri`.
    pub fn name(&self) -> String {
        match self.short {
            Some(short) if self.long == ASYNC => format!("-{short}"),
            Some(short) => format!("-{short}/{}", self.long),
            None => self.long.to_owned(),
        }
    }
}

/// `-b` has no long name; this one cannot be typed, for it is no word that begins with a dash.
pub const ASYNC: &str = "async";

/// The options that every command takes, before its name or after.
pub static GLOBAL: [OptionSpec; 14] = [
    OptionSpec {
        arity: Arity::Help,
        ..OptionSpec::flag("--help", Some('h'), "show this help message and exit")
    },
    OptionSpec {
        arity: Arity::Version,
        ..OptionSpec::flag("--version", Some('v'), "show program's version number and exit")
    },
    OptionSpec {
        hidden: true,
        ..OptionSpec::value("--fork_plugin", None, "<plugin executable>", "start this plug-in")
    },
    OptionSpec::value("--uri", Some('u'), "<URI>", "Uniform resource identifier (env LSMCLI_URI)"),
    OptionSpec::flag("--prompt", Some('P'), "Ask for the password (env LSMCLI_PASSWORD)"),
    OptionSpec::flag("--human", Some('H'), "Sizes in units that people read, such as MiB, GiB, TiB"),
    OptionSpec::value("--terse", Some('t'), "<SEP>", "Records without header, SEP between their fields"),
    OptionSpec::flag("--enum", Some('e'), "Numbers in place of words"),
    OptionSpec::flag("--force", Some('f'), "Do not ask before data may be lost"),
    OptionSpec::value("--wait", Some('w'), "<MS>", "Longest time for a call, in ms (default = 30s)"),
    OptionSpec::flag("--header", None, "With --terse: the header too"),
    OptionSpec::flag(ASYNC, Some('b'), "Do not wait for the end of a job: print its id and exit with 7"),
    OptionSpec::flag("--script", Some('s'), "One property a line, all properties"),
    OptionSpec {
        choices: &["text", "json"],
        ..OptionSpec::value(
            "--output",
            None,
            "<FORMAT>",
            "text, or json: the records as the protocol has them",
        )
    },
];
