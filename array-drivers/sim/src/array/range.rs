//! Copying pieces of one volume to places in another, or elsewhere in itself.
//!
//! The pieces are checked all together before the first byte goes over, and go over under the write lock. They are not one change: a
//! process that dies in the middle has copied some of them and answered nothing.

use sanfleet_driver::{BlockRange, ErrorNumber, JobId, ReplicateType, System, VolumeKey};
use sanfleet_failpoint::reach;

use super::{
    Array, BLOCK, job, listing, replica,
    volume::{self, VolumeRow},
};
use crate::{
    error::{Result, SimError},
    files::Piece,
};

impl Array {
    pub fn volume_replicate_range_block_size(&self, system: &System) -> Result<u64> {
        listing::check_system(system).map(|()| BLOCK)
    }

    /// CLONE and COPY do the same to the contents; a clone of another volume's pieces ties the two.
    pub fn volume_replicate_range(
        &self,
        kind: ReplicateType,
        source: &VolumeKey,
        target: &VolumeKey,
        ranges: &[BlockRange],
    ) -> Result<Option<JobId>> {
        if !matches!(kind, ReplicateType::CLONE | ReplicateType::COPY) {
            return Err(invalid(format!("no replication type {} of pieces", kind.0)));
        }
        self.refresh_before_reading(source)?;
        reach("sim.volume_replicate_range.before");
        let change = self.begin()?;
        let (source, target) = (volume::find(&change, source)?, volume::find(&change, target)?);
        if replica::is_mirror(&change, target.id)? {
            return Err(invalid("the target is a mirror, which has the contents of its source".into()));
        }
        let pieces = checked(&source, &target, ranges)?;
        self.copy_pieces(&source, &target, &pieces)?;
        if kind == ReplicateType::CLONE && source.id != target.id {
            replica::tie_ranges(&change, target.id, source.id)?;
        }
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        reach("sim.volume_replicate_range.after_commit");
        Ok(job.map(|job| job.id))
    }

    fn copy_pieces(&self, source: &VolumeRow, target: &VolumeRow, pieces: &[Piece]) -> Result<()> {
        let (from, to) = (self.files.read(source.id)?, self.files.write(target.id)?);
        for piece in pieces {
            self.files.copy_piece(target.id, &from, &to, piece)?;
            reach("sim.volume_replicate_range.after_piece");
        }
        Ok(())
    }
}

/// The ranges in bytes: each of some length, inside both volumes, and none where another one writes or, in one volume, reads.
fn checked(source: &VolumeRow, target: &VolumeRow, ranges: &[BlockRange]) -> Result<Vec<Piece>> {
    if ranges.is_empty() {
        return Err(invalid("no range".into()));
    }
    let pieces = ranges.iter().map(|range| piece(source, target, range)).collect::<Result<Vec<_>>>()?;
    let written: Vec<Span> = pieces.iter().map(|piece| (piece.to, piece.length)).collect();
    let read: Vec<Span> = pieces.iter().map(|piece| (piece.from, piece.length)).collect();
    if overlap(written.clone()) || (source.id == target.id && meet(written, read)) {
        return Err(invalid("ranges overlap".into()));
    }
    Ok(pieces)
}

fn piece(source: &VolumeRow, target: &VolumeRow, range: &BlockRange) -> Result<Piece> {
    let fits =
        |first: u64, blocks: u64| first.checked_add(range.block_count).is_some_and(|end| end <= blocks);
    let BlockRange { src_block, dest_block, block_count } = *range;
    if block_count == 0 {
        return Err(invalid("a range of no blocks".into()));
    }
    if !fits(src_block, source.blocks) || !fits(dest_block, target.blocks) {
        let message = format!("{block_count} blocks from {src_block} to {dest_block} leave a volume");
        return Err(invalid(message));
    }
    // Inside the volumes, so inside 64 bits as bytes too.
    Ok(Piece { from: src_block * BLOCK, to: dest_block * BLOCK, length: block_count * BLOCK })
}

/// Where it begins, and how long it is.
type Span = (u64, u64);

/// True when two of the spans have a byte in common.
fn overlap(mut spans: Vec<Span>) -> bool {
    spans.sort_unstable();
    spans.windows(2).any(|pair| matches!(pair, [(start, length), (next, _)] if start + length > *next))
}

/// True when a span of one list has a byte in common with one of the other. Spans of the first list have none among themselves.
fn meet(mut apart: Vec<Span>, spans: Vec<Span>) -> bool {
    apart.sort_unstable();
    spans.into_iter().any(|(start, length)| {
        let before_end = apart.partition_point(|(other, _)| *other < start + length);
        let last = before_end.checked_sub(1).and_then(|at| apart.get(at));
        last.is_some_and(|(other, other_length)| other + other_length > start)
    })
}

fn invalid(message: String) -> SimError {
    SimError::refused(ErrorNumber::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_do_not_overlap() {
        assert!(!overlap(vec![(10, 5), (0, 10), (15, 1)]));
        assert!(overlap(vec![(10, 5), (0, 11)]));
        assert!(overlap(vec![(3, 1), (3, 1)]));
    }

    #[test]
    fn two_lists_meet_where_they_share_a_byte() {
        assert!(!meet(vec![(0, 10), (20, 10)], vec![(10, 10), (30, 5)]));
        assert!(meet(vec![(0, 10), (20, 10)], vec![(10, 11)]));
        assert!(meet(vec![(20, 10), (0, 10)], vec![(5, 1)]));
    }

    mod held_against_every_byte {
        use proptest::prelude::*;

        use super::*;

        fn spans() -> impl Strategy<Value = Vec<Span>> {
            prop::collection::vec((0_u64..40, 1_u64..6), 0..6)
        }

        fn bytes(spans: &[Span]) -> Vec<u64> {
            spans.iter().flat_map(|(start, length)| *start..start + length).collect()
        }

        proptest! {
            #[test]
            fn an_overlap_is_a_byte_that_comes_twice(spans in spans()) {
                let bytes = bytes(&spans);
                let distinct: std::collections::BTreeSet<_> = bytes.iter().collect();
                prop_assert_eq!(overlap(spans), distinct.len() < bytes.len());
            }

            #[test]
            fn lists_meet_in_a_byte_of_both(a in spans(), b in spans()) {
                prop_assume!(!overlap(a.clone()));
                let shared = bytes(&a).iter().any(|byte| bytes(&b).contains(byte));
                prop_assert_eq!(meet(a, b), shared);
            }
        }
    }
}
