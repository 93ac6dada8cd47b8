//! Which hosts are meant: `web*,role=web,os!=debian`. Pure.
//!
//! Words without a sign are names of hosts or patterns of names, and a host has to fit one of them. Conditions are about a
//! host's facts and labels, and a host has to fit all of them. A text that could be read in two ways is refused.

use std::{fmt, str::FromStr};

use sanfleet_protocol::HostId;

use crate::catalog::{HostNotes, Inventory};

/// Longest text of a selector, and most terms in it.
const MAX_BYTES: usize = 4_096;
const MAX_TERMS: usize = 256;

/// Why a text selects no hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("the selector is empty; '*' selects all hosts")]
    Empty,
    #[error("the selector is longer than {MAX_BYTES} characters or has more than {MAX_TERMS} terms")]
    TooLong,
    #[error(
        "{term:?} is neither a host's name, a pattern of names, nor a condition like role=web, os!=debian, name~db*"
    )]
    Term { term: String },
}

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    names: Vec<Pattern>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    key: String,
    is: bool,
    wanted: Pattern,
}

/// A text in which `*` stands for any characters and `?` for one; an exact one has neither.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exact(String),
    Glob(Vec<char>),
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let terms: Vec<&str> = text.split(',').map(str::trim).filter(|term| !term.is_empty()).collect();
        if text.len() > MAX_BYTES || terms.len() > MAX_TERMS {
            return Err(SelectorError::TooLong);
        }
        if terms.is_empty() {
            return Err(SelectorError::Empty);
        }
        let (mut names, mut conditions) = (Vec::new(), Vec::new());
        for term in terms {
            let refuse = || SelectorError::Term { term: term.chars().take(80).collect() };
            match term.find(['=', '!', '~']) {
                None if is_name(term) => names.push(Pattern::new(term)),
                None => return Err(refuse()),
                Some(_) => conditions.push(condition(term).ok_or_else(refuse)?),
            }
        }
        Ok(Self { text: text.to_owned(), names, conditions })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_name(term: &str) -> bool {
    term.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*?".contains(&byte))
}

fn condition(term: &str) -> Option<Condition> {
    // The longer signs first: the shorter ones are parts of them.
    let (sign, is, glob) = [("!=", false, false), ("!~", false, true), ("=", true, false), ("~", true, true)]
        .into_iter()
        .filter_map(|sign| Some((term.find(sign.0)?, sign)))
        .min_by_key(|(at, (sign, ..))| (*at, std::cmp::Reverse(sign.len())))?
        .1;
    let (key, value) = term.split_once(sign)?;
    let (key, value) = (key.trim(), unquoted(value.trim()));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if key.is_empty() || !key.bytes().all(known) || value.is_empty() || value.contains(['=', '!', '~']) {
        return None;
    }
    let wanted = if glob { Pattern::new(value) } else { Pattern::Exact(value.to_owned()) };
    Some(Condition { key: key.to_owned(), is, wanted })
}

fn unquoted(text: &str) -> &str {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

impl Selector {
    /// Whether this host is meant.
    pub fn selects(&self, host: &HostId, inventory: &Inventory, notes: &HostNotes) -> bool {
        let named = self.names.is_empty() || self.names.iter().any(|name| name.fits(host.as_str()));
        named && self.conditions.iter().all(|condition| condition.holds(host, inventory, notes))
    }

    /// The names in it that are no patterns: whoever types one means a host that there is.
    pub fn exact_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            Pattern::Exact(name) => Some(name.as_str()),
            Pattern::Glob(_) => None,
        })
    }
}

impl Condition {
    /// A host that has nothing under the key is not what the condition names: `role!=web` holds for it.
    fn holds(&self, host: &HostId, inventory: &Inventory, notes: &HostNotes) -> bool {
        let facts = inventory.report.facts.as_ref();
        let fits = |value: &str| self.wanted.fits(value);
        let any = match self.key.as_str() {
            "name" => fits(host.as_str()),
            "os" => facts.is_some_and(|facts| {
                // What people call it: "Debian GNU/Linux" is debian.
                let name = facts.os_name.to_ascii_lowercase();
                fits(&facts.os_name) || fits(&name) || name.split_whitespace().next().is_some_and(fits)
            }),
            "os_version" => facts.is_some_and(|facts| fits(&facts.os_version)),
            "kernel" => facts.is_some_and(|facts| fits(&facts.kernel)),
            "arch" => facts.is_some_and(|facts| fits(&facts.architecture)),
            "fabric" => inventory.report.fabrics.iter().any(|fabric| fits(fabric)),
            label => notes.label(label, &inventory.report).is_some_and(fits),
        };
        any == self.is
    }
}

