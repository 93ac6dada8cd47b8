//! What the kernel says of a process: its memory, and the time that it has worked.

use std::{fs, time::Duration};

use anyhow::Context;

/// Kernel and libc agree on 100 of these a second on every platform that we build for, proc_pid_stat(5).
const TICKS_PER_SECOND: u64 = 100;

/// Resident memory of a process in KiB, proc_pid_status(5).
pub fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    of_status(pid, "VmRSS:")
}

fn of_status(pid: u32, field: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kib.with_context(|| format!("process {pid} has no {field}"))
}

/// How long a process has worked, in user and system together.
pub fn worked(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name is in parentheses and may hold anything.
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}
