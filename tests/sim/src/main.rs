//! Plays seeds of the simulated fleet, and tells which went wrong.

#![allow(clippy::print_stdout, reason = "it prints")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use clap::Parser;
use sanfleet_sim::swarm;

#[derive(Debug, Parser)]
struct Args {
    /// How many, counted from --from.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// This one alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the journal too.
    #[arg(long, requires = "seed")]
    journal: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (first, end) = match args.seed {
        Some(seed) => (seed, seed + 1),
        None => (args.from, args.from + args.seeds),
    };
    let (next, failed, begun) = (AtomicU64::new(first), AtomicU64::new(0), Instant::now());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end) {
                    let outcome = swarm::play(seed);
                    if !outcome.wrong.is_empty() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    if !outcome.wrong.is_empty() || args.seed.is_some() {
                        println!("{outcome}");
                    }
                    if args.journal {
                        println!("{}", outcome.journal.join("\n"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("{} seeds, {failed} went wrong, {:.1} s", end - first, begun.elapsed().as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
