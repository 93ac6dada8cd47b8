//! Which runs are old enough to be forgotten, and how: a record in the run's own journal says so, fenced as every other, and then
//! the journal is removed. Whoever follows the journals forgets with that record.
//!
//! It refuses whatever something rests on: runs that are not over or stuck, an attachment that stands, a volume that its array
//! still lists. What took an attachment down is forgotten only after what had made it: read alone, the journal of that one would
//! say that it is still there.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use sanfleet_protocol::{
    ArrayId, AttachmentId, RunId,
    v1::{self, RunState, RunVerb},
};

use super::{AnyProcedure, JournalError, Runs, known::Known, progress::Progress};
use crate::{
    catalog::{ArrayRecord, Catalog},
    failpoint::hold_at,
};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(10);
/// Runs that are chosen together, so that nothing waits long behind it.
const AT_ONCE: usize = 200;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many that are over, the newest, however old they are; parts of others are not counted,
    pub newest: usize,
    /// and all that are over for less than this.
    pub at_least: Duration,
}

/// The names of the volumes that each array lists. None for one that was not listed yet.
pub type Listed<'a> = BTreeMap<&'a ArrayId, Option<HashSet<&'a str>>>;

pub fn listed(catalog: &Catalog) -> Listed<'_> {
    catalog.arrays().map(|array| (&array.name, names(array))).collect()
}

fn names(array: &ArrayRecord) -> Option<HashSet<&str>> {
    let state = array.state.as_ref()?;
    Some(state.volumes.values().map(|volume| volume.name.as_str()).collect())
}

/// The runs to forget now, in the order in which that is to be done: the oldest first, and a run before its parts, so that nobody can
/// have it try again what is not known any more. Parts that were left over when somebody was killed in between go by themselves.
pub fn forgettable(known: &Known, keep: Keep, listed: &Listed<'_>, now_unix_ms: i64) -> Vec<RunId> {
    let attached: BTreeSet<RunId> = known.attachments().filter_map(made_by).collect();
    let before = now_unix_ms.saturating_sub(i64::try_from(keep.at_least.as_millis()).unwrap_or(i64::MAX));
    let is_whole = |run: &Progress| run.whole.is_none_or(|whole| known.get(whole).is_none());
    let over: Vec<&Progress> = known.all().filter(|run| is_whole(run) && run.is_finished()).collect();
    let mut chosen = Vec::new();
    let mut gone = BTreeSet::new();
    for whole in over.iter().skip(keep.newest).rev() {
        let family: Vec<&Progress> = [*whole].into_iter().chain(known.parts(whole.run)).collect();
        let is_free = |run: &&Progress| {
            let Ok(procedure) = AnyProcedure::try_from(run.procedure.as_ref()) else { return false };
            let is_gone = |made_by: RunId| known.get(made_by).is_none() || gone.contains(&made_by);
            is_old(run, before)
                && !attached.contains(&run.run)
                && !procedure.makes().iter().any(|(array, name)| is_listed(listed, array, name))
                && procedure.removes().into_iter().filter_map(made_by).all(is_gone)
        };
        if family.iter().all(is_free) {
            gone.extend(family.iter().map(|run| run.run));
            chosen.extend(family.iter().map(|run| run.run));
        }
        if chosen.len() >= AT_ONCE {
            break;
        }
    }
    chosen
}

fn is_old(run: &Progress, before_unix_ms: i64) -> bool {
    run.is_finished() && run.state != RunState::Stuck && run.last_at_unix_ms < before_unix_ms
}

/// Whether a volume is on its array, as far as anybody knows.
fn is_listed(listed: &Listed<'_>, array: &ArrayId, name: &str) -> bool {
    match listed.get(array) {
        Some(Some(names)) => names.contains(name),
        Some(None) => true,
        // The array was taken out of the fleet.
        None => false,
    }
}

fn made_by(attachment: &v1::Attachment) -> Option<RunId> {
    Some(attachment.id.parse::<AttachmentId>().ok()?.run())
}

