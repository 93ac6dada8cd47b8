//! Numbers as people read them: sizes in binary units, times of this place, lengths of time.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
pub use sanfleet_protocol::size::shown as size;

/// A length of time, as short as it can be said: `850 µs`, `12.3 ms`, `4.2 s`, `3 min 20 s`.
pub fn duration(length: Duration) -> String {
    let micros = length.as_micros();
    if micros < 1_000 {
        return format!("{micros} µs");
    }
    if micros < 999_950 {
        return format!("{} ms", tenths(length.as_secs_f64() * 1e3));
    }
    if micros < 59_950_000 {
        return format!("{} s", tenths(length.as_secs_f64()));
    }
    let secs = length.saturating_add(Duration::from_millis(500)).as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// [`duration`] of so many microseconds.
pub fn micros(micros: u64) -> String {
    duration(Duration::from_micros(micros))
}

/// A moment in this machine's time zone; "-" for one that is not known.
pub fn moment(unix_ms: i64) -> String {
    moment_in(unix_ms, &TimeZone::system())
}

fn moment_in(unix_ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(unix_ms) {
        Ok(at) if unix_ms != 0 => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        _ => "-".to_owned(),
    }
}

/// A moment that is given as RFC 3339 text, to the millisecond; as it stands when it is none.
pub fn moment_of_text(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// One decimal, unless it is a zero.
fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_in_binary_units() {
        let shown = [0, 1023, 1024, 1536, 10 << 20, 1 << 30, (1 << 40) - 1, u64::MAX].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 MiB", "1.0 GiB", "1.0 TiB", "16 EiB"]);
    }

    #[test]
    fn lengths_of_time_are_short() {
        let shown = [0, 850, 12_345, 999_960, 2_000_000, 59_960_000, 200_000_000, 7_260_000_000].map(micros);
        assert_eq!(shown, ["0 µs", "850 µs", "12.3 ms", "1 s", "2 s", "1 min", "3 min 20 s", "2 h 1 min"]);
    }

    #[test]
    fn a_moment_that_is_not_known_is_a_dash() {
        assert_eq!(moment_in(0, &TimeZone::UTC), "-");
        assert_eq!(moment_in(i64::MAX, &TimeZone::UTC), "-");
        assert_eq!(moment_in(1_700_000_000_123, &TimeZone::UTC), "2023-11-14 22:13:20");
        assert_eq!(moment_of_text("soon"), "soon");
    }

    proptest! {
        #[test]
        fn any_number_can_be_shown(bytes in any::<u64>(), ms in any::<i64>()) {
            prop_assert!(size(bytes).len() <= 8, "{}", size(bytes));
            prop_assert!(!micros(bytes).is_empty());
            prop_assert!(!moment_in(ms, &TimeZone::UTC).is_empty());
        }
    }
}
