//! The rules by which words become options, as Python's argparse has them: long options may be shortened as long as they stay
//! unique, short ones may be joined, a value follows its option or is joined to it, and a word with a blank in it is a value.

use super::spec::{Arity, OptionSpec};

/// The options that were given, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given(Vec<(&'static str, Option<String>)>);

/// What the words came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Scanned {
    Given {
        given: Given,
        /// Options that nobody knows, and words that no option takes.
        strangers: Vec<String>,
        /// From the first word that is no option's on, when the scan was to stop there.
        rest: Vec<String>,
    },
    /// `-h` was met.
    Help,
    /// `-v` was met.
    Version,
}

/// Why the words make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("argument {0}: expected one argument")]
    NoValue(String),
    #[error("argument {0}: ignored explicit argument '{1}'")]
    ValueOfFlag(String, String),
    #[error("ambiguous option: {0} could match {1}")]
    Ambiguous(String, String),
}

impl Given {
    /// True when the option came, with a value or without.
    pub fn has(&self, long: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == long)
    }

    /// The values of an option, in their order.
    pub fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| *name == long).filter_map(|(_, value)| value.as_deref())
    }

    /// The last value counts.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.0.iter().rfind(|(name, _)| *name == long).and_then(|(_, value)| value.as_deref())
    }
}

/// Reads `words`; with `stop`, only up to the first that belongs to no option.
pub fn scan(options: &[&'static OptionSpec], words: &[String], stop: bool) -> Result<Scanned, ScanError> {
    let mut given = Given::default();
    let mut strangers = Vec::new();
    let mut left = words;
    let mut only_values = false;
    while let [word, after @ ..] = left {
        if !only_values && word == "--" {
            only_values = true;
            left = after;
            continue;
        }
        match if only_values { Meaning::Value } else { meaning(options, word)? } {
            Meaning::Value if stop => break,
            Meaning::Value | Meaning::Stranger => {
                strangers.push(word.clone());
                left = after;
            }
            Meaning::Option(option, joined) => match take(options, option, joined, after, &mut given)? {
                Taken::Words(count) => left = after.get(count..).unwrap_or_default(),
                Taken::Help => return Ok(Scanned::Help),
                Taken::Version => return Ok(Scanned::Version),
            },
        }
    }
    Ok(Scanned::Given { given, strangers, rest: left.to_vec() })
}

enum Meaning<'a> {
    Option(&'static OptionSpec, Option<&'a str>),
    /// It looks like an option and is none that we know.
    Stranger,
    Value,
}

fn meaning<'a>(options: &[&'static OptionSpec], word: &'a str) -> Result<Meaning<'a>, ScanError> {
    if !word.starts_with('-') || word == "-" {
        return Ok(Meaning::Value);
    }
    if let Some(option) = options.iter().find(|option| option.is(word)) {
        return Ok(Meaning::Option(option, None));
    }
    let found = if word.starts_with("--") { shortened(options, word)? } else { joined(options, word) };
    Ok(match found {
        Some((option, value)) => Meaning::Option(option, value),
        None if is_negative_number(word) || word.contains(' ') => Meaning::Value,
        None => Meaning::Stranger,
    })
}

type Found<'a> = Option<(&'static OptionSpec, Option<&'a str>)>;

/// `--unique-beginning` or `--unique-beginning=value`.
fn shortened<'a>(options: &[&'static OptionSpec], word: &'a str) -> Result<Found<'a>, ScanError> {
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    if let Some(option) = options.iter().find(|option| option.is(name)) {
        return Ok(Some((option, value)));
    }
    let candidates: Vec<_> = options.iter().filter(|option| option.long.starts_with(name)).collect();
    match candidates.as_slice() {
        [] => Ok(None),
        [option] => Ok(Some((option, value))),
        several => {
            let names: Vec<_> = several.iter().map(|option| option.long).collect();
            Err(ScanError::Ambiguous(word.to_owned(), names.join(", ")))
        }
    }
}

/// `-tSEP`, `-He`.
fn joined<'a>(options: &[&'static OptionSpec], word: &'a str) -> Found<'a> {
    let letter = word.chars().nth(1)?;
    let option = options.iter().find(|option| option.short == Some(letter))?;
    Some((option, word.get(1 + letter.len_utf8()..)))
}

fn is_negative_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or_default();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole)
        && all_digits(fraction)
        && !fraction.is_empty()
        && (digits.contains('.') || !whole.is_empty())
}

enum Taken {
    /// How many of the words after the option were its value.
    Words(usize),
    Help,
    Version,
}

