//! Whether this controller speaks for all of them: the seam between those who tell events and those who know who is there.

use tokio::sync::watch;

/// Where a controller stands among those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does not hear itself, or has not for long enough to have heard the others.
    Unknown,
    First,
    Behind,
}

/// Set by whoever knows.
pub type Stander = watch::Sender<Standing>;

/// What those who tell events see of it.
#[derive(Debug, Clone)]
pub struct Stand(watch::Receiver<Standing>);

impl Stand {
    pub fn new() -> (Stander, Self) {
        let (stander, seen) = watch::channel(Standing::Unknown);
        (stander, Self(seen))
    }

    /// Waits until it is known. A controller whose standing nobody tells any more is stopping and speaks for nobody.
    pub async fn is_first(&self) -> bool {
        let mut seen = self.0.clone();
        let known = seen.wait_for(|standing| *standing != Standing::Unknown).await;
        known.is_ok_and(|standing| *standing == Standing::First)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn nobody_speaks_before_it_is_known_who_is_there() {
        let (stander, stand) = Stand::new();
        let mut asked = pin!(stand.is_first());
        assert_eq!(asked.as_mut().now_or_never(), None);
        stander.send_replace(Standing::First);
        assert_eq!(asked.now_or_never(), Some(true));
        stander.send_replace(Standing::Behind);
        assert_eq!(stand.is_first().now_or_never(), Some(false));
        drop(stander);
        stand.is_first().now_or_never().unwrap();
    }
}
