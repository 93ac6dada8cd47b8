//! Sizes as the appliance tells them: numbers of bytes, or texts such as `1.2T`, which say no more than they show.

use serde_json::Value;

use super::{Properties, text};

const UNITS: &str = "KMGTPE";
/// Digits of the largest number of 64 bits.
const LONGEST_WHOLE: usize = 20;
const LONGEST_FRACTION: usize = 15;

/// The size of that name, exact where the appliance has it so.
pub(super) fn of(told: &Properties, key: &str) -> Option<u64> {
    let exact = told.get(&format!("{key}_bytes"));
    exact.or_else(|| told.get(key)).and_then(bytes)
}

fn bytes(value: &Value) -> Option<u64> {
    parse(text::plain(value)?.trim())
}

fn parse(text: &str) -> Option<u64> {
    let text = text.strip_suffix('B').unwrap_or(text);
    let (number, unit) = match text.chars().last().and_then(|c| UNITS.find(c.to_ascii_uppercase())) {
        Some(power) => (text.get(..text.len() - 1)?, 1_u64 << (10 * (power + 1))),
        None => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole, LONGEST_WHOLE) || !digits(fraction, LONGEST_FRACTION) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(unit) * fraction.parse::<u128>().ok()? / scale;
    whole.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_of_bytes_is_preferred_to_a_rounded_text() {
        let told =
            Properties::from([("size".into(), json!("1.0G")), ("size_bytes".into(), json!("1073741825"))]);
        assert_eq!(of(&told, "size"), Some(1_073_741_825));
        let rounded = Properties::from([("size".into(), json!("1.5K")), ("free".into(), json!(512))]);
        assert_eq!((of(&rounded, "size"), of(&rounded, "free")), (Some(1536), Some(512)));
    }

    #[test]
    fn every_unit_is_read_and_what_is_none_is_not() {
        for (text, wanted) in
            [("10K", 10_240), ("465G", 465 << 30), ("1.2T", 1_319_413_953_331), ("0", 0), ("8KB", 8192)]
        {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for bad in ["", "-", "none", "1.2.3T", "T", "-1K", "1e9", "99999E", ".5K", "é", "1é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_refused(text in "\\PC{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_number_is_itself(number: u64) {
            prop_assert_eq!(parse(&number.to_string()), Some(number));
        }
    }
}
