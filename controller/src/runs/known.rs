//! All runs as their journals tell them, and what follows from them: what is attached, and who is at which place.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sanfleet_protocol::{
    ArrayId, AttachmentId, HostId, MountPoint, RunId, VolumeId,
    v1::{self, RunState, RunVerb, journal_record::Entry as Record, run_created},
};

use super::{
    any::{AnyProcedure, name_of, shapes_of},
    engine::outputs,
    journal::Entry,
    minted::MintedVolumes,
    parts::made_volumes,
    progress::Progress,
};

#[derive(Debug, Default)]
pub struct Known {
    all: BTreeMap<RunId, Progress>,
    /// Those that are not over.
    open: BTreeSet<RunId>,
    /// The parts of a run.
    parts: BTreeMap<RunId, BTreeSet<RunId>>,
    /// How many parts of a run are over.
    ended: BTreeMap<RunId, u64>,
    attached: BTreeMap<AttachmentId, v1::Attachment>,
    /// Those that a person has to look at.
    stuck: BTreeSet<RunId>,
    /// Shared with whoever looks at it: it may be large.
    minted: Arc<MintedVolumes>,
    /// Those that are known no more, but whose records may still be in the journal.
    to_remove: BTreeSet<RunId>,
    /// The newest record that was followed. What was put may be newer.
    followed: u64,
}

impl Known {
    /// Takes in a record that was followed; true when it was news.
    pub fn learn(&mut self, entry: &Entry) -> bool {
        self.followed = self.followed.max(entry.sequence);
        let next = match self.all.get(&entry.run) {
            Some(known) if known.last_sequence >= entry.sequence => return false,
            Some(known) => {
                let mut next = known.clone();
                next.apply(entry.sequence, &entry.record);
                Some(next)
            }
            // Our own words: it was forgotten when they were written.
            None if is_forgetting(&entry.record) => return false,
            None => Progress::begin(entry.run, entry.sequence, &entry.record, shapes_of),
        };
        match next {
            Some(next) => self.put(next),
            None => {
                tracing::error!(run = %entry.run, "journal does not begin with the run's creation");
                false
            }
        }
    }

    /// Takes in how far a run has come, unless more is known of it; true when it was news.
    pub fn put(&mut self, progress: Progress) -> bool {
        let run = progress.run;
        if self.all.get(&run).is_some_and(|known| known.last_sequence >= progress.last_sequence) {
            return false;
        }
        if progress.forgotten {
            self.forget(run);
            return true;
        }
        if progress.is_finished() {
            self.open.remove(&run);
        } else {
            self.open.insert(run);
        }
        if let Some(whole) = progress.whole {
            self.parts.entry(whole).or_default().insert(run);
            if progress.is_finished() {
                *self.ended.entry(whole).or_default() += 1;
            }
        }
        match progress.state == RunState::Stuck {
            true => self.stuck.insert(run),
            false => self.stuck.remove(&run),
        };
        let before = self.all.get(&run);
        let was_open = before.is_some_and(|known| !known.is_finished());
        // Once: what another run has taken away since must not come back with a later record of this one.
        let had_succeeded = before.is_some_and(|known| known.state == RunState::Succeeded);
        if (progress.is_finished() || !was_open) && !had_succeeded {
            self.settle(&progress);
        }
        self.all.insert(run, progress);
        true
    }

    fn forget(&mut self, run: RunId) {
        self.to_remove.insert(run);
        self.parts.remove(&run);
        self.ended.remove(&run);
        let Some(known) = self.all.remove(&run) else { return };
        if let Some(siblings) = known.whole.and_then(|whole| self.parts.get_mut(&whole)) {
            siblings.remove(&run);
        }
        if let Ok(procedure) = AnyProcedure::try_from(known.procedure.as_ref()) {
            Arc::make_mut(&mut self.minted).forget(&known, &procedure);
        }
    }

    /// Those that are forgotten, and whose records may still be in the journal.
    pub fn to_remove(&self) -> Vec<RunId> {
        self.to_remove.iter().copied().collect()
    }

    pub fn removed(&mut self, run: RunId) {
        self.to_remove.remove(&run);
    }

    /// What a run that has just begun or ended makes; and of one that succeeded, what it leaves attached or has taken away.
    fn settle(&mut self, progress: &Progress) {
        let Ok(procedure) = AnyProcedure::try_from(progress.procedure.as_ref()) else { return };
        if !procedure.makes().is_empty() {
            Arc::make_mut(&mut self.minted).learn(progress, &procedure);
        }
        if progress.state != RunState::Succeeded {
            return;
        }
        if let AnyProcedure::BackupDetach(detach) = &procedure {
            let minted = Arc::make_mut(&mut self.minted);
            detach.all().for_each(|gone| minted.deleted(gone));
        }
        for gone in procedure.removes().into_iter().filter_map(|gone| gone.id.parse().ok()) {
            self.attached.remove(&gone);
        }
        self.attached.extend(attachments(&procedure, progress));
    }

    /// Up to this record of the stream everything is known.
    pub fn followed(&self) -> u64 {
        self.followed
    }

    pub fn get(&self, run: RunId) -> Option<&Progress> {
        self.all.get(&run)
    }

    /// The newest first.
    pub fn all(&self) -> impl Iterator<Item = &Progress> {
        self.all.values().rev()
    }

    pub fn open(&self) -> impl Iterator<Item = &Progress> {
        self.open.iter().filter_map(|run| self.all.get(run))
    }

