use std::{
    path::Path,
    sync::{Mutex, atomic::AtomicUsize},
};

use sanfleet_protocol::VolumeId;
use tokio::sync::watch;

use super::*;
use crate::{
    heartbeat::{Heartbeat, Pulse},
    host::sim::{SimCall, SimDevice, SimHost},
};

const BOUND: Duration = Duration::from_secs(20);

/// Keeps what it is given; can be told to refuse.
#[derive(Debug, Clone, Default)]
struct Kept {
    reports: Arc<Mutex<Vec<v1::HostReport>>>,
    heartbeats: Arc<Mutex<Vec<v1::Heartbeat>>>,
    refusing: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    something: Arc<watch::Sender<()>>,
}

impl Kept {
    fn keep<M: Message + Default>(&self, kept: &Mutex<Vec<M>>, bytes: Bytes) -> Result<(), SinkError> {
        let result = match self.refusing.load(Ordering::Acquire) {
            true => {
                self.refused.fetch_add(1, Ordering::AcqRel);
                Err(SinkError::Disconnected)
            }
            false => {
                kept.lock().unwrap().push(M::decode(bytes).unwrap());
                Ok(())
            }
        };
        self.something.send_replace(());
        result
    }

    /// Waits until what was kept is as wanted; level-triggered and bounded.
    async fn until(&self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let mut something = self.something.subscribe();
        let met = async {
            while !wanted(self) {
                something.changed().await.unwrap();
            }
        };
        timeout(BOUND, met).await.unwrap_or_else(|_| panic!("not in time: {what}"));
    }

    async fn until_reports(&self, count: usize) {
        self.until(&format!("{count} reports"), |kept| kept.count() >= count).await;
    }

    fn count(&self) -> usize {
        self.reports.lock().unwrap().len()
    }

    fn last(&self) -> v1::HostReport {
        self.reports.lock().unwrap().last().unwrap().clone()
    }
}

impl ReportSink for Kept {
    async fn publish_report(&self, report: Bytes) -> Result<(), SinkError> {
        self.keep(&self.reports, report)
    }

    async fn publish_heartbeat(&self, heartbeat: Bytes) -> Result<(), SinkError> {
        self.keep(&self.heartbeats, heartbeat)
    }

