//! Sizes as people write them: a number, perhaps with a fraction, and a unit in either case.
//!
//! `K` and `KiB` are 2^10 bytes, `KB` is 10^3, and so up to `E`; without a unit, or with `B`, it is bytes. These are the units of
//! libStorageMgmt's `lsmcli`, so that one size means the same wherever it is typed.

/// Bytes of a unit, in capitals.
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

/// Why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    #[error("not a size; it looks like 100GiB, 1.5T or 1000")]
    NotASize,
    #[error("the size is 16 EiB or more")]
    TooLarge,
}

/// Bytes of `1.5GiB`, `2 k` or `1000`; part of a byte is dropped.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start_matches([' ', '\t']).to_ascii_uppercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError::NotASize)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(SizeError::NotASize);
    }
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
    whole
        .and_then(|whole| whole.checked_mul(*factor))
        .and_then(|bytes| bytes.checked_add(part_of(*factor, fraction)))
        .ok_or(SizeError::TooLarge)
}

/// A size in binary units with three digits or so: `512 B`, `1.5 GiB`.
pub fn shown(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        // From here on it would be printed as 1024 of the smaller unit.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// As many bytes of `factor` as these digits after the point say, without the rounding of a floating number.
fn part_of(factor: u64, fraction: &str) -> u64 {
    // What comes after 18 digits is less than two bytes of the largest unit.
    let digits = fraction.bytes().take(18).map(|digit| u128::from(digit - b'0'));
    let (number, scale) = digits.fold((0, 1), |(number, scale), digit| (number * 10 + digit, scale * 10));
    u64::try_from(number * u128::from(factor) / scale).unwrap_or(factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit_in_either_case() {
        for (text, bytes) in [
            ("0", 0),
            ("0.0K", 0),
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
            ("15.999999999999999999999999EiB", u64::MAX - 1),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "-1", "K", "1.2.3K", ".", ".K", "1 X", "1KBs", " 1K", "1K ", "1e3", "1.-5K", "99X"] {
            assert_eq!(parse(text), Err(SizeError::NotASize), "{text:?}");
        }
    }

    #[test]
    fn a_size_that_does_not_fit_64_bits_is_refused_as_too_large() {
        for text in ["16EiB", "18446744073709551616", "99999999999999999999", "18.5EB"] {
            assert_eq!(parse(text), Err(SizeError::TooLarge), "{text:?}");
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
            prop_assert_eq!(parse(&format!("{number}{unit}")), Ok(number * factor));
            prop_assert_eq!(parse(&format!("{number}.0 {}", unit.to_lowercase())), Ok(number * factor));
        }
    }
}
