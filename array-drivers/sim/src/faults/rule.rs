//! The grammar of faults: `METHOD:WORD:WORD…`, rules separated by `;` or line ends, `#` begins a comment line.
//!
//! METHOD is a method's name or `*`. The words say when (`nth=N`, `every=N`; else each call), how slow (`latency=MS` or
//! `latency=A..B`), and what goes wrong, at most one of [`Effect`].

use std::{fmt, str::FromStr};

use sanfleet_driver::is_method;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// None for every method.
    pub method: Option<String>,
    pub when: When,
    pub latency: Option<Latency>,
    pub effect: Option<Effect>,
}

/// Which of the calls that a rule speaks of it strikes; they are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    Nth(u64),
    Every(u64),
}

/// Milliseconds, both ends possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    pub least: u64,
    pub most: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// `error=NUMBER`: refused before anything is done.
    Error(i64),
    /// `reply-lost`: done, then the process ends without a reply.
    ReplyLost,
    /// `job-fails[=NUMBER]`: the job ends in ERROR and leaves nothing behind. A call that is done at once is not touched.
    JobFails(i64),
    /// `job-lost[=undone]`: nobody knows the job; its work is done all the same, or not.
    JobLost { done: bool },
    /// `stale=MS`: a list shows what was true so long ago.
    Stale(u64),
    /// `restart`: the process ends before the call is made, and the array forgets its running jobs; their work goes on.
    Restart,
    /// `read-only`: every change is refused.
    ReadOnly,
    /// `full`: whatever takes space is refused.
    Full,
    /// `auth`: the array does not let us in.
    Auth,
    /// `hang`: never answered.
    Hang,
    /// `flood`: answered with bytes without end.
    Flood,
    /// `crash`: the process aborts.
    Crash,
    /// `nonsense`: answered with bytes that are no frame.
    Nonsense,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    #[error("there is no method {0}")]
    Method(String),
    #[error("there is no fault {0}")]
    Word(String),
    #[error("{word} has no number where it needs one{}", if *zero { " above 0" } else { "" })]
    Number { word: String, zero: bool },
    #[error("{0} is the second word of its kind")]
    Twice(String),
    #[error("it says nothing that goes wrong")]
    Nothing,
}

/// What `job-fails` fails with when it does not say.
const JOB_FAILURE: i64 = 2;

/// Reads many rules; the error comes with the text of the rule that is none.
pub(crate) fn read_rules(text: &str) -> Result<Vec<Rule>, (String, RuleError)> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
        .map(|rule| rule.parse().map_err(|error| (rule.to_owned(), error)))
        .collect()
}

impl Rule {
    pub fn speaks_of(&self, method: &str) -> bool {
        self.method.as_deref().is_none_or(|named| named == method)
    }
}

impl When {
    /// Whether the call with this number is struck.
    pub fn strikes(self, call: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(nth) => call == nth,
            Self::Every(every) => call.is_multiple_of(every),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut words = text.split(':').map(str::trim);
        let method = read_method(words.next().unwrap_or_default())?;
        let mut rule = Self { method, when: When::Always, latency: None, effect: None };
        let mut timed = false;
        for word in words {
            let twice = || RuleError::Twice(word.to_owned());
            match word.split_once('=').unwrap_or((word, "")) {
                ("nth" | "every", _) if timed => return Err(twice()),
                ("nth", nth) => (rule.when, timed) = (When::Nth(positive(word, nth)?), true),
                ("every", every) => (rule.when, timed) = (When::Every(positive(word, every)?), true),
                ("latency", _) if rule.latency.is_some() => return Err(twice()),
                ("latency", range) => rule.latency = Some(read_latency(word, range)?),
                _ if rule.effect.is_some() => return Err(twice()),
                (name, value) => rule.effect = Some(read_effect(word, name, value)?),
            }
        }
        match rule.latency.is_none() && rule.effect.is_none() {
            true => Err(RuleError::Nothing),
            false => Ok(rule),
        }
    }
}

fn read_method(name: &str) -> Result<Option<String>, RuleError> {
    match name {
        "*" => Ok(None),
        name if is_method(name) => Ok(Some(name.to_owned())),
        name => Err(RuleError::Method(name.to_owned())),
    }
}

fn read_effect(word: &str, name: &str, value: &str) -> Result<Effect, RuleError> {
    let effect = match (name, value) {
        ("error", number) => Effect::Error(signed(word, number)?),
        ("job-fails", "") => Effect::JobFails(JOB_FAILURE),
        ("job-fails", number) => Effect::JobFails(signed(word, number)?),
        ("job-lost", "" | "done") => Effect::JobLost { done: true },
        ("job-lost", "undone") => Effect::JobLost { done: false },
        ("stale", milliseconds) => Effect::Stale(number(word, milliseconds)?),
        ("reply-lost", "") => Effect::ReplyLost,
        ("restart", "") => Effect::Restart,
        ("read-only", "") => Effect::ReadOnly,
        ("full", "") => Effect::Full,
        ("auth", "") => Effect::Auth,
        ("hang", "") => Effect::Hang,
        ("flood", "") => Effect::Flood,
        ("crash", "") => Effect::Crash,
        ("nonsense", "") => Effect::Nonsense,
        _ => return Err(RuleError::Word(word.to_owned())),
    };
    Ok(effect)
}

