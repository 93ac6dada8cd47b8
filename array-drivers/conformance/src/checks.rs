//! All checks, by what they are about, in the order in which they run.

mod access_group;
mod cache;
mod capability;
mod concurrency;
mod disk;
mod enable;
mod export;
mod extension;
mod file_system;
mod idempotence;
mod job;
mod limits;
mod listing;
mod many;
mod mask;
mod range;
mod replicate;
mod resize;
mod restart;
mod session;
mod snapshot;
mod volume;
mod wire;

use crate::check::Check;

/// Every check there is.
pub fn all() -> impl Iterator<Item = &'static Check> {
    let groups = [
        session::CHECKS,
        wire::CHECKS,
        listing::CHECKS,
        capability::CHECKS,
        volume::CHECKS,
        enable::CHECKS,
        resize::CHECKS,
        replicate::CHECKS,
        range::CHECKS,
        access_group::CHECKS,
        mask::CHECKS,
        disk::CHECKS,
        cache::CHECKS,
        file_system::CHECKS,
        snapshot::CHECKS,
        export::CHECKS,
        job::CHECKS,
        extension::CHECKS,
        idempotence::CHECKS,
        limits::CHECKS,
        concurrency::CHECKS,
        restart::CHECKS,
        many::CHECKS,
    ];
    groups.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_checks_of_a_group_have_one_name() {
        let names: Vec<(&str, &str)> = all().map(|check| (check.group, check.name)).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
