//! The array's process is killed at every place where its work could be half done; whoever opens it next finds it whole.

mod block;

use std::{fs, path::PathBuf, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use sanfleet_driver::{
    AccessGroup, ErrorNumber, InitiatorType, ReplicateType, Volume,
    client::{ClientError, LostReason, Session},
};

use crate::bench::{Bench, HOST_A, HOST_B, LONG, done, group, pool, refusal, volume};

/// An array with a volume of some contents, a masked one, and a group of two initiators.
struct Story {
    bench: Bench,
    plain: Volume,
    masked: Volume,
    group: AccessGroup,
}

impl Story {
    async fn new() -> Self {
        let bench = Bench::new();
        let mut session = bench.open().await;
        let plain = volume(&mut session, "plain", 4 << 20).await;
        let masked = volume(&mut session, "masked", 4 << 20).await;
        fs::write(bench.file_of(&plain), vec![7; 4 << 20]).unwrap();
        let group = group(&mut session, "group", HOST_A).await;
        let group = session.access_group_initiator_add(&group, HOST_B, InitiatorType::ISCSI).await.unwrap();
        session.volume_mask(&group, &masked).await.unwrap();
        session.close().await.unwrap();
        fs::create_dir(bench.path("places")).unwrap();
        Self { bench, plain, masked, group }
    }

    fn hold(&self, place: &str) -> PathBuf {
        let hold = self.bench.path("places").join(format!("{place}.hold"));
        fs::write(&hold, "").unwrap();
        hold
    }

    async fn armed_session(&self) -> Session {
        let places = self.bench.path("places").into_os_string();
        self.bench.open_with("", vec![("SANFLEET_FAILPOINTS".into(), places)]).await.unwrap()
    }

    async fn reached(&self, place: &str) {
        let reached = self.bench.path("places").join(format!("{place}.reached"));
        let wait = async {
            while !reached.exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{place} was not reached"));
    }

    /// Makes the call in a process that is killed at `place`.
    async fn killed_at<T: std::fmt::Debug>(
        &self,
        place: &str,
        call: impl AsyncFnOnce(&mut Session) -> Result<T, ClientError>,
    ) {
        let hold = self.hold(place);
        let mut session = self.armed_session().await;
        let pid = Pid::from_raw(session.process_id().unwrap().try_into().unwrap()).unwrap();
        let kill = async {
            self.reached(place).await;
            kill_process(pid, Signal::KILL).unwrap();
        };
        let (outcome, ()) = tokio::join!(call(&mut session), kill);
        let killed = matches!(outcome, Err(ClientError::Lost { reason: LostReason::Closed { .. }, .. }));
        assert!(killed, "{place}: {outcome:?}");
        fs::remove_file(hold).unwrap();
    }

    /// Opens the array and checks that rows, files and folders tell one story.
    async fn reopened(&self) -> Session {
        let mut session = self.bench.open().await;
        self.bench.assert_sound();
        let volumes = session.volumes(None).await.unwrap();
        let names: Vec<_> = volumes.iter().map(|volume| volume.id.to_string()).collect();
        assert_eq!(self.bench.files(), names, "files and volumes differ");
        let pool = pool(&mut session).await;
        let of_pool = volumes.iter().filter(|volume| volume.pool_id == pool.id);
        let taken: u64 = of_pool.filter_map(Volume::size_bytes).sum();
        assert_eq!(pool.total_space.unwrap() - pool.free_space.unwrap(), taken);

        let accessible = session.volumes_accessible_by_access_group(&self.group).await.unwrap();
        let mut expected: Vec<u64> =
            accessible.iter().flat_map(|volume| [self.bench.inode(volume); 2]).collect();
        let mut shown: Vec<u64> = self.bench.shown().into_values().collect();
        expected.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, expected, "what is shown and what is masked differ: {:?}", self.bench.shown());
        session
    }
}

#[tokio::test]
async fn a_clone_is_there_whole_or_not_at_all() {
    for (place, made) in
        [("before", false), ("after_reserve", false), ("after_file", false), ("after_commit", true)]
    {
        for kind in [ReplicateType::CLONE, ReplicateType::COPY] {
            let story = Story::new().await;
            let place = format!("sim.volume_replicate.{place}");
            let source = story.plain.clone();
            story
                .killed_at(&place, async move |session: &mut Session| {
                    session.volume_replicate(None, kind, &source, "copy").await
                })
                .await;
            let mut session = story.reopened().await;
            let volumes = session.volumes(None).await.unwrap();
            let copy = volumes.iter().find(|volume| volume.name == "copy");
            assert_eq!(copy.is_some(), made, "{place}");
            if let Some(copy) = copy {
                assert_eq!(fs::read(story.bench.file_of(copy)).unwrap(), vec![7; 4 << 20], "{place}");
            } else {
                let again = session.volume_replicate(None, kind, &story.plain, "copy").await.unwrap();
                assert_eq!(fs::read(story.bench.file_of(&done(again))).unwrap(), vec![7; 4 << 20], "{place}");
            }
        }
    }
}

#[tokio::test]
async fn a_copy_in_the_making_is_neither_listed_nor_harmed_by_others() {
    let story = Story::new().await;
    let place = "sim.volume_replicate.after_reserve";
    let hold = story.hold(place);
    let mut session = story.armed_session().await;
    let meanwhile = async {
        story.reached(place).await;
        // Opening the array repairs it; this copy needs none.
        let mut other = story.bench.open().await;
        let listed = other.volumes(None).await.unwrap();
        fs::remove_file(&hold).unwrap();
        listed
    };
    let copy = session.volume_replicate(None, ReplicateType::COPY, &story.plain, "copy");
    let (copy, listed) = tokio::join!(copy, meanwhile);
    assert_eq!(listed, [story.plain.clone(), story.masked.clone()]);
    let copy = done(copy.unwrap());
    story.reopened().await;
    assert_eq!(fs::read(story.bench.file_of(&copy)).unwrap(), vec![7; 4 << 20]);
}

#[tokio::test]
async fn a_deletion_is_done_or_not_begun() {
    for (place, gone) in [("before", false), ("after_commit", true), ("after_file", true)] {
        let story = Story::new().await;
        let doomed = story.plain.clone();
        story
            .killed_at(&format!("sim.volume_delete.{place}"), async move |session: &mut Session| {
                session.volume_delete(&doomed).await
            })
            .await;
        let mut session = story.reopened().await;
        assert_eq!(session.volume(&story.plain.id).await.unwrap().is_none(), gone, "{place}");
    }
}

#[tokio::test]
async fn a_mask_once_recorded_is_shown() {
    for (place, masked) in [("before", false), ("after_commit", true), ("after_file", true)] {
        let story = Story::new().await;
        let (group, volume) = (story.group.clone(), story.plain.clone());
        story
            .killed_at(&format!("sim.volume_mask.{place}"), async move |session: &mut Session| {
                session.volume_mask(&group, &volume).await
            })
            .await;
        let mut session = story.reopened().await;
        let again = session.volume_mask(&story.group, &story.plain).await;
        if masked {
            assert_eq!(refusal(again), ErrorNumber::NoStateChange, "{place}");
        } else {
            again.unwrap();
        }
    }
}

#[tokio::test]
async fn an_unmask_can_be_repeated_until_it_is_done() {
    for (place, unmasked) in [("before", false), ("after_file", false), ("after_commit", true)] {
        let story = Story::new().await;
        let (group, volume) = (story.group.clone(), story.masked.clone());
        story
            .killed_at(&format!("sim.volume_unmask.{place}"), async move |session: &mut Session| {
                session.volume_unmask(&group, &volume).await
            })
            .await;
        let mut session = story.reopened().await;
        let again = session.volume_unmask(&story.group, &story.masked).await;
        if unmasked {
            assert_eq!(refusal(again), ErrorNumber::NoStateChange, "{place}");
        } else {
            again.unwrap();
        }
        assert!(story.bench.shown().is_empty());
    }
}
