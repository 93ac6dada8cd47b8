//! The largest things that cross a boundary. Each bound is far above what a real fleet needs and far below what hurts.

/// Largest report in bytes: under the bus's own 1 MiB, with room for headers.
/// A device with its ids and mounts takes about 200 bytes, so this is some 4,000 devices a host.
pub const REPORT_BYTES: usize = 1_000_000;

/// Largest signed command in bytes.
pub const COMMAND_BYTES: usize = 64 * 1024;

/// Largest record of the audit with its signature, in bytes.
pub const AUDIT_BYTES: usize = 64 * 1024;

/// Most of a request that the audit keeps, in bytes of its text.
pub const AUDIT_REQUEST_BYTES: usize = 16 * 1024;

/// Most devices taken from one report.
pub const DEVICES: usize = 20_000;

/// Longest text that a message of an error keeps, in characters.
pub const ERROR_CHARS: usize = 2_000;

/// Cuts a text that goes into a message to [`ERROR_CHARS`], and replaces control characters, which could drive a terminal.
pub fn legible(text: &str) -> String {
    text.chars().take(ERROR_CHARS).map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// An error with all of its causes, in one [`legible`] text. A cause that only repeats what was said is left out: other
/// people's errors do that.
pub fn full_text(error: &(dyn std::error::Error + '_)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    legible(&text)
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fmt};

    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as &dyn Error)
        }
    }

    #[test]
    fn an_error_is_told_with_all_of_its_causes_and_none_twice() {
        let inner = Layer("refused\u{1b}", None);
        let middle = Layer("cannot connect", Some(Box::new(inner)));
        let outer = Layer("array f1: cannot connect", Some(Box::new(middle)));
        assert_eq!(full_text(&outer), "array f1: cannot connect: refused\u{fffd}");
    }

    #[test]
    fn an_error_of_any_length_is_cut() {
        let long = Layer(Box::leak("x".repeat(ERROR_CHARS * 2).into_boxed_str()), None);
        assert_eq!(full_text(&long).len(), ERROR_CHARS);
    }
}