impl Runs {
    /// Forgets what is old, again and again.
    pub async fn forget_the_old(self, keep: Keep) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if let Err(error) = self.forget_all(keep).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "old runs are not forgotten yet");
            }
        }
    }

    async fn forget_all(&self, keep: Keep) -> Result<(), JournalError> {
        while self.forget_some(keep).await? >= AT_ONCE {}
        Ok(())
    }

    /// In their order, and no further than the first that could not be removed. Says how many.
    async fn forget_some(&self, keep: Keep) -> Result<usize, JournalError> {
        // Somebody was killed between the two halves.
        self.remove_forgotten().await?;
        let old = {
            let catalog = self.0.world.catalog.read();
            forgettable(&self.0.known(), keep, &listed(&catalog), (self.0.world.clock)())
        };
        for run in old.iter().copied() {
            if let Err(error) = self.control(run, RunVerb::Forget, "").await {
                // Another controller was quicker, or somebody has asked for it again.
                tracing::debug!(%run, %error, "not forgotten");
                return Ok(0);
            }
            hold_at("controller.run.forgotten");
            self.remove_forgotten().await?;
        }
        Ok(old.len())
    }

    async fn remove_forgotten(&self) -> Result<(), JournalError> {
        let forgotten = self.0.known().to_remove();
        for run in forgotten {
            self.0.journal.remove(run).await?;
            self.0.known_mut().removed(run);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::v1::journal_record::Entry as Record;

    use super::*;
    use crate::runs::{journal::Entry, recorded};

    const ALL: Keep = Keep { newest: 0, at_least: Duration::ZERO };
    const LATER: i64 = i64::MAX;

    fn read<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Known {
        let mut known = Known::default();
        entries.into_iter().for_each(|entry| {
            known.learn(entry);
        });
        known
    }

    fn attached(known: &Known) -> Vec<&str> {
        known.attachments().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn wherever_forgetting_stops_the_rest_of_the_journals_says_that_the_same_is_attached() {
        let entries = recorded::newest();
        let known = read(&entries);
        let chosen = forgettable(&known, ALL, &Listed::new(), LATER);
        assert_eq!(
            (chosen.len(), attached(&known).len()),
            (3, 3),
            "an attach, its detach, and what was undone"
        );
        for count in 0..=chosen.len() {
            let (gone, _) = chosen.split_at(count);
            let rest = read(entries.iter().filter(|entry| !gone.contains(&entry.run)));
            assert_eq!(attached(&rest), attached(&known), "after {count} of {}", chosen.len());
        }
    }

    #[test]
    fn the_newest_and_the_young_stay_and_parts_go_with_their_whole() {
        let known = read(&recorded::newest());
        let wholes = known.all().filter(|run| run.whole.is_none()).count();
        let chosen = |keep, now| forgettable(&known, keep, &Listed::new(), now);
        assert_eq!(chosen(Keep { newest: wholes, ..ALL }, LATER), []);
        let latest = known.all().map(|run| run.last_at_unix_ms).max().unwrap();
        assert_eq!(chosen(Keep { at_least: Duration::from_secs(3600), ..ALL }, latest - 3_000_000), []);
        let all: BTreeSet<RunId> = chosen(ALL, LATER).into_iter().collect();
        for run in known.all().filter(|run| run.whole.is_some()) {
            assert_eq!(all.contains(&run.run), all.contains(&run.whole.unwrap()), "{}", run.run);
        }
    }

    #[test]
    fn a_part_whose_whole_is_gone_is_forgotten_by_itself() {
        let mut entries = recorded::newest();
        let run = *forgettable(&read(&entries), ALL, &Listed::new(), LATER).last().unwrap();
        for entry in entries.iter_mut().filter(|entry| entry.run == run) {
            if let Some(Record::Created(created)) = &mut entry.record.entry {
                created.parent = RunId::new(uuid::Uuid::nil()).to_string();
            }
        }
        let known = read(&entries);
        assert!(known.get(run).unwrap().whole.is_some());
        assert!(forgettable(&known, ALL, &Listed::new(), LATER).contains(&run));
    }

    #[test]
    fn a_run_stays_while_its_array_lists_the_volume_that_it_made_or_was_not_listed_yet() {
        let known = read(&recorded::newest());
        let chosen = forgettable(&known, ALL, &Listed::new(), LATER);
        let procedure =
            |run: RunId| AnyProcedure::try_from(known.get(run).unwrap().procedure.as_ref()).unwrap();
        let run = *chosen.iter().find(|run| !procedure(**run).makes().is_empty()).unwrap();
        let made = procedure(run);
        let (array, name) = made.makes()[0];
        for names in [None, Some(HashSet::from([name]))] {
            let listed = Listed::from([(array, names)]);
            assert!(!forgettable(&known, ALL, &listed, LATER).contains(&run));
        }
        let listed = Listed::from([(array, Some(HashSet::new()))]);
        assert!(forgettable(&known, ALL, &listed, LATER).contains(&run));
    }

    #[test]
    fn of_what_is_forgotten_no_name_and_no_id_of_a_volume_is_kept() {
        let entries = recorded::newest();
        let mut known = read(&entries);
        let chosen = forgettable(&known, ALL, &Listed::new(), LATER);
        for run in &chosen {
            let mut progress = known.get(*run).unwrap().clone();
            (progress.forgotten, progress.last_sequence) = (true, u64::MAX);
            assert!(known.put(progress));
        }
        let rest = read(entries.iter().filter(|entry| !chosen.contains(&entry.run)));
        assert!(known.all().any(|run| run.state == RunState::Succeeded), "not all of them were chosen");
        assert_eq!(known.minted().counts(), rest.minted().counts());
    }
}