    pub fn stuck(&self) -> impl Iterator<Item = &Progress> {
        self.stuck.iter().filter_map(|run| self.all.get(run))
    }

    pub fn minted(&self) -> Arc<MintedVolumes> {
        Arc::clone(&self.minted)
    }

    /// The unfinished run, if any, that does just this.
    pub fn doing(&self, procedure: &run_created::Procedure) -> Option<RunId> {
        self.open().find(|run| *run.procedure == *procedure).map(|run| run.run)
    }

    pub fn parts(&self, whole: RunId) -> impl Iterator<Item = &Progress> {
        self.parts.get(&whole).into_iter().flatten().filter_map(|run| self.all.get(run))
    }

    /// Counts up with every part that comes to an end, those too that come to one again.
    pub fn ended_parts(&self, whole: RunId) -> u64 {
        self.ended.get(&whole).copied().unwrap_or_default()
    }

    /// Those whose id begins or ends with this text.
    pub fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Progress> {
        self.all.values().filter(move |progress| {
            let id = progress.run.to_string();
            !text.is_empty() && (id.starts_with(text) || id.ends_with(text))
        })
    }

    /// What is attached now: made by a run that succeeded and not taken down by another.
    pub fn attachments(&self) -> impl Iterator<Item = &v1::Attachment> {
        self.attached.values()
    }

    /// The unfinished run, if any, that is about to use or free this place.
    pub fn busy_with(&self, host: &HostId, mount_point: &MountPoint) -> Option<RunId> {
        let uses = |progress: &&Progress| {
            let places =
                AnyProcedure::try_from(progress.procedure.as_ref()).map(|procedure| procedure.places());
            places.is_ok_and(|places| {
                places.iter().any(|place| place.host == *host && place.mount_point == *mount_point)
            })
        };
        self.open().find(uses).map(|progress| progress.run)
    }

    /// Who uses which place, in words: attachments, and runs that are not over.
    pub fn occupied(&self) -> BTreeMap<(HostId, MountPoint), String> {
        let attachments = self.attachments().filter_map(|one| {
            let place = (one.host.parse().ok()?, one.mount_point.parse().ok()?);
            Some((place, format!("attachment {}", one.id)))
        });
        let runs = self.open().filter_map(|progress| {
            let procedure = AnyProcedure::try_from(progress.procedure.as_ref()).ok()?;
            Some((procedure.places(), format!("run {}", progress.run)))
        });
        let runs = runs.flat_map(|(places, by)| {
            places.into_iter().map(move |place| ((place.host, place.mount_point), by.clone()))
        });
        attachments.chain(runs).collect()
    }

    /// Who uses this volume: attachments, and runs that are not over or stuck, each in words.
    pub fn using(&self, volume: &VolumeId, except: Option<RunId>) -> Vec<String> {
        let attached = self.attachments().filter(|one| one.volume_id.parse().as_ref() == Ok(volume));
        let attached =
            attached.map(|one| format!("attachment {} at {}:{}", one.id, one.host, one.mount_point));
        let runs = self.waiting().filter(|run| Some(run.run) != except && is_about(run, volume));
        let runs = runs.map(|run| format!("run {} ({})", run.run, name_of(&run.procedure)));
        attached.chain(runs).collect()
    }

    /// Runs that still have something to do, or that somebody has to look at.
    fn waiting(&self) -> impl Iterator<Item = &Progress> {
        self.open().chain(self.stuck())
    }

    /// What needs this array still: runs that are not over or stuck, and attachments, each in words.
    pub fn needing(&self, array: &ArrayId) -> Vec<String> {
        let on_it = |run: &&Progress| arrays_of(run).contains(array);
        let runs = self.waiting().filter(on_it).map(|run| format!("run {}", run.run));
        let attachments = self.attachments().filter(|one| one.array == array.as_str());
        let attachments =
            attachments.map(|one| format!("attachment {} at {}:{}", one.id, one.host, one.mount_point));
        runs.chain(attachments).collect()
    }
}

fn is_forgetting(record: &v1::JournalRecord) -> bool {
    matches!(&record.entry, Some(Record::Controlled(asked)) if asked.verb() == RunVerb::Forget)
}

/// The arrays that a run works on.
pub fn arrays_of(progress: &Progress) -> Vec<ArrayId> {
    AnyProcedure::try_from(progress.procedure.as_ref())
        .map(|procedure| procedure.arrays())
        .unwrap_or_default()
}

/// Whether a run works with this volume, found or made by itself.
fn is_about(progress: &Progress, volume: &VolumeId) -> bool {
    let Ok(procedure) = AnyProcedure::try_from(progress.procedure.as_ref()) else { return false };
    procedure.volumes().contains(volume)
        || made_volumes(&outputs(progress)).iter().any(|made| made.id == *volume)
}

/// What a run that has succeeded left attached.
pub fn attachments(procedure: &AnyProcedure, progress: &Progress) -> Vec<(AttachmentId, v1::Attachment)> {
    if progress.state != RunState::Succeeded {
        return Vec::new();
    }
    let numbered = (0..).zip(procedure.attaches(&outputs(progress)));
    let named = numbered.map(|(place, attachment)| {
        let id = AttachmentId::new(progress.run, place);
        let procedure = match attachment.procedure.is_empty() {
            true => name_of(&progress.procedure).to_owned(),
            false => attachment.procedure.clone(),
        };
        let since_unix_ms = progress.last_at_unix_ms;
        (id, v1::Attachment { id: id.to_string(), since_unix_ms, procedure, ..attachment })
    });
    named.collect()
}
