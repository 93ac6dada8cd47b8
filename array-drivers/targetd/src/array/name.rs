//! Names that may be given to things. The daemon hands them to LVM, ZFS and btrfs, where some would mean something else.

use sanfleet_driver::{ErrorNumber, LsmError};

/// LVM's limit is the lowest.
const LONGEST: usize = 127;

/// Of a volume, a file system or a snapshot.
pub(super) fn check(name: &str) -> Result<(), LsmError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
    if name.is_empty() || name.len() > LONGEST || name.starts_with(['-', '.']) || !name.chars().all(legal) {
        return Err(refuse(
            "a name is of 1 to 127 letters, digits and _ . + -, and begins with neither - nor .",
        ));
    }
    Ok(())
}

/// Of an access group.
pub(super) fn check_group(name: &str) -> Result<(), LsmError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(legal) {
        return Err(refuse("the name of an access group is of 1 to 127 letters, digits, _ and -"));
    }
    Ok(())
}

fn refuse(message: &str) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_would_read_otherwise_is_no_name() {
        for bad in ["", "-n", "..", ".hidden", "vg/lv", "a b", "a\nb", "a\0b", "größe", &"x".repeat(128)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a.b", "a b", &"x".repeat(128)] {
            assert!(check_group(bad).is_err(), "{bad:?}");
        }
        assert_eq!((check("db1_data-2.copy+1"), check_group("db1_data-2")), (Ok(()), Ok(())));
    }
}
