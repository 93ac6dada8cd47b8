//! The largest things that cross a boundary. Each bound is far above what a real fleet needs and far below what hurts.

/// Largest report in bytes: under the bus's own 1 MiB, with room for headers.
/// A device with its ids and mounts takes about 200 bytes, so this is some 4,000 devices a host.
pub const REPORT_BYTES: usize = 1_000_000;

/// Largest signed command in bytes.
pub const COMMAND_BYTES: usize = 64 * 1024;

/// Most devices taken from one report.
pub const DEVICES: usize = 20_000;

/// Longest text that a message of an error keeps, in characters.
pub const ERROR_CHARS: usize = 2_000;

/// Cuts a text that goes into a message to [`ERROR_CHARS`], and replaces control characters, which could drive a terminal.
pub fn legible(text: &str) -> String {
    text.chars().take(ERROR_CHARS).map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
