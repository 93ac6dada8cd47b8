//! Which number a volume is seen under.
//!
//! Left to itself the daemon takes the first number under which this volume is not seen yet, whoever sees others under it, so that no
//! initiator could ever be shown a second volume.

use std::collections::BTreeSet;

use sanfleet_driver::{ErrorNumber, LsmError};

/// The daemon knows no higher one.
pub(super) const HIGHEST: u64 = 255;

/// The smallest number that is not in use.
pub(super) fn lowest_free(used: &BTreeSet<u64>) -> Result<u64, LsmError> {
    (0..=HIGHEST).find(|number| !used.contains(number)).ok_or_else(|| {
        LsmError::new(ErrorNumber::NotEnoughSpace, "every LUN number that targetd knows is in use there")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_number_that_is_free_is_taken_and_when_all_are_in_use_that_is_said() {
        assert_eq!(lowest_free(&BTreeSet::new()).unwrap(), 0);
        assert_eq!(lowest_free(&BTreeSet::from([0, 1, 3])).unwrap(), 2);
        assert_eq!(lowest_free(&(0..=254).collect()).unwrap(), 255);
        assert_eq!(lowest_free(&(0..=255).collect()).unwrap_err().number, ErrorNumber::NotEnoughSpace);
    }
}