    async fn flush(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

fn id(last: u8) -> VolumeId {
    format!("naa.600140500000000000000000000000{last:02x}").parse().unwrap()
}

fn disk(number: u8) -> SimDevice {
    SimDevice::disk(&format!("sd{number}"), vec![id(number)])
}

fn options(state_dir: &Path) -> ReporterOptions {
    ReporterOptions::new("db1".parse().unwrap(), state_dir.to_owned())
}

/// A reporter with a heartbeat beside it.
struct Started {
    reporter: Reporter,
    heartbeat: Heartbeat,
}

fn start(host: &SimHost, kept: &Kept, options: ReporterOptions) -> Started {
    let (name, sink) = (options.host.clone(), Arc::new(kept.clone()));
    let reporter = Reporter::start(Arc::new(host.clone()), Arc::clone(&sink), options).unwrap();
    let pulse = Pulse { host: name, interval: Duration::from_millis(10), generation: reporter.handle() };
    Started { reporter, heartbeat: Heartbeat::start(sink, pulse) }
}

impl Started {
    fn handle(&self) -> ReporterHandle {
        self.reporter.handle()
    }

    async fn stop(mut self) {
        self.reporter.stop().await;
        self.heartbeat.leave().await;
    }
}

fn state_dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn the_first_report_comes_at_once_and_a_change_within_a_hundred_milliseconds() {
    let (host, kept, folder) = (SimHost::builder().device(disk(1)).build(), Kept::default(), state_dir());
    let reporter = start(&host, &kept, options(folder.path()));
    kept.until_reports(1).await;
    assert_eq!(kept.last().devices.len(), 1);
    // Whatever was told while the host was built has been looked at.
    settle(&kept).await;

    let before = Instant::now();
    host.add_device(disk(2));
    kept.until("the second device", |kept| kept.last().devices.len() == 2).await;
    // The product promises 100 ms; a loaded machine that runs many tests gets some more.
    assert!(before.elapsed() < Duration::from_millis(500), "{:?}", before.elapsed());
    reporter.stop().await;
}

/// Waits until the reporter has nothing in hand: a report that is asked for now is answered, and with it all before it.
async fn settle(kept: &Kept) {
    let beats = kept.heartbeats.lock().unwrap().len();
    kept.until("heartbeats", |kept| kept.heartbeats.lock().unwrap().len() > beats + 12).await;
}

#[tokio::test]
async fn a_storm_of_changes_becomes_few_reports_and_the_last_shows_the_end() {
    let (host, kept, folder) = (SimHost::builder().build(), Kept::default(), state_dir());
    let reporter = start(&host, &kept, options(folder.path()));
    kept.until_reports(1).await;
    let begun = Instant::now();
    let storm = {
        let host = host.clone();
        tokio::task::spawn_blocking(move || {
            for round in 0..2_500u32 {
                let name = format!("sd{}", round % 5);
                host.remove_device(&name);
                host.add_device(SimDevice::disk(&name, vec![id(1)]).size(u64::from(round) + 1));
            }
        })
    };
    storm.await.unwrap();
    let is_end = |report: &v1::HostReport| report.devices.iter().any(|device| device.size_bytes == 2_500);
    kept.until("the end of the storm", |kept| is_end(&kept.last())).await;
    let most = 2 + begun.elapsed().as_millis() / 50;
    assert!((kept.count() as u128) <= most, "{} reports, {most} would be right", kept.count());
    reporter.stop().await;
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_reported() {
    let (host, kept, folder) = (SimHost::builder().device(disk(1)).build(), Kept::default(), state_dir());
    let reporter = start(&host, &kept, options(folder.path()));
    kept.until_reports(1).await;
    settle(&kept).await;
    let before = kept.count();
    host.false_alarm();
    settle(&kept).await;
    assert_eq!(kept.count(), before);
    reporter.stop().await;
}

#[tokio::test]
async fn who_asks_and_a_new_connection_get_a_full_report_though_nothing_changed() {
    let (host, kept, folder) = (SimHost::builder().device(disk(1)).build(), Kept::default(), state_dir());
    let reporter = start(&host, &kept, options(folder.path()));
    kept.until_reports(1).await;
    reporter.handle().report_now();
    kept.until_reports(2).await;
    reporter.handle().reconnected();
    kept.until_reports(3).await;
    let reports = kept.reports.lock().unwrap().clone();
    assert!(reports.windows(2).all(|pair| pair[0].generation < pair[1].generation));
    reporter.stop().await;
}

#[tokio::test]
async fn a_full_report_comes_again_at_its_interval() {
    let (host, kept, folder) = (SimHost::builder().device(disk(1)).build(), Kept::default(), state_dir());
    let mut options = options(folder.path());
    options.timing.full_interval = Duration::from_millis(100);
    let reporter = start(&host, &kept, options);
    kept.until_reports(4).await;
    reporter.stop().await;
}

#[tokio::test]
async fn a_device_that_hangs_delays_the_others_by_its_deadline_once() {
    let host = SimHost::builder().devices((1..=20).map(disk)).build();
    host.hang("sd3", SimCall::Read);
    let (kept, folder) = (Kept::default(), state_dir());
    let mut options = options(folder.path());
    options.probes.deadline = Duration::from_secs(2);
    let reporter = start(&host, &kept, options);
    kept.until_reports(1).await;
    let unreadable = |report: &v1::HostReport| -> Vec<String> {
        let devices = report.devices.iter().filter(|device| !device.unreadable.is_empty());
        devices.map(|device| device.name.clone()).collect()
    };
    assert_eq!((kept.last().devices.len(), unreadable(&kept.last())), (20, vec!["sd3".to_owned()]));

    let before = Instant::now();
    host.add_device(disk(21));
    kept.until("the new device", |kept| kept.last().devices.len() == 21).await;
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());

    host.release_all();
    kept.until("the device that answers again", |kept| unreadable(&kept.last()).is_empty()).await;
    reporter.stop().await;
}

#[tokio::test]
async fn a_report_that_was_not_taken_is_made_again() {
    let (host, kept, folder) = (SimHost::builder().device(disk(1)).build(), Kept::default(), state_dir());
    kept.refusing.store(true, Ordering::Release);
    let mut options = options(folder.path());
    options.timing.retry = Duration::from_millis(20);
    let reporter = start(&host, &kept, options);
    kept.until("a refusal", |kept| kept.refused.load(Ordering::Acquire) > 3).await;
    kept.refusing.store(false, Ordering::Release);
    kept.until_reports(1).await;
    reporter.stop().await;
}

#[tokio::test]
async fn generations_rise_over_a_restart() {
    let (host, kept, folder) = (SimHost::builder().build(), Kept::default(), state_dir());
    for run in 1..=3 {
        let reporter = start(&host, &kept, options(folder.path()));
        kept.until_reports(run).await;
        reporter.stop().await;
    }
    let generations: Vec<u64> = kept.reports.lock().unwrap().iter().map(|report| report.generation).collect();
    assert!(generations.is_sorted_by(|a, b| a < b), "{generations:?}");
}

#[tokio::test]
async fn the_last_heartbeat_says_that_it_is_the_last_and_names_the_newest_report() {
    let (host, kept, folder) = (SimHost::builder().build(), Kept::default(), state_dir());
    let reporter = start(&host, &kept, options(folder.path()));
    kept.until_reports(1).await;
    let beating = |kept: &Kept| kept.heartbeats.lock().unwrap().iter().filter(|beat| !beat.leaving).count();
    kept.until("three heartbeats", |kept| beating(kept) >= 3).await;
    reporter.stop().await;
    let newest = kept.last().generation;
    let beats = kept.heartbeats.lock().unwrap().clone();
    let (last, others) = beats.split_last().unwrap();
    assert!(last.leaving && others.iter().all(|beat| !beat.leaving));
    assert_eq!((last.generation, last.host.as_str()), (newest, "db1"));
}