fn read_latency(word: &str, range: &str) -> Result<Latency, RuleError> {
    let (least, most) = range.split_once("..").unwrap_or((range, range));
    let latency = Latency { least: number(word, least)?, most: number(word, most)? };
    match latency.least <= latency.most {
        true => Ok(latency),
        false => Err(RuleError::Number { word: word.to_owned(), zero: false }),
    }
}

/// Numbers that a signed column of the state file holds too.
fn number(word: &str, text: &str) -> Result<u64, RuleError> {
    let refuse = || RuleError::Number { word: word.to_owned(), zero: false };
    text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok()).ok_or_else(refuse)
}

fn positive(word: &str, text: &str) -> Result<u64, RuleError> {
    match number(word, text)? {
        0 => Err(RuleError::Number { word: word.to_owned(), zero: true }),
        number => Ok(number),
    }
}

fn signed(word: &str, text: &str) -> Result<i64, RuleError> {
    text.parse().map_err(|_| RuleError::Number { word: word.to_owned(), zero: false })
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.as_deref().unwrap_or("*"))?;
        match self.when {
            When::Always => {}
            When::Nth(nth) => write!(f, ":nth={nth}")?,
            When::Every(every) => write!(f, ":every={every}")?,
        }
        if let Some(Latency { least, most }) = self.latency {
            write!(f, ":latency={least}..{most}")?;
        }
        self.effect.map_or(Ok(()), |effect| write!(f, ":{effect}"))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(number) => write!(f, "error={number}"),
            Self::JobFails(number) => write!(f, "job-fails={number}"),
            Self::JobLost { done: true } => f.write_str("job-lost"),
            Self::JobLost { done: false } => f.write_str("job-lost=undone"),
            Self::Stale(milliseconds) => write!(f, "stale={milliseconds}"),
            Self::ReplyLost => f.write_str("reply-lost"),
            Self::Restart => f.write_str("restart"),
            Self::ReadOnly => f.write_str("read-only"),
            Self::Full => f.write_str("full"),
            Self::Auth => f.write_str("auth"),
            Self::Hang => f.write_str("hang"),
            Self::Flood => f.write_str("flood"),
            Self::Crash => f.write_str("crash"),
            Self::Nonsense => f.write_str("nonsense"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_of_rules_is_read_word_by_word() {
        let rules =
            read_rules("# to begin with\nvolume_create:error=350:nth=2; volumes:latency=20..30\n").unwrap();
        let expected = [
            Rule {
                method: Some("volume_create".into()),
                when: When::Nth(2),
                latency: None,
                effect: Some(Effect::Error(350)),
            },
            Rule {
                method: Some("volumes".into()),
                when: When::Always,
                latency: Some(Latency { least: 20, most: 30 }),
                effect: None,
            },
        ];
        assert_eq!(rules, expected);
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_text() {
        for bad in [
            "volume_burn:hang",
            "volumes",
            "volumes:explode",
            "volumes:nth=0:hang",
            "volumes:nth=1:every=2:hang",
            "volumes:latency=9..1",
            "volumes:hang:crash",
            "volumes:error",
            "volumes:hang=3",
            "volumes:stale=99999999999999999999",
        ] {
            assert_eq!(read_rules(&format!("*:hang;{bad}")).unwrap_err().0, bad);
        }
    }

    #[test]
    fn every_third_call_is_the_third_and_the_sixth() {
        let struck: Vec<u64> = (1..8).filter(|call| When::Every(3).strikes(*call)).collect();
        assert_eq!(struck, [3, 6]);
    }

    fn any_rule() -> impl Strategy<Value = Rule> {
        let small = 0..=i64::MAX as u64;
        let effect = prop_oneof![
            any::<i64>().prop_map(Effect::Error),
            any::<i64>().prop_map(Effect::JobFails),
            any::<bool>().prop_map(|done| Effect::JobLost { done }),
            small.clone().prop_map(Effect::Stale),
            prop::sample::select(vec![
                Effect::ReplyLost,
                Effect::Restart,
                Effect::ReadOnly,
                Effect::Full,
                Effect::Auth,
                Effect::Hang,
                Effect::Flood,
                Effect::Crash,
                Effect::Nonsense,
            ]),
        ];
        let when = prop_oneof![
            Just(When::Always),
            (1..=i64::MAX as u64).prop_map(When::Nth),
            (1..=i64::MAX as u64).prop_map(When::Every),
        ];
        let latency = (small.clone(), small).prop_map(|(a, b)| Latency { least: a.min(b), most: a.max(b) });
        let method =
            prop::option::of(prop::sample::select(vec!["volumes".to_owned(), "fs_clone".to_owned()]));
        (method, when, prop::option::of(latency), effect).prop_map(|(method, when, latency, effect)| Rule {
            method,
            when,
            latency,
            effect: Some(effect),
        })
    }

    proptest! {
        #[test]
        fn a_rule_reads_back_as_it_was_written(rule in any_rule()) {
            prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
        }

        #[test]
        fn any_text_is_rules_or_refused(text in "[a-z_*:;=.0-9\\-\n# ]{0,60}") {
            let _ = read_rules(&text);
        }
    }
}
