//! Sizes as people read them.

const HUMAN: [(&str, f64); 6] = [
    ("EiB", 1_152_921_504_606_846_976.0),
    ("PiB", 1_125_899_906_842_624.0),
    ("TiB", 1_099_511_627_776.0),
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("KiB", 1_024.0),
];

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
    use super::*;

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
}
