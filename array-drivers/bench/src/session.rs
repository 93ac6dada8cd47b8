//! A real driver behind a real session, with more and more volumes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use sanfleet_bench::figure::{Row, Samples, micro, milli};
use sanfleet_driver::{
    JobOr, Provisioning, Volume,
    client::{Options, Session},
    encode_frame,
};
use serde_json::json;

use crate::{
    limit::{self, Echo},
    lsmcli,
};

const STARTS: usize = 50;
const CALLS: usize = 20_000;
/// Volumes in the array, and how often they are listed.
const LISTS: [(usize, usize); 3] = [(10, 201), (1_000, 101), (10_000, 31)];
/// The counts at which `lsmcli` is measured as a process, each with its target in milliseconds.
const PROCESSES: [(usize, f64); 2] = [(10, 15.0), (10_000, 150.0)];
const VOLUME: u64 = 1 << 20;

/// The driver under test and its array.
struct Bench {
    driver: PathBuf,
    uri: String,
}

impl Bench {
    async fn session(&self) -> anyhow::Result<Session> {
        let options = Options { deadline: Duration::from_secs(600), ..Options::default() };
        Ok(Session::connect_executable(&self.driver, &self.uri, None, options).await?)
    }
}

/// Every figure, in one run.
pub async fn measure(bin_dir: &Path, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let driver = bin_dir.join("sim_lsmplugin");
    anyhow::ensure!(driver.is_file(), "there is no {}", driver.display());
    let root = folder.display();
    let bench = Bench { driver, uri: format!("sim://?statefile={root}/state.db&data={root}/data") };
    bench.session().await?.close().await?; // makes the array
    let mut rows = vec![start(&bench).await?];
    rows.extend(calls(&bench).await?);
    let mut session = bench.session().await?;
    rows.push(memory(&session)?);
    let mut held = 0;
    for (count, repeats) in LISTS {
        eprintln!("making {} volumes", count - held);
        make(&mut session, held..count).await?;
        held = count;
        rows.push(list(&mut session, count, repeats).await?);
        if let Some((_, target)) = PROCESSES.iter().find(|(at, _)| *at == count) {
            rows.push(lsmcli::measure(bin_dir, &bench.uri, count)?.at_most(*target));
        }
    }
    session.close().await?;
    Ok(rows)
}

async fn start(bench: &Bench) -> anyhow::Result<Row> {
    let mut samples = Samples::default();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let session = bench.session().await?;
        samples.push(begin.elapsed());
        session.close().await?;
    }
    let limit = milli(limit::processes(STARTS)?.median());
    let what = "session start: spawned to registered, median (raw: /bin/true)";
    Ok(Row::new(what, "ms", milli(samples.median())).beside(limit).at_most(5.0))
}

async fn calls(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut session = bench.session().await?;
    let mut samples = Samples::default();
    for _ in 0..CALLS {
        let begin = Instant::now();
        session.time_out_get().await?;
        samples.push(begin.elapsed());
    }
    session.close().await?;
    let question = json!({"method": "time_out_get", "id": 100, "params": {"flags": 0}});
    let answer = json!({"id": 100, "result": 600_000});
    let mut bare = bare(&question, &answer)?.round_trips(CALLS)?;
    Ok(vec![
        Row::new("empty call, median (raw: bare bytes)", "us", micro(samples.median()))
            .beside(micro(bare.median()))
            .at_most(50.0),
        Row::new("empty call, p99 (raw: bare bytes)", "us", micro(samples.quantile(0.99)))
            .beside(micro(bare.quantile(0.99))),
    ])
}

async fn list(session: &mut Session, count: usize, repeats: usize) -> anyhow::Result<Row> {
    let volumes: Vec<Volume> = session.volumes(None).await?;
    anyhow::ensure!(volumes.len() == count, "{} volumes are listed, not {count}", volumes.len());
    let mut samples = Samples::default();
    for _ in 0..repeats {
        let begin = Instant::now();
        let listed = session.volumes(None).await?;
        samples.push(begin.elapsed());
        anyhow::ensure!(listed.len() == count, "{} volumes are listed, not {count}", listed.len());
    }
    let params = json!({"search_key": null, "search_value": null, "flags": 0});
    let question = json!({"method": "volumes", "id": 100, "params": params});
    let answer = json!({"id": 100, "result": volumes});
    let limit = milli(bare(&question, &answer)?.round_trips(repeats)?.median());
    let row =
        Row::new(format!("list of {count} volumes, median (raw: bare bytes)"), "ms", milli(samples.median()));
    let row = row.beside(limit);
    Ok(if count == 10_000 { row.at_most(60.0) } else { row })
}

/// The same numbers of bytes, with nobody who reads or writes them.
fn bare(question: &serde_json::Value, answer: &serde_json::Value) -> anyhow::Result<Echo> {
    let length = |body: &serde_json::Value| anyhow::Ok(encode_frame(body.to_string().as_bytes())?.len());
    Echo::start(length(question)?, length(answer)?)
}

fn memory(session: &Session) -> anyhow::Result<Row> {
    let id = session.process_id().context("the driver is no process of ours")?;
    let mut echo = Echo::start(1, 1)?;
    echo.round_trips(1)?;
    let row = Row::new("resident memory of an idle driver (raw: the bare echo)", "MiB", resident(id)?);
    Ok(row.beside(resident(echo.process_id())?).at_most(8.0))
}

/// MiB of a process in memory, as the kernel counts them (proc(5), VmRSS).
fn resident(id: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}

async fn make(session: &mut Session, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let pool = session
        .pools(None)
        .await?
        .into_iter()
        .max_by_key(|pool| pool.free_space)
        .context("there is no pool")?;
    for number in numbers {
        let name = format!("volume_{number:05}");
        match session.volume_create(&pool, &name, VOLUME, Provisioning::DEFAULT).await? {
            JobOr::Done(_) => {}
            JobOr::Job(job) => {
                anyhow::bail!("the array made job {job} of a volume, which takes too long here")
            }
        }
    }
    Ok(())
}
