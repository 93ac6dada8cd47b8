//! Inserts rows all the time, one commit each, and notes when each commit was acknowledged: what the application feels.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use crate::mariadb::MariaDb;

#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    task: JoinHandle<anyhow::Result<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    committed: AtomicU64,
    /// When each commit was acknowledged, in order; row n is at n - 1.
    times: Mutex<Vec<Instant>>,
}

/// The longest time in which nothing was committed.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    /// Rows that had been acknowledged when it began.
    pub rows_before: u64,
    /// Longest gap between two commits, less the usual gap.
    pub blocked: Duration,
    pub usual: Duration,
}

impl Writer {
    pub async fn start(server: &MariaDb) -> anyhow::Result<Self> {
        let mut conn = server.connect("root", "").await?;
        conn.query_drop("CREATE DATABASE IF NOT EXISTS sanfleet").await?;
        conn.query_drop(
            "CREATE TABLE IF NOT EXISTS sanfleet.rows (id BIGINT UNSIGNED PRIMARY KEY, body VARCHAR(200)) ENGINE=InnoDB",
        )
        .await?;
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(write(conn, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    /// Rows that the server has acknowledged.
    pub fn committed(&self) -> u64 {
        self.shared.committed.load(Ordering::Acquire)
    }

    /// The longest stall among the commits acknowledged since `since`.
    pub fn longest_stall(&self, since: Instant) -> Option<Stall> {
        let times = self.shared.times.lock().unwrap_or_else(PoisonError::into_inner);
        let first = times.partition_point(|at| *at < since).saturating_sub(1);
        let gaps: Vec<(usize, Duration)> = times
            .iter()
            .enumerate()
            .skip(first)
            .zip(times.iter().skip(first + 1))
            .map(|((n, a), b)| (n, *b - *a))
            .collect();
        let (before, longest) = *gaps.iter().max_by_key(|(_, gap)| *gap)?;
        let mut sorted: Vec<Duration> = gaps.iter().map(|(_, gap)| *gap).collect();
        sorted.sort_unstable();
        let usual = *sorted.get(sorted.len() / 2)?;
        let rows_before = u64::try_from(before).ok()? + 1;
        Some(Stall { rows_before, blocked: longest.saturating_sub(usual), usual })
    }

    /// Ends after the commit that is under way.
    pub async fn stop(self) -> anyhow::Result<u64> {
        self.shared.stop.store(true, Ordering::Release);
        self.task.await??;
        Ok(self.shared.committed.load(Ordering::Acquire))
    }
}

async fn write(mut conn: mysql_async::Conn, shared: Arc<Shared>) -> anyhow::Result<()> {
    let insert = conn.prep("INSERT INTO sanfleet.rows VALUES (?, REPEAT('x', 120))").await?;
    let mut row = 0u64;
    while !shared.stop.load(Ordering::Acquire) {
        row += 1;
        conn.exec_drop(&insert, (row,)).await?;
        shared.times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        shared.committed.store(row, Ordering::Release);
    }
    conn.disconnect().await?;
    Ok(())
}
