//! The figures, one kind a file.

use sanfleet_bench::figure::Row;
use sanfleet_tests::control::Programs;

use crate::ground::Ground;

mod clone;
mod command;
mod event;
mod footprint;
mod restart;

/// Fleets whose figures are compared: what is flat is the same for each.
const SIZES: [u32; 3] = [100, 1_000, 10_000];

/// Every figure, in one run.
pub async fn measure(programs: Programs, hosts: u32, clones: u32) -> anyhow::Result<Vec<Row>> {
    let mut ground = Ground::start(programs).await?;
    let mut rows = footprint::of_agent(&ground).await?;
    let empty = footprint::of_controller(&ground)?;
    for size in SIZES.into_iter().filter(|size| *size < hosts).chain([hosts]) {
        eprintln!("{size} agents");
        ground.grow(size).await?;
        rows.extend(command::measure(&ground, size).await?);
        rows.extend(event::measure(&ground).await?);
    }
    rows.push(footprint::per_device(&ground, empty)?);
    rows.push(restart::measure(&mut ground).await?);
    for size in SIZES.into_iter().filter(|size| *size <= clones.min(hosts)) {
        eprintln!("clones to {size} hosts");
        rows.extend(clone::measure(&ground, size).await?);
    }
    Ok(rows)
}
