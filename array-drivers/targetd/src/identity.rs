//! What hosts see of a volume.
//!
//! targetd gives LIO the volume's uuid as its serial number. Of that the kernel makes an NAA id: `6`, LIO's company number `001405`, and the
//! first 25 hex digits that are found in the serial number, whatever is between them; zeros for those that are missing.

/// An NAA id is so many hex digits long.
const NAA_DIGITS: usize = 32;
const PREFIX: &str = "6001405";

/// The NAA id in hex.
pub(crate) fn vpd83(uuid: &str) -> String {
    let digits = uuid.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase());
    let digits = digits.chain(std::iter::repeat('0'));
    PREFIX.chars().chain(digits).take(NAA_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_kernel_was_seen_to_make_of_the_serial_number() {
        for (uuid, naa) in [
            ("3LZvmO-Lmtf-xhEu-f1ws-8s0z-zsbf-1vklTL", "60014053fef180bf1000000000000000"),
            ("65d2342d-333a-4e9f-9b36-db6457a4943d", "600140565d2342d333a4e9f9b36db645"),
            ("", "60014050000000000000000000000000"),
        ] {
            assert_eq!(vpd83(uuid), naa, "{uuid}");
        }
    }
}
