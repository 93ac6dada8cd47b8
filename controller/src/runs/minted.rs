//! Volumes that runs have made: by the names that were minted for them, and by their ids. It tells what an array still holds
//! of a run from what somebody else made there.

use std::collections::HashMap;

use sanfleet_protocol::{ArrayId, RunId, VolumeId, v1::RunState};

use super::{
    any::AnyProcedure,
    engine::outputs,
    parts::{attached::Attached, made_volumes},
    progress::Progress,
};

/// What became of the run that made a volume, and so what may become of the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The run is not over, or stuck: it accounts for the volume.
    Open,
    /// The run was taken back: there should be no volume.
    TakenBack,
    /// The run has succeeded.
    Made,
    /// It had succeeded, and a later run deleted the volume.
    Deleted,
}

/// A name that was minted for one volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    pub run: RunId,
    pub array: ArrayId,
    pub fate: Fate,
}

#[derive(Debug, Clone, Default)]
pub struct MintedVolumes {
    by_name: HashMap<String, Minted>,
    by_id: HashMap<VolumeId, ArrayId>,
}

impl MintedVolumes {
    pub fn named(&self, name: &str) -> Option<&Minted> {
        self.by_name.get(name)
    }

    /// The array on which a run made the volume with this id.
    pub fn array_of(&self, id: &VolumeId) -> Option<&ArrayId> {
        self.by_id.get(id)
    }

    /// Takes in a run that has just begun or ended.
    pub fn learn(&mut self, progress: &Progress, procedure: &AnyProcedure) {
        let names = procedure.makes();
        self.by_id.extend(names.iter().zip(ids(progress)).map(|((array, _), id)| (id, (*array).clone())));
        let (run, fate) = (progress.run, fate(progress.state));
        for (array, name) in names {
            self.by_name.insert(name.to_owned(), Minted { run, array: array.clone(), fate });
        }
    }

    /// Nothing is left to be known of the volumes of this run.
    pub fn forget(&mut self, progress: &Progress, procedure: &AnyProcedure) {
        for (_, name) in procedure.makes() {
            if self.by_name.get(name).is_some_and(|minted| minted.run == progress.run) {
                self.by_name.remove(name);
            }
        }
        ids(progress).for_each(|id| drop(self.by_id.remove(&id)));
    }

    /// How many names and how many ids are known.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, usize) {
        (self.by_name.len(), self.by_id.len())
    }

    /// Notes that the volume of an attachment was deleted.
    pub fn deleted(&mut self, gone: &Attached) {
        let minted = self.by_name.get_mut(&gone.record.volume_name);
        if let Some(minted) = minted.filter(|minted| minted.array == gone.array) {
            minted.fate = Fate::Deleted;
        }
    }
}

/// Of the volumes that it has made so far.
fn ids(progress: &Progress) -> impl Iterator<Item = VolumeId> + use<> {
    made_volumes(&outputs(progress)).into_iter().map(|volume| volume.id)
}

fn fate(state: RunState) -> Fate {
    match state {
        RunState::Undone | RunState::Failed => Fate::TakenBack,
        RunState::Succeeded | RunState::Partial => Fate::Made,
        RunState::Running | RunState::Undoing | RunState::Stuck | RunState::Unspecified => Fate::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_that_is_over_stops_accounting_for_its_volume() {
        use RunState::{Failed, Partial, Running, Stuck, Succeeded, Undoing, Undone};
        assert!([Running, Undoing, Stuck].iter().all(|state| fate(*state) == Fate::Open));
        assert!([Failed, Undone].iter().all(|state| fate(*state) == Fate::TakenBack));
        assert!([Succeeded, Partial].iter().all(|state| fate(*state) == Fate::Made));
    }
}
