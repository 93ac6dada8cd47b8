//! What the appliance's texts mean, which is all that its errors are.

use serde_json::Value;

use crate::appliance::Reason;

/// Words, and what they come down to; the first that is found counts.
const WORDS: [(&str, Reason); 12] = [
    ("does not exist", Reason::Missing),
    ("not found", Reason::Missing),
    ("already exists", Reason::Exists),
    ("view entry exists", Reason::Exists),
    ("has children", Reason::Exists),
    ("dependent clones", Reason::Exists),
    ("Unable to destroy hostgroup", Reason::Busy),
    ("in use", Reason::Busy),
    ("out of space", Reason::NoSpace),
    ("no space", Reason::NoSpace),
    ("must be a multiple", Reason::Invalid),
    ("invalid", Reason::Invalid),
];

pub(super) fn reason(message: &str) -> Reason {
    let found = WORDS.iter().find(|(words, _)| message.contains(words));
    found.map_or(Reason::Unknown, |(_, reason)| *reason)
}

/// A text, or a number as one.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_understood_by_its_words_and_else_leaves_it_open() {
        for (message, wanted) in [
            ("SA::Object::zvol: dataset already exists", Reason::Exists),
            ("Zvol 'tank/v' does not exist", Reason::Missing),
            ("zvol has children", Reason::Exists),
            ("cannot create: out of space", Reason::NoSpace),
            ("stmfadm: LUN in use", Reason::Busy),
            ("Died at line 7", Reason::Unknown),
        ] {
            assert_eq!(reason(message), wanted, "{message}");
        }
    }
}
