use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

use super::{super::pace, *};

/// An array that does as the test says.
struct Script {
    started: Instant,
    looks: mpsc::UnboundedSender<Duration>,
    takes: Duration,
    seen: Seen,
    /// What waiting brings, one after the other; then it waits for ever.
    told: Mutex<mpsc::UnboundedReceiver<Told>>,
    waits: Arc<AtomicUsize>,
}

/// The test's end of it.
struct Stage {
    signals: Arc<Signals>,
    looks: mpsc::UnboundedReceiver<Duration>,
    tell: mpsc::UnboundedSender<Told>,
    waits: Arc<AtomicUsize>,
}

impl Watched for Script {
    async fn look(&self) -> Seen {
        let _ = self.looks.send(self.started.elapsed());
        tokio::time::sleep(self.takes).await;
        self.seen
    }

    fn wait_for_change(&self, _since: Option<String>) -> BoxFuture<'_, Told> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::poll_fn(|context| match self.told.lock().unwrap().poll_recv(context) {
            std::task::Poll::Ready(Some(told)) => std::task::Poll::Ready(told),
            _ => std::task::Poll::Pending,
        }))
    }
}

fn followed(seen: Seen, takes: Duration) -> Stage {
    let (looks_in, looks) = mpsc::unbounded_channel();
    let (tell, told) = mpsc::unbounded_channel();
    let (signals, waits): (Arc<Signals>, Arc<AtomicUsize>) = Default::default();
    let (started, told) = (Instant::now(), Mutex::new(told));
    let script = Script { started, looks: looks_in, takes, seen, told, waits: Arc::clone(&waits) };
    tokio::spawn(follow(script, Arc::clone(&signals), Seen::Changed));
    Stage { signals, looks, tell, waits }
}

impl Stage {
    /// When the next look begins, counted from the start.
    async fn next(&mut self) -> Duration {
        self.looks.recv().await.expect("the array is followed no longer")
    }

    /// The pause before the look after so many.
    async fn pause_after(&mut self, looks: usize) -> Duration {
        let mut before = Duration::ZERO;
        for _ in 0..looks {
            before = self.next().await;
        }
        self.next().await - before
    }
}

fn changed(now: &str) -> Told {
    Told::Changed { now: now.to_owned() }
}

fn nothing(now: &str) -> Told {
    Told::Nothing { now: now.to_owned() }
}

fn about(length: Duration) -> std::ops::RangeInclusive<Duration> {
    length.mul_f64(0.89)..=length.mul_f64(1.11)
}

#[tokio::test(start_paused = true)]
async fn an_idle_array_is_looked_at_less_and_less() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    assert!(about(pace::SHORTEST).contains(&stage.next().await));
    assert!(about(pace::LONGEST).contains(&stage.pause_after(20).await));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_our_own_is_looked_at_at_once() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    let last = stage.pause_after(20).await;
    assert!(last > pace::SHORTEST * 2);
    let now = Instant::now();
    stage.signals.look_again();
    stage.next().await;
    assert_eq!(now.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_our_own_during_a_look_means_another_look() {
    let mut stage = followed(Seen::Same, Duration::from_secs(5));
    let first = stage.next().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.signals.look_again();
    assert_eq!(stage.next().await - first, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_change_of_our_own_waits_for_the_look_after_it() {
    let mut stage = followed(Seen::Same, Duration::from_secs(5));
    stage.signals.settled().await;
    stage.next().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = Instant::now();
    stage.signals.look_again();
    stage.signals.settled().await;
    assert_eq!(asked.elapsed(), Duration::from_secs(9), "what is left of one look, and another");
}

#[tokio::test(start_paused = true)]
async fn an_array_with_a_run_on_it_is_looked_at_often_until_the_run_is_over() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    stage.pause_after(20).await;
    let in_use = stage.signals.begin_use();
    stage.next().await;
    assert!(about(pace::SHORTEST).contains(&stage.pause_after(3).await));
    drop(in_use);
    assert!(about(pace::LONGEST).contains(&stage.pause_after(20).await));
}

#[tokio::test(start_paused = true)]
async fn what_an_array_tells_is_looked_at_soon_and_many_changes_are_one_look() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    stage.tell.send(nothing("1")).unwrap();
    // The first word says which moment it is: what was before is looked at.
    assert!(stage.next().await <= SETTLE);
    for now in 2..50 {
        stage.tell.send(changed(&now.to_string())).unwrap();
    }
    let begun = Instant::now();
    stage.next().await;
    assert!(begun.elapsed() <= SETTLE, "{:?}", begun.elapsed());
    let quiet = Instant::now();
    stage.next().await;
    assert!(quiet.elapsed() > pace::SHORTEST.mul_f64(0.8), "{:?}", quiet.elapsed());
    assert!(stage.signals.tells_changes());
}

#[tokio::test(start_paused = true)]
async fn an_array_that_tells_is_hardly_asked() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    stage.tell.send(nothing("1")).unwrap();
    assert!(about(pace::LONGEST_IF_TOLD).contains(&stage.pause_after(30).await));
}

#[tokio::test(start_paused = true)]
async fn an_array_that_tells_no_longer_is_asked_again_within_the_minute() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    stage.tell.send(nothing("1")).unwrap();
    stage.pause_after(30).await;
    let silent = Instant::now();
    stage.tell.send(Told::Failed).unwrap();
    stage.next().await;
    assert!(silent.elapsed() <= pace::LONGEST.mul_f64(1.11), "{:?}", silent.elapsed());
    assert!(stage.waits.load(Ordering::SeqCst) > 1);
}

#[tokio::test(start_paused = true)]
async fn an_array_that_never_tells_is_not_asked_to_twice() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    stage.tell.send(Told::Never).unwrap();
    stage.pause_after(5).await;
    assert_eq!(stage.waits.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn one_slow_array_delays_no_other() {
    let mut slow = followed(Seen::Same, Duration::from_secs(3600));
    let mut quick = followed(Seen::Changed, Duration::ZERO);
    slow.next().await;
    for _ in 0..10 {
        let begun = Instant::now();
        quick.next().await;
        assert!(begun.elapsed() <= pace::SHORTEST.mul_f64(1.11));
    }
}

#[tokio::test(start_paused = true)]
async fn an_array_that_is_gone_is_left_alone() {
    let mut stage = followed(Seen::Same, Duration::ZERO);
    stage.next().await;
    stage.signals.say_gone();
    assert_eq!(stage.looks.recv().await, None);
}
