//! Waiting for a condition, with a bound: the only way that anything here waits.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until there is something. An error names what was waited for.
pub async fn until<T, F>(what: &str, at_most: Duration, mut look: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + at_most;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() > end {
            anyhow::bail!("waited {} s in vain: {what}", at_most.as_secs_f32());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// [`until`] for a condition that is looked at without waiting.
pub async fn until_true(what: &str, at_most: Duration, mut look: impl FnMut() -> bool) -> anyhow::Result<()> {
    until(what, at_most, || std::future::ready(look().then_some(()))).await
}
