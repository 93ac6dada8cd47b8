//! Whether one machine has a host's name, or two: a copy of a machine that was copied with its agent reports, and is commanded, as the
//! same host.
//!
//! Each start of a kernel has an id that never comes again. One that comes after another has come in between is of a machine that went on
//! all the while.

/// How long two are believed to be there after both were heard; longer than an agent goes without a full report, in milliseconds.
const REMEMBERED_MS: i64 = 15 * 60 * 1_000;

/// What is remembered of a host's starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Starts {
    now: String,
    before: String,
    twins_at_unix_ms: Option<i64>,
}

impl Starts {
    /// Takes in the start that a report is of.
    pub fn saw(&mut self, start: &str, now_unix_ms: i64) {
        if self.twins_at_unix_ms.is_some_and(|at| now_unix_ms.saturating_sub(at) > REMEMBERED_MS) {
            self.twins_at_unix_ms = None;
        }
        // A kernel that tells none tells nothing here.
        if start.is_empty() || start == self.now {
            return;
        }
        if start == self.before {
            self.twins_at_unix_ms = Some(now_unix_ms);
        }
        self.before = std::mem::replace(&mut self.now, start.to_owned());
    }

    /// Whether it has started since, or a second machine has its name, and nobody can say yet which: each that is there is to be asked.
    pub fn is_another_than(&self, before: &Self) -> bool {
        !before.now.is_empty() && before.now != self.now && self.twins().is_none()
    }

    /// The two starts of which reports come by turns.
    pub fn twins(&self) -> Option<[&str; 2]> {
        self.twins_at_unix_ms.map(|_| [self.before.as_str(), self.now.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(starts: &[&str]) -> Starts {
        let mut all = Starts::default();
        for (at, start) in starts.iter().enumerate() {
            all.saw(start, i64::try_from(at).unwrap());
        }
        all
    }

    #[test]
    fn a_machine_that_starts_again_is_one_however_often() {
        assert_eq!(after(&["a", "a", "b", "b", "c"]).twins(), None);
        assert_eq!(after(&["", "a", "", "a", ""]).twins(), None);
    }

    #[test]
    fn a_start_that_comes_again_after_another_is_of_a_second_machine() {
        assert_eq!(after(&["a", "b", "a"]).twins(), Some(["b", "a"]));
        assert_eq!(after(&["a", "b", "b", "a", "b"]).twins(), Some(["a", "b"]));
    }

    #[test]
    fn a_start_that_was_not_seen_before_is_asked_about_and_a_known_pair_is_not() {
        let [none, first, second, pair] = [&[][..], &["a"], &["a", "b"], &["a", "b", "a"]].map(after);
        assert!(second.is_another_than(&first));
        assert!(!first.is_another_than(&none), "the first start of all");
        assert!(!first.is_another_than(&first));
        assert!(!pair.is_another_than(&second), "there are two, and that is known");
    }

    #[test]
    fn two_are_one_again_when_only_one_was_heard_for_long_enough() {
        let mut starts = after(&["a", "b", "a"]);
        starts.saw("a", REMEMBERED_MS);
        assert!(starts.twins().is_some());
        starts.saw("a", REMEMBERED_MS + 3);
        assert_eq!(starts.twins(), None);
    }
}
