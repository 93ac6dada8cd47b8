//! Sizes as people write and read them.

/// Bytes of a unit as it may be typed, in capitals; `KIB` and `K` are 2^10, `KB` is 10^3.
const UNITS: [(&str, u64); 20] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KIB", 1 << 10),
    ("M", 1 << 20),
    ("MIB", 1 << 20),
    ("G", 1 << 30),
    ("GIB", 1 << 30),
    ("T", 1 << 40),
    ("TIB", 1 << 40),
    ("P", 1 << 50),
    ("PIB", 1 << 50),
    ("E", 1 << 60),
    ("EIB", 1 << 60),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("EB", 1_000_000_000_000_000_000),
];

const HUMAN: [(&str, f64); 6] = [
    ("EiB", 1_152_921_504_606_846_976.0),
    ("PiB", 1_125_899_906_842_624.0),
    ("TiB", 1_099_511_627_776.0),
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("KiB", 1_024.0),
];

/// Bytes of `1.5GiB`, `2 k` or `1000`; none for what is no size, is nothing, or does not fit 64 bits.
pub fn parse(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start_matches([' ', '\t']).to_ascii_uppercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let bytes = match number.split_once('.') {
        None => number.parse::<u64>().ok()?.checked_mul(*factor)?,
        Some((whole, fraction)) => fractional(whole, fraction, *factor)?,
    };
    (bytes > 0).then_some(bytes)
}

/// `whole.fraction` times `factor`, rounded down, without the rounding of a floating number.
fn fractional(whole: &str, fraction: &str, factor: u64) -> Option<u64> {
    // What comes after 18 digits is less than a byte of the largest unit.
    let kept = fraction.get(..fraction.len().min(18)).unwrap_or_default();
    let all_digits = fraction.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && kept.is_empty() || !all_digits {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let digits = if kept.is_empty() { 0 } else { kept.parse::<u128>().ok()? };
    let scale = 10u128.pow(u32::try_from(kept.len()).ok()?);
    let part = u64::try_from(digits * u128::from(factor) / scale).ok()?;
    whole.checked_mul(factor)?.checked_add(part)
}

/// With two digits after the point, in the largest binary unit of which there is one at least.
#[allow(clippy::cast_precision_loss, reason = "two digits after the point are shown")]
pub fn human(bytes: i128) -> String {
    let bytes = bytes as f64;
    match HUMAN.iter().find(|(_, factor)| bytes >= *factor) {
        Some((unit, factor)) => format!("{:.2} {unit}", bytes / factor),
        None => format!("{bytes:.2} B"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit_in_either_case() {
        for (text, bytes) in [
            ("1000", 1000),
            ("1B", 1),
            ("2k", 2048),
            ("2K", 2048),
            ("2KiB", 2048),
            ("2kib", 2048),
            ("2KB", 2000),
            ("1.5GiB", 3 << 29),
            ("1.9KiB", 1945),
            ("1 \tMiB", 1 << 20),
            (".5K", 512),
            ("5.K", 5120),
            ("3TB", 3_000_000_000_000),
            ("1PiB", 1 << 50),
            ("15EiB", 15 << 60),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_or_too_large_a_one_is_refused() {
        for text in [
            "",
            "0",
            "-1",
            "K",
            "1.2.3K",
            ".",
            ".K",
            "1 X",
            "1KBs",
            "16EiB",
            "99999999999999999999",
            " 1K",
            "1K ",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_it_fills() {
        for (bytes, text) in [
            (0, "0.00 B"),
            (1023, "1023.00 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (200 << 20, "200.00 MiB"),
            (2 << 30, "2.00 GiB"),
            (1 << 40, "1.00 TiB"),
            (1 << 50, "1.00 PiB"),
            (3 << 60, "3.00 EiB"),
            (-1, "-1.00 B"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_refused(text in "[0-9. kKmMiIbBx]{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn whole_numbers_of_every_unit_are_exact(number in 1u64..8, at in 0usize..20) {
            let (unit, factor) = UNITS[at];
            prop_assert_eq!(parse(&format!("{number}{unit}")), Some(number * factor));
            prop_assert_eq!(parse(&format!("{number}.0 {}", unit.to_lowercase())), Some(number * factor));
        }
    }
}
