//! Pieces of one volume copied into another.

use sanfleet_driver::{BlockRange, Volume};

use crate::lsm::{
    args::{VolumeReplicateRange, VolumeReplicateRangeBlockSize},
    console::Console,
    stop::Stop,
};

pub async fn block_size(console: &mut Console<'_>, args: VolumeReplicateRangeBlockSize) -> Result<(), Stop> {
    let system = console.system(&args.sys).await?;
    let bytes = console.session.volume_replicate_range_block_size(&system).await?;
    console.out.say(&bytes.to_string(), bytes)
}

/// As in the original the job, if there is one, is not waited for.
pub async fn replicate(console: &mut Console<'_>, args: VolumeReplicateRange) -> Result<(), Stop> {
    let source = console.volume_called("Source Volume", &args.src_vol).await?;
    let target = console.volume_called("Destination Volume", &args.dst_vol).await?;
    let ranges = ranges(&args, &source, &target).map_err(Stop::Usage)?;
    if console.may_lose_data(false)? {
        console.session.volume_replicate_range(args.rep_type.0, &source, &target, &ranges).await?;
    }
    Ok(())
}

/// The pieces, checked: as many beginnings as lengths, within the volumes, none over another.
fn ranges(args: &VolumeReplicateRange, source: &Volume, target: &Volume) -> Result<Vec<BlockRange>, String> {
    let (starts, targets, counts) = (&args.src_start.0, &args.dst_start.0, &args.count.0);
    if starts.len() != targets.len() || starts.len() != counts.len() {
        return Err("Differing numbers of src_start, dest_start, and count parameters".to_owned());
    }
    let mut ranges = Vec::new();
    for ((src_block, dest_block), block_count) in starts.iter().zip(targets).zip(counts) {
        within(source, *src_block, *block_count).ok_or("--src-start + --count > source size")?;
        within(target, *dest_block, *block_count).ok_or("--dst-start + --count > destination size")?;
        ranges.push(BlockRange { src_block: *src_block, dest_block: *dest_block, block_count: *block_count });
    }
    apart("src_block", &mut ranges, |range| range.src_block)?;
    apart("dest_block", &mut ranges, |range| range.dest_block)?;
    Ok(ranges)
}

/// A volume whose size nobody knows is left to the array to check.
fn within(volume: &Volume, start: u64, count: u64) -> Option<()> {
    let end = start.checked_add(count)?;
    (end <= volume.num_of_blocks.unwrap_or(u64::MAX)).then_some(())
}

fn apart(member: &str, ranges: &mut [BlockRange], start: fn(&BlockRange) -> u64) -> Result<(), String> {
    ranges.sort_by_key(start);
    for pair in ranges.windows(2) {
        let [before, after] = pair else { continue };
        let (first, second) = (start(before), start(after));
        let end = first.saturating_add(before.block_count);
        if end > second {
            let last = second.saturating_add(after.block_count).saturating_sub(1);
            let end = end.saturating_sub(1);
            return Err(format!(
                "Overlapping {member} replication range {first}..{end} overlaps with {second}..{last}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lsm::args::{Command, Request, parse};

    fn volume(blocks: i64) -> Volume {
        serde_json::from_value(
            json!({"class": "Volume", "id": "V", "name": "v", "vpd83": "", "block_size": 512,
            "num_of_blocks": blocks, "admin_state": 1, "system_id": "s", "pool_id": "p"}),
        )
        .unwrap()
    }

    /// The pieces as source, target and length.
    fn checked(pieces: &[(u64, u64, u64)]) -> Result<Vec<BlockRange>, String> {
        let mut words: Vec<String> = "volume-replicate-range --src-vol a --dst-vol b --rep-type COPY"
            .split(' ')
            .map(str::to_owned)
            .collect();
        for (source, target, count) in pieces {
            for (option, value) in [("--src-start", source), ("--dst-start", target), ("--count", count)] {
                words.extend([option.to_owned(), value.to_string()]);
            }
        }
        let Ok(Request::Run(invocation)) = parse("lsmcli", "lsmcli", &words) else { panic!() };
        let Command::VolumeReplicateRange(args) = invocation.command else { panic!() };
        ranges(&args, &volume(100), &volume(50))
    }

    #[test]
    fn pieces_lie_within_both_volumes() {
        assert_eq!(checked(&[(0, 0, 10), (90, 40, 10)]).unwrap().len(), 2);
        assert_eq!(checked(&[(91, 0, 10)]).unwrap_err(), "--src-start + --count > source size");
        assert_eq!(checked(&[(0, 41, 10)]).unwrap_err(), "--dst-start + --count > destination size");
        assert!(checked(&[(u64::MAX, 0, 2)]).is_err());
    }

    #[test]
    fn pieces_do_not_lie_over_each_other() {
        assert_eq!(
            checked(&[(20, 0, 10), (10, 20, 11)]).unwrap_err(),
            "Overlapping src_block replication range 10..20 overlaps with 20..29"
        );
        assert_eq!(
            checked(&[(0, 0, 10), (10, 9, 10)]).unwrap_err(),
            "Overlapping dest_block replication range 0..9 overlaps with 9..18"
        );
    }
}
