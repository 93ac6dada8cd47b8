//! What an operator calls a host by: keys with values, such as `role = web`. They are chosen by, and prove nothing.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Most labels of one host.
pub const MAX: usize = 64;
const MAX_BYTES: usize = 63;

/// Why labels are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error(
        "label {what} {text:?} is not 1 to {MAX_BYTES} letters, digits, '-', '_' and '.', with a letter or digit first"
    )]
    Text { what: &'static str, text: String },
    #[error("{count} labels are more than the {MAX} that a host may have")]
    TooMany { count: usize },
}

macro_rules! label_text {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = LabelError;
            fn from_str(text: &str) -> Result<Self, LabelError> {
                checked($what, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

label_text! {
    /// Such as `role`.
    LabelKey, "key"
}
label_text! {
    /// Such as `web`.
    LabelValue, "value"
}

/// Nothing that a selector would have to quote.
fn checked(what: &'static str, text: &str) -> Result<String, LabelError> {
    let fits = text.len() <= MAX_BYTES
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    match fits {
        true => Ok(text.to_owned()),
        false => Err(LabelError::Text { what, text: text.chars().take(MAX_BYTES).collect() }),
    }
}

/// The labels of one host, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels(BTreeMap<LabelKey, LabelValue>);

impl Labels {
    pub fn parse<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, LabelError> {
        let labels = texts
            .into_iter()
            .map(|(key, value)| Ok((key.parse()?, value.parse()?)))
            .collect::<Result<BTreeMap<LabelKey, LabelValue>, LabelError>>()?;
        match labels.len() {
            count if count > MAX => Err(LabelError::TooMany { count }),
            _ => Ok(Self(labels)),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&LabelKey, &LabelValue)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_plain_words_in_order_of_their_keys() {
        let labels = Labels::parse([("role", "web"), ("os", "debian-12.5")]).unwrap();
        let shown: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(shown, ["os=debian-12.5", "role=web"]);
    }

    #[test]
    fn what_a_selector_could_not_say_is_refused() {
        for bad in ["", "a b", "-a", "a=b", "a*", "a,b", "ä", "'a'", &"x".repeat(64)] {
            assert!(Labels::parse([(bad, "web")]).is_err(), "{bad:?}");
            assert!(Labels::parse([("role", bad)]).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=MAX).map(|n| n.to_string()).collect();
        let error = Labels::parse(many.iter().map(|key| (key.as_str(), "1"))).unwrap_err();
        assert_eq!(error, LabelError::TooMany { count: MAX + 1 });
    }
}
