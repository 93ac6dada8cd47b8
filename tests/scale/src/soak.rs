//! A fleet at work for minutes on end: whether the memory of controller or agents grows with what they do.
//!
//! Some people give orders by chance, each in a part of the fleet, and take down again what they made. What is left at the end is
//! what was there at the beginning, and so should be the memory.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use sanfleet_sim::Rng;
use sanfleet_tests::{
    control::{Control, Programs},
    process::Process,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    agent,
    ground::{ARRAY, Ground, TEMPLATE},
    memory,
};

/// As the shipped controller after weeks: it remembers as many runs as it may, and forgets one for each that comes.
const KEEP_LITTLE: &str = "[journal]\nkeep_runs = 200\nkeep_days = 0\n";
/// How many give orders at one time.
const PEOPLE: u32 = 4;
/// Of ten thousand, so many times somebody only looks.
const ONLY_LOOKS: u64 = 3_000;
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What may come on top between the middle of the run and its end: less is what allocators and page caches do.
const MAY_GROW_KIB: u64 = 4 << 10;

pub async fn run(programs: Programs, hosts: u32, minutes: u32, seed: u64) -> anyhow::Result<ExitCode> {
    let mut ground = Ground::start(programs).await?;
    ground.restart_with(KEEP_LITTLE).await?;
    ground.grow(hosts).await?;
    let ground = Arc::new(ground);
    let end = Instant::now() + Duration::from_secs(60) * minutes;
    let tally = Arc::new(Tally::default());
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let person = Person::new(number, hosts / PEOPLE, seed);
            let (ground, tally) = (Arc::clone(&ground), Arc::clone(&tally));
            tokio::task::spawn_blocking(move || person.work(&ground.control, &tally, end))
        })
        .collect();
    let watched = watch(&ground, end).await?;
    for person in people {
        person.await??;
    }
    println!("{}", tally.told());
    Ok(judge(&watched))
}

/// What was ordered, and what did not end well.
#[derive(Debug, Default)]
struct Tally {
    orders: AtomicU32,
    refused: AtomicU32,
}

impl Tally {
    fn told(&self) -> String {
        let [orders, refused] = [&self.orders, &self.refused].map(|count| count.load(Ordering::Relaxed));
        format!("{orders} orders were carried out, {refused} were not")
    }
}

/// Somebody with a part of the fleet to play with.
struct Person {
    first: u32,
    hosts: u32,
    rng: Rng,
    made: u32,
}

impl Person {
    fn new(number: u32, hosts: u32, seed: u64) -> Self {
        Self {
            first: number * hosts,
            hosts,
            rng: Rng::new(seed * u64::from(PEOPLE) + u64::from(number)),
            made: 0,
        }
    }

    fn work(mut self, control: &Control, tally: &Tally, end: Instant) -> anyhow::Result<()> {
        while Instant::now() < end {
            let orders = self.next_orders();
            for order in orders {
                let order: Vec<&str> = order.iter().map(String::as_str).collect();
                let output = control.cli_output(&order)?;
                tally.orders.fetch_add(1, Ordering::Relaxed);
                if !output.status.success() {
                    tally.refused.fetch_add(1, Ordering::Relaxed);
                    eprintln!("{}: {}", order.join(" "), String::from_utf8_lossy(&output.stderr).trim());
                }
            }
        }
        Ok(())
    }

    /// Something that is made, and the same taken down.
    fn next_orders(&mut self) -> Vec<Vec<String>> {
        self.made += 1;
        let at = format!("/srv/soak-{}", self.made);
        if self.rng.chance(ONLY_LOOKS) {
            let host = self.any_host();
            return vec![words("status"), words("doctor"), words(&format!("host show {host}"))];
        }
        let mut several: Vec<String> = (0..self.rng.within(1..5)).map(|_| self.any_host()).collect();
        several.sort();
        several.dedup();
        let clone = format!("clone {ARRAY}/{TEMPLATE} --to {} --mount {at} --yes", several.join(","));
        let down = several.iter().map(|host| words(&format!("backup detach {host}:{at} --yes")));
        [words(&clone)].into_iter().chain(down).collect()
    }

    fn any_host(&mut self) -> String {
        let number = self.rng.within(0..u64::from(self.hosts));
        agent::name(self.first + u32::try_from(number).unwrap_or_default()).to_string()
    }
}

fn words(order: &str) -> Vec<String> {
    order.split(' ').map(str::to_owned).collect()
}

/// Resident memory of each process, look by look.
type Watched = BTreeMap<String, Vec<u64>>;

async fn watch(ground: &Ground, end: Instant) -> anyhow::Result<Watched> {
    let mut watched = Watched::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let controller = ground.control.controller().map(Process::pid).context("no controller")?;
    while Instant::now() < end {
        looks.tick().await;
        let agents = ground.parts().map(|pid| (format!("agents in process {pid}"), pid));
        for (name, pid) in [("controller".to_owned(), controller)].into_iter().chain(agents) {
            watched.entry(name).or_default().push(memory::resident_kib(pid)?);
        }
    }
    Ok(watched)
}

/// The largest of the middle third beside the largest of the last one.
fn judge(watched: &Watched) -> ExitCode {
    let mut grows = false;
    for (name, looks) in watched {
        let third = looks.len() / 3;
        let largest =
            |part: Option<&[u64]>| part.and_then(|part| part.iter().max().copied()).unwrap_or_default();
        let (middle, last) = (largest(looks.get(third..2 * third)), largest(looks.get(2 * third..)));
        let too_much = last > middle + MAY_GROW_KIB;
        grows |= too_much;
        let verdict = if too_much { "GROWS" } else { "does not grow" };
        println!("{name}: {middle} KiB in the middle, {last} KiB at the end: {verdict}");
    }
    if grows { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
