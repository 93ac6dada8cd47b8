//! `lsmcli` as a whole process, as a script sees it: from its start to its end.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::Instant,
};

use anyhow::Context;
use sanfleet_bench::figure::{Row, Samples, milli};

use crate::limit;

const REPEATS: usize = 41;

pub fn measure(bin_dir: &Path, uri: &str, count: usize) -> anyhow::Result<Row> {
    let what = format!("lsmcli list of {count} volumes, whole process, median (raw: /bin/true)");
    let program = bin_dir.join("sanfleet");
    if !program.is_file() {
        return Ok(Row::skipped(what, "ms", format!("there is no {}", program.display())));
    }
    let first = list(&program, bin_dir, uri)?;
    let lines =
        String::from_utf8_lossy(&first.stdout).lines().filter(|line| line.contains("VOL_ID_")).count();
    if !first.status.success() || lines < count {
        let said = String::from_utf8_lossy(&first.stderr).lines().next().unwrap_or_default().to_owned();
        let why = format!("it ended with {} and listed {lines} volumes; {said}", first.status);
        return Ok(Row::skipped(what, "ms", why));
    }
    let mut samples = Samples::default();
    for _ in 0..REPEATS {
        let begin = Instant::now();
        list(&program, bin_dir, uri)?;
        samples.push(begin.elapsed());
    }
    Ok(Row::new(what, "ms", milli(samples.median())).beside(milli(limit::processes(REPEATS)?.median())))
}

fn list(program: &Path, bin_dir: &Path, uri: &str) -> anyhow::Result<Output> {
    Command::new(program)
        .args(["lsm", "-u", uri, "list", "--type", "volumes"])
        .env("SANFLEET_DRIVER_DIR", bin_dir)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.display()))
}
