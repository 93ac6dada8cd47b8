//! The process dies in a change of more than one step: of a size, of pieces, of disks, of a mirror, of a map.

use std::{fs, os::unix::fs::FileExt};

use sanfleet_driver::{
    BlockRange, Disk, DiskStatus, ErrorNumber, InitiatorType, RaidType, ReplicateType, client::Session,
};

use crate::{
    Story,
    bench::{HOST_A, done, refusal},
};

#[tokio::test]
async fn a_size_is_the_old_or_the_new_one_in_row_and_file_alike() {
    for (place, resized) in
        [("before", false), ("after_decision", true), ("after_file", true), ("after_commit", true)]
    {
        for new_size in [8 << 20, 2 << 20] {
            let story = Story::new().await;
            let volume = story.plain.clone();
            story
                .killed_at(&format!("sim.volume_resize.{place}"), async move |session: &mut Session| {
                    session.volume_resize(&volume, new_size).await
                })
                .await;
            let mut session = story.reopened().await;
            let found = session.volume(&story.plain.id).await.unwrap().unwrap().size_bytes().unwrap();
            let expected = if resized { new_size } else { 4 << 20 };
            assert_eq!(found, expected, "{place}");
            let file = fs::read(story.bench.file_of(&story.plain)).unwrap();
            let kept = usize::try_from(expected.min(4 << 20)).unwrap();
            assert!(file[..kept].iter().all(|byte| *byte == 7), "{place}: contents are gone");
        }
    }
}

#[tokio::test]
async fn pieces_that_went_over_change_nothing_but_their_places() {
    for place in ["before", "after_piece", "after_commit"] {
        let story = Story::new().await;
        let (source, target) = (story.plain.clone(), story.masked.clone());
        let ranges = [
            BlockRange { src_block: 0, dest_block: 2, block_count: 1 },
            BlockRange { src_block: 0, dest_block: 4, block_count: 1 },
        ];
        story
            .killed_at(&format!("sim.volume_replicate_range.{place}"), async move |session: &mut Session| {
                session.volume_replicate_range(ReplicateType::CLONE, &source, &target, &ranges).await
            })
            .await;
        let mut session = story.reopened().await;
        let tied = session.volume_child_dependency(&story.plain).await.unwrap();
        assert_eq!(tied, place == "after_commit", "{place}");
        let file = fs::read(story.bench.file_of(&story.masked)).unwrap();
        let written: Vec<usize> = (0..file.len() / 512).filter(|block| file[block * 512] == 7).collect();
        let expected: &[usize] = match place {
            "before" => &[],
            "after_piece" => &[2],
            _ => &[2, 4],
        };
        assert_eq!(written, expected, "{place}");
    }
}

#[tokio::test]
async fn disks_are_taken_with_their_volume_or_free() {
    for (place, made) in [("before", false), ("after_file", false), ("after_commit", true)] {
        let story = Story::new().await;
        let mut session = story.bench.open().await;
        let disks: Vec<Disk> = free_disks(&mut session).await.into_iter().take(3).collect();
        session.close().await.unwrap();
        let given = disks.clone();
        story
            .killed_at(&format!("sim.volume_raid_create.{place}"), async move |session: &mut Session| {
                session.volume_raid_create("raid", RaidType::RAID5, &given, 0).await
            })
            .await;
        let mut session = story.reopened().await;
        let free = free_disks(&mut session).await.len();
        assert_eq!(free, if made { 7 } else { 10 }, "{place}");
        let again = session.volume_raid_create("raid", RaidType::RAID5, &disks, 0).await;
        if made {
            assert_eq!(refusal(again), ErrorNumber::DiskNotFree, "{place}");
        } else {
            again.unwrap();
        }
    }
}

async fn free_disks(session: &mut Session) -> Vec<Disk> {
    let disks = session.disks(None).await.unwrap();
    disks.into_iter().filter(|disk| disk.status.contains(DiskStatus::FREE)).collect()
}

#[tokio::test]
async fn a_mirror_whose_update_was_cut_short_is_updated_before_anybody_reads_it() {
    for place in ["after_mark", "after_file"] {
        for kind in [ReplicateType::MIRROR_SYNC, ReplicateType::MIRROR_ASYNC] {
            let story = Story::new().await;
            let mut session = story.bench.open().await;
            let mirror = done(session.volume_replicate(None, kind, &story.plain, "mirror").await.unwrap());
            session.close().await.unwrap();
            let source = fs::File::options().write(true).open(story.bench.file_of(&story.plain)).unwrap();
            source.write_all_at(b"later", 1 << 20).unwrap();
            let asked = mirror.clone();
            story
                .killed_at(&format!("sim.mirror_update.{place}"), async move |session: &mut Session| {
                    session.volume_replication(&asked).await
                })
                .await;
            let mut session = story.reopened().await;
            session.volume_child_dependency_rm(&story.plain).await.unwrap();
            let (found, expected) = (story.bench.file_of(&mirror), story.bench.file_of(&story.plain));
            assert_eq!(fs::read(found).unwrap(), fs::read(expected).unwrap(), "{place}");
        }
    }
}

#[tokio::test]
async fn a_map_once_recorded_is_shown_and_an_unmap_can_be_repeated() {
    let iscsi = InitiatorType::ISCSI;
    for (place, mapped) in [("volume_map.before", false), ("volume_map.after_commit", true)] {
        let story = Story::new().await;
        let volume = story.plain.clone();
        story
            .killed_at(&format!("sim.{place}"), async move |session: &mut Session| {
                session.volume_map(&volume, "iqn.2026-01.example:c", iscsi, None).await
            })
            .await;
        let mut session = story.bench.open().await;
        story.bench.assert_sound();
        assert_eq!(
            session.volume_mappings(&story.plain).await.unwrap().len(),
            usize::from(mapped),
            "{place}"
        );
    }
    for place in ["volume_unmap.before", "volume_unmap.after_file"] {
        let story = Story::new().await;
        let mut session = story.bench.open().await;
        session.volume_map(&story.plain, HOST_A, iscsi, None).await.unwrap();
        session.close().await.unwrap();
        let volume = story.plain.clone();
        story
            .killed_at(&format!("sim.{place}"), async move |session: &mut Session| {
                session.volume_unmap(&volume, HOST_A, iscsi).await
            })
            .await;
        let mut session = story.bench.open().await;
        story.bench.assert_sound();
        session.volume_unmap(&story.plain, HOST_A, iscsi).await.unwrap();
        assert_eq!(story.bench.shown().len(), 2, "the masked volume alone, to both initiators");
    }
}