impl Pattern {
    fn new(text: &str) -> Self {
        match text.contains(['*', '?']) {
            true => Self::Glob(text.chars().collect()),
            false => Self::Exact(text.to_owned()),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == text,
            Self::Glob(pattern) => glob(pattern, &text.chars().collect::<Vec<_>>()),
        }
    }
}

/// Takes time in proportion to pattern × text at most: after a mismatch only the last star gives way.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(from) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, star_from)) = star else { return false };
                star = Some((star_at, star_from + 1));
                at = star_at + 1;
                from = star_from + 1;
            }
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|letter| *letter == '*'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sanfleet_protocol::v1;

    use super::*;

    fn selects(selector: &str, host: &str) -> bool {
        selects_with(selector, host, &HostNotes::default())
    }

    fn selects_with(selector: &str, host: &str, notes: &HostNotes) -> bool {
        let report = v1::HostReport {
            version: sanfleet_protocol::VERSION,
            host: host.to_owned(),
            facts: Some(v1::HostFacts {
                os_name: "Debian GNU/Linux".into(),
                os_version: "12".into(),
                ..Default::default()
            }),
            fabrics: vec!["iscsi".into(), "loop".into()],
            labels: [("role".to_owned(), "web".to_owned())].into(),
            ..Default::default()
        };
        let host: HostId = host.parse().unwrap();
        let inventory = Inventory::from_report(&host, report).unwrap();
        selector.parse::<Selector>().unwrap().selects(&host, &inventory, notes)
    }

    #[test]
    fn what_the_operator_said_counts_more_than_what_the_agent_did() {
        let message = v1::HostNotes { labels: [("role".into(), "db".into())].into(), ..Default::default() };
        let notes = HostNotes::from_message(&message).unwrap();
        assert!(selects_with("role=db", "web1", &notes) && !selects_with("role=web", "web1", &notes));
    }

    #[test]
    fn a_host_has_to_fit_one_of_the_names_and_all_conditions() {
        for selector in [
            "web1",
            "web*",
            "*",
            "db1,web1",
            "w?b1",
            "role=web",
            "role!=db",
            "zone!=a",
            "os=debian",
            "os='Debian GNU/Linux'",
            "name~'web*'",
            "name!~db*",
            "fabric=iscsi",
            "web*,role=web,os_version=12",
        ] {
            assert!(selects(selector, "web1"), "{selector}");
        }
        for selector in
            ["web2", "db*", "web1,role=db", "role!=web", "zone=a", "fabric=fc", "name=web", "os=suse"]
        {
            assert!(!selects(selector, "web1"), "{selector}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for bad in [
            "",
            " , ",
            "role=",
            "=web",
            "role==web",
            "a b",
            "role web",
            "ro le=web",
            "name~",
            "!role",
            "a=b=c",
        ] {
            assert!(bad.parse::<Selector>().is_err(), "{bad:?}");
        }
        assert_eq!("x,".repeat(300).parse::<Selector>(), Err(SelectorError::TooLong));
    }

    proptest! {
        /// The reference: a glob as the regular definition has it.
        #[test]
        fn a_pattern_fits_what_its_definition_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            fn fits(pattern: &[char], text: &[char]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some(('*', rest)) => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
                    Some((letter, rest)) => text.split_first().is_some_and(|(first, others)| {
                        (*letter == '?' || letter == first) && fits(rest, others)
                    }),
                }
            }
            let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(glob(&pattern, &text), fits(&pattern, &text));
        }

        #[test]
        fn any_text_is_a_selector_or_refused(text in "\\PC{0,60}") {
            let _ = text.parse::<Selector>();
        }
    }
}