fn take(
    options: &[&'static OptionSpec],
    mut option: &'static OptionSpec,
    mut joined: Option<&str>,
    after: &[String],
    given: &mut Given,
) -> Result<Taken, ScanError> {
    loop {
        match (option.arity, joined) {
            (Arity::Value, Some(value)) => {
                given.0.push((option.long, Some(value.to_owned())));
                return Ok(Taken::Words(0));
            }
            (Arity::Value, None) => {
                let value = after.first().filter(|word| matches!(meaning(options, word), Ok(Meaning::Value)));
                let value = value.ok_or_else(|| ScanError::NoValue(option.name()))?;
                given.0.push((option.long, Some(value.clone())));
                return Ok(Taken::Words(1));
            }
            (Arity::Help, None) => return Ok(Taken::Help),
            (Arity::Version, None) => return Ok(Taken::Version),
            (Arity::Flag, None) => {
                given.0.push((option.long, None));
                return Ok(Taken::Words(0));
            }
            (_, Some(more)) => {
                let next = more.chars().next().filter(|_| option.short.is_some());
                let next = next.and_then(|letter| options.iter().find(|next| next.short == Some(letter)));
                let Some(next) = next else {
                    return Err(ScanError::ValueOfFlag(option.name(), more.to_owned()));
                };
                match option.arity {
                    Arity::Help => return Ok(Taken::Help),
                    Arity::Version => return Ok(Taken::Version),
                    _ => given.0.push((option.long, None)),
                }
                option = next;
                joined = more.get(1..).filter(|rest| !rest.is_empty());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::spec::GLOBAL, *};

    fn options() -> Vec<&'static OptionSpec> {
        GLOBAL.iter().collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn given(line: &[&str]) -> (Given, Vec<String>, Vec<String>) {
        match scan(&options(), &words(line), true).unwrap() {
            Scanned::Given { given, strangers, rest } => (given, strangers, rest),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_value_follows_its_option_or_is_joined_to_it() {
        for line in
            [&["-t", " "][..], &["-t "], &["--terse", " "], &["--terse= "], &["--te", " "], &["--ters= "]]
        {
            assert_eq!(given(line).0.value("--terse"), Some(" "), "{line:?}");
        }
        assert_eq!(given(&["-t", ""]).0.value("--terse"), Some(""));
        assert_eq!(given(&["-t", "-"]).0.value("--terse"), Some("-"));
        assert_eq!(given(&["-t", "-x y"]).0.value("--terse"), Some("-x y"));
    }

    #[test]
    fn short_flags_may_be_joined_with_a_value_at_the_end() {
        let (given, ..) = given(&["-Hest,"]);
        assert!(given.has("--human") && given.has("--enum") && given.has("--script"));
        assert_eq!(given.value("--terse"), Some(","));
    }

    #[test]
    fn the_scan_stops_at_the_command() {
        let (given, strangers, rest) = given(&["-u", "sim://", "list", "-H"]);
        assert_eq!(
            (given.value("--uri"), strangers.len(), rest),
            (Some("sim://"), 0, words(&["list", "-H"]))
        );
    }

    #[test]
    fn a_beginning_that_fits_several_options_is_refused() {
        assert_eq!(
            scan(&options(), &words(&["--he"]), true),
            Err(ScanError::Ambiguous("--he".into(), "--help, --header".into()))
        );
        assert!(given(&["--head"]).0.has("--header"));
    }

    #[test]
    fn an_option_without_its_value_is_refused_and_so_is_a_value_for_a_flag() {
        for line in [&["-u"][..], &["-u", "-H"], &["--uri", "--human"]] {
            assert_eq!(
                scan(&options(), &words(line), true),
                Err(ScanError::NoValue("-u/--uri".into())),
                "{line:?}"
            );
        }
        let refused = scan(&options(), &words(&["--human=x"]), true);
        assert_eq!(refused, Err(ScanError::ValueOfFlag("-H/--human".into(), "x".into())));
        assert!(scan(&options(), &words(&["-Hz"]), true).is_err());
    }

    #[test]
    fn a_negative_number_is_a_value() {
        assert_eq!(given(&["-w", "-5"]).0.value("--wait"), Some("-5"));
        assert_eq!(given(&["-w", "-.5"]).0.value("--wait"), Some("-.5"));
        assert!(scan(&options(), &words(&["-w", "-x"]), true).is_err());
    }

    #[test]
    fn help_and_version_are_answered_where_they_are_met() {
        assert_eq!(scan(&options(), &words(&["-H", "-h", "--nonsense"]), true), Ok(Scanned::Help));
        assert_eq!(scan(&options(), &words(&["-Hv"]), true), Ok(Scanned::Version));
    }

    #[test]
    fn what_nobody_knows_is_a_stranger() {
        assert_eq!(given(&["--nonsense", "-z"]).1, words(&["--nonsense", "-z"]));
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(line in prop::collection::vec("[-=a-zA-Z0-9 ü]{0,8}", 0..8), stop: bool) {
            let _ = scan(&options(), &line, stop);
        }
    }
}
