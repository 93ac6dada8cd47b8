//! Numbers for reports that rise over restarts, whatever the clock does.
//!
//! The file holds a number that none has reached yet: it is written once for many reports, and a crash loses none.

use std::{
    io,
    path::{Path, PathBuf},
};

use sanfleet_protocol::Generation;

use crate::file::{self, Access};

const FILE: &str = "generation";
/// How many reports one writing of the file is good for.
const RESERVE: u64 = 1_000;
/// A file with a number this high is damaged: the clock reaches it in the year 146,000,000.
const IMPLAUSIBLE: u64 = 1 << 62;

#[derive(Debug)]
pub struct Generations {
    file: PathBuf,
    next: u64,
    /// What the file promises: no generation given out so far is higher.
    promised: u64,
}

/// A number to be written before the generation it was given with is used.
#[derive(Debug)]
#[must_use]
pub struct Promise {
    file: PathBuf,
    number: u64,
}

impl Generations {
    /// Goes on above the remembered number, or at the time in milliseconds, whichever is higher.
    pub fn load(state_dir: &Path, unix_ms: i64) -> Self {
        let file = state_dir.join(FILE);
        let remembered = std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
            .filter(|number| *number < IMPLAUSIBLE);
        let next = remembered.map_or(1, |number| number + 1).max(u64::try_from(unix_ms).unwrap_or_default());
        Self { file, next, promised: 0 }
    }

    pub fn next(&mut self) -> (Generation, Option<Promise>) {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if number <= self.promised {
            return (Generation(number), None);
        }
        self.promised = number.saturating_add(RESERVE);
        (Generation(number), Some(Promise { file: self.file.clone(), number: self.promised }))
    }
}

impl Promise {
    /// Writes the file in one step: after a crash it has the old number or the new one.
    pub fn keep(&self) -> io::Result<()> {
        file::replace(&self.file, &format!("{}\n", self.number), Access::PUBLIC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn take(generations: &mut Generations) -> u64 {
        let (generation, promise) = generations.next();
        promise.into_iter().for_each(|promise| promise.keep().unwrap());
        generation.0
    }

    #[test]
    fn generations_begin_at_the_clock_and_rise() {
        let folder = tempfile::tempdir().unwrap();
        let mut generations = Generations::load(folder.path(), NOW);
        assert_eq!((take(&mut generations), take(&mut generations)), (1_800_000_000_000, 1_800_000_000_001));
    }

    #[test]
    fn a_generation_rises_over_a_restart_though_the_clock_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Generations::load(folder.path(), NOW);
        let highest = (0..2_500).map(|_| take(&mut first)).max().unwrap();
        let mut second = Generations::load(folder.path(), NOW - 86_400_000);
        assert!(take(&mut second) > highest);
    }

    #[test]
    fn the_file_is_written_once_for_many_reports() {
        let folder = tempfile::tempdir().unwrap();
        let mut generations = Generations::load(folder.path(), NOW);
        let written = (0..1_001).filter(|_| generations.next().1.is_some()).count();
        assert_eq!(written, 1);
        assert!(generations.next().1.is_some());
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        for damaged in ["", "x", "-1", "18446744073709551615", "99999999999999999999999"] {
            std::fs::write(folder.path().join(FILE), damaged).unwrap();
            assert_eq!(take(&mut Generations::load(folder.path(), NOW)), 1_800_000_000_000, "{damaged:?}");
        }
    }

    #[test]
    fn a_clock_before_1970_still_gives_a_generation() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(&mut Generations::load(folder.path(), -5)), 1);
    }

    #[test]
    fn a_state_directory_that_is_not_there_is_an_error_to_keep_and_not_to_count() {
        let mut generations = Generations::load(Path::new("/nowhere/at/all"), NOW);
        let (generation, promise) = generations.next();
        assert_eq!(generation.0, 1_800_000_000_000);
        assert!(promise.unwrap().keep().is_err());
    }
}
