//! JSON as the generated types write it, safe to print on a terminal.

use std::{fmt::Write as _, io};

use serde::Serialize;

/// A whole answer, indented.
pub fn pretty<R: Serialize>(reply: &R) -> io::Result<String> {
    Ok(printable(&serde_json::to_string_pretty(reply)?))
}

/// One item in a line.
pub fn line<R: Serialize>(item: &R) -> io::Result<String> {
    Ok(printable(&serde_json::to_string(item)?))
}

/// JSON lets DEL and the C1 control characters stand unescaped (RFC 8259 §7), and a terminal obeys the latter.
/// They can only be inside of strings, where an escape means the same.
fn printable(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match c {
            '\n' => text.push(c),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sanfleet_protocol::v1;

    use super::*;

    #[test]
    fn a_reply_is_printed_under_the_names_of_its_proto() {
        let reply = v1::VolumeListReply {
            volumes: vec![v1::VolumeRow {
                array: "sim1".to_owned(),
                size_bytes: 1 << 30,
                ..Default::default()
            }],
        };
        let json: serde_json::Value = serde_json::from_str(&pretty(&reply).unwrap()).unwrap();
        assert_eq!(json["volumes"][0]["array"], "sim1");
        assert_eq!(json["volumes"][0]["size_bytes"], "1073741824");
    }

    proptest! {
        #[test]
        fn text_reads_back_and_drives_no_terminal(text in any::<String>()) {
            let json = line(&text).unwrap();
            prop_assert!(!json.trim_end_matches('\n').chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
