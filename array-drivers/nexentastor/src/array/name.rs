//! Names that may be given to things: what ZFS takes in every release, and no path is made of.

use sanfleet_driver::ErrorNumber;

use super::{Answer, refused};

/// Of the 255 that ZFS has for a whole path.
const LONGEST: usize = 127;

pub(super) fn check(name: &str) -> Answer<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ':');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > LONGEST || !name.chars().all(legal) {
        let message = "a name is of 1 to 127 letters, digits and _ . - :, and begins with a letter or digit";
        return refused(ErrorNumber::InvalidArgument, message);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_path_or_an_option_is_no_name() {
        for bad in ["", "-r", "..", "a/b", "a@b", "a b", "a\nb", "größe", "%41", &"x".repeat(128)] {
            assert_eq!(check(bad).unwrap_err().number, ErrorNumber::InvalidArgument, "{bad:?}");
        }
        assert_eq!(check("db1_data-2.copy:1"), Ok(()));
    }
}
