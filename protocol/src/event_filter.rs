//! Which events somebody wants: by type and by the object that they are about, as subjects that a server filters by.

use std::{fmt, str::FromStr};

use crate::subject;

/// Most types, and most objects, in one filter.
pub const MOST: usize = 16;

/// Why a filter is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("{text:?} is no type of an event; one looks like run.finished, run.*, or *")]
    Kind { text: String },
    #[error("{text:?} is no host, run or array")]
    Object { text: String },
    #[error("{one} and {other} have events in common, and neither has all of the other's")]
    Overlap { one: KindPattern, other: KindPattern },
    #[error("there are more than {MOST} types or objects in it")]
    TooMany,
}

/// A type, or all that have one of its two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindPattern {
    noun: Option<String>,
    verb: Option<String>,
}

/// All events, unless types or objects are named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    kinds: Vec<KindPattern>,
    objects: Vec<String>,
}

impl KindPattern {
    fn covers(&self, other: &Self) -> bool {
        let part = |own: &Option<String>, theirs: &Option<String>| own.is_none() || own == theirs;
        part(&self.noun, &other.noun) && part(&self.verb, &other.verb)
    }

    fn meets(&self, other: &Self) -> bool {
        let part = |own: &Option<String>, theirs: &Option<String>| {
            own.is_none() || theirs.is_none() || own == theirs
        };
        part(&self.noun, &other.noun) && part(&self.verb, &other.verb)
    }
}

impl FromStr for KindPattern {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let refused = || FilterError::Kind { text: text.chars().take(80).collect() };
        let part = |text: &str| match text {
            "*" => Ok(None),
            _ if is_token(text) => Ok(Some(text.to_owned())),
            _ => Err(refused()),
        };
        match text.split_once('.') {
            Some((noun, verb)) => Ok(Self { noun: part(noun)?, verb: part(verb)? }),
            None if text == "*" => Ok(Self { noun: None, verb: None }),
            None => Err(refused()),
        }
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        f.pad(&format!("{}.{}", part(&self.noun), part(&self.verb)))
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl EventFilter {
    /// What is named twice, or within something wider, counts once: a server takes no overlapping filters.
    pub fn new(
        kinds: impl IntoIterator<Item = KindPattern>,
        objects: impl IntoIterator<Item = String>,
    ) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for kind in kinds {
            filter.add_kind(kind)?;
        }
        for object in objects {
            if !is_token(&object) {
                return Err(FilterError::Object { text: object.chars().take(80).collect() });
            }
            if !filter.objects.contains(&object) {
                filter.objects.push(object);
            }
        }
        if filter.kinds.len() > MOST || filter.objects.len() > MOST {
            return Err(FilterError::TooMany);
        }
        Ok(filter)
    }

    /// [`EventFilter::new`] from the texts of a message.
    pub fn parse(kinds: &[String], objects: &[String]) -> Result<Self, FilterError> {
        let kinds: Vec<KindPattern> = kinds.iter().map(|kind| kind.parse()).collect::<Result<_, _>>()?;
        Self::new(kinds, objects.iter().cloned())
    }

    fn add_kind(&mut self, kind: KindPattern) -> Result<(), FilterError> {
        if self.kinds.iter().any(|known| known.covers(&kind)) {
            return Ok(());
        }
        self.kinds.retain(|known| !kind.covers(known));
        if let Some(other) = self.kinds.iter().find(|known| known.meets(&kind)) {
            return Err(FilterError::Overlap { one: other.clone(), other: kind });
        }
        self.kinds.push(kind);
        Ok(())
    }

    pub fn kinds(&self) -> impl Iterator<Item = &KindPattern> {
        self.kinds.iter()
    }

    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(String::as_str)
    }

    /// Subjects without overlap that these events have and no others.
    pub fn subjects(&self) -> Vec<String> {
        if self.kinds.is_empty() && self.objects.is_empty() {
            return vec![subject::ALL_EVENTS.to_owned()];
        }
        let any = || vec!["*".to_owned()];
        let kinds: Vec<String> = self.kinds.iter().map(ToString::to_string).collect();
        let kinds = if kinds.is_empty() { vec!["*.*".to_owned()] } else { kinds };
        let objects = if self.objects.is_empty() { any() } else { self.objects.clone() };
        let with_each =
            |kind: &String| objects.iter().map(|object| subject::event(kind, object)).collect::<Vec<_>>();
        kinds.iter().flat_map(with_each).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(kinds: &[&str], objects: &[&str]) -> Result<EventFilter, FilterError> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        EventFilter::parse(&texts(kinds), &texts(objects))
    }

    fn subjects(kinds: &[&str], objects: &[&str]) -> Vec<String> {
        let subjects = filter(kinds, objects).unwrap().subjects();
        subjects.iter().map(|subject| subject.trim_start_matches("sanfleet.v1.event.").to_owned()).collect()
    }

    #[test]
    fn types_and_objects_become_subjects() {
        assert_eq!(subjects(&[], &[]), [">"]);
        assert_eq!(subjects(&["run.*"], &[]), ["run.*.*"]);
        assert_eq!(subjects(&[], &["db1"]), ["*.*.db1"]);
        assert_eq!(
            subjects(&["run.finished", "host.*"], &["a", "b"]),
            ["run.finished.a", "run.finished.b", "host.*.a", "host.*.b"]
        );
    }

    #[test]
    fn what_is_within_something_wider_counts_once() {
        assert_eq!(subjects(&["run.finished", "run.*", "run.started", "run.*"], &["a", "a"]), ["run.*.a"]);
        assert_eq!(subjects(&["host.online", "*"], &[]), ["*.*.*"]);
        assert!(matches!(filter(&["run.*", "*.finished"], &[]), Err(FilterError::Overlap { .. })));
    }

    #[test]
    fn what_would_be_another_subject_is_refused() {
        for bad in ["", "run", "run.", ".*", "run.a.b", "run.>", ">", "r un.x", "run.*.*"] {
            assert!(filter(&[bad], &[]).is_err(), "{bad:?}");
        }
        for bad in ["", "*", ">", "a.b", "a b"] {
            assert!(filter(&[], &[bad]).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=MOST).map(|n| format!("h{n}")).collect();
        assert_eq!(EventFilter::parse(&[], &many), Err(FilterError::TooMany));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(kind in "\\PC{0,40}", object in "\\PC{0,40}") {
            if let Ok(filter) = EventFilter::parse(&[kind], &[object]) {
                prop_assert!(filter.subjects().iter().all(|subject| subject.split('.').count() == 6));
            }
        }
    }
}
