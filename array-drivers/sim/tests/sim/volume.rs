use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
};

use sanfleet_driver::{ErrorNumber, Pool, PoolId, Provisioning, ReplicateType, Search};

use crate::bench::{Bench, delete, done, pool, refusal, volume};

#[tokio::test]
async fn a_size_is_rounded_up_and_the_volume_is_a_sparse_file() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let volume = volume(&mut session, "data", (1 << 30) + 1).await;
    assert_eq!(volume.id.as_str(), "VOL_ID_00001");
    assert_eq!(volume.size_bytes(), Some((1 << 30) + 512));
    assert!(volume.vpd83.starts_with("602534e") && volume.volume_id().is_some_and(|id| id.is_strong()));
    let file = fs::metadata(bench.file_of(&volume)).unwrap();
    assert_eq!((file.len(), file.blocks()), ((1 << 30) + 512, 0));
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let mut session = bench.open_with("&pool_bytes=1048576", Vec::new()).await.unwrap();
    let pool = pool(&mut session).await;
    volume(&mut session, "data", 1 << 19).await;
    let no_pool = Pool { id: PoolId::new("POOL_ID_00099"), ..pool.clone() };
    for (pool, name, bytes, expected) in [
        (&pool, "data", 512, ErrorNumber::NameConflict),
        (&pool, "more", (1 << 19) + 1, ErrorNumber::NotEnoughSpace),
        (&pool, "huge", u64::MAX - 1, ErrorNumber::NotEnoughSpace),
        (&pool, "none", 0, ErrorNumber::InvalidArgument),
        (&pool, "", 512, ErrorNumber::InvalidArgument),
        (&no_pool, "other", 512, ErrorNumber::NotFoundPool),
    ] {
        let outcome = session.volume_create(pool, name, bytes, Provisioning::DEFAULT).await;
        assert_eq!(refusal(outcome), expected, "{name:?}");
    }
    assert_eq!(bench.files(), ["VOL_ID_00001"]);
    assert_eq!(volume(&mut session, "rest", 1 << 19).await.id.as_str(), "VOL_ID_00002");
}

#[tokio::test]
async fn a_clone_has_the_contents_of_its_source_and_goes_its_own_way() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    for kind in [ReplicateType::CLONE, ReplicateType::COPY] {
        let source = volume(&mut session, "source", 8 << 20).await;
        let source_file = File::options().write(true).open(bench.file_of(&source)).unwrap();
        source_file.write_all_at(b"before", 5 << 20).unwrap();
        let copy = done(session.volume_replicate(None, kind, &source, "copy").await.unwrap());
        source_file.write_all_at(b"after!", 5 << 20).unwrap();

        if kind == ReplicateType::CLONE {
            session.volume_child_dependency_rm(&source).await.unwrap();
        }
        delete(&mut session, &source).await;
        let mut read = [0; 6];
        File::open(bench.file_of(&copy)).unwrap().read_exact_at(&mut read, 5 << 20).unwrap();
        assert_eq!(&read, b"before");
        assert_eq!((copy.size_bytes(), &copy.pool_id), (source.size_bytes(), &source.pool_id));
        assert_ne!(copy.volume_id(), source.volume_id());
        delete(&mut session, &copy).await;
    }
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn a_clone_takes_its_full_size_from_the_pool() {
    let bench = Bench::new();
    let mut session = bench.open_with("&pool_bytes=1048576", Vec::new()).await.unwrap();
    let source = volume(&mut session, "source", 600 << 10).await;
    let outcome = session.volume_replicate(None, ReplicateType::CLONE, &source, "clone").await;
    assert_eq!(refusal(outcome), ErrorNumber::NotEnoughSpace);
    let other =
        session.pools(None).await.unwrap().into_iter().find(|pool| pool.id != source.pool_id).unwrap();
    let clone = session.volume_replicate(Some(&other), ReplicateType::CLONE, &source, "clone").await.unwrap();
    assert_eq!(done(clone).pool_id, other.id);
}

#[tokio::test]
async fn an_unknown_kind_of_copy_and_a_name_that_is_taken_are_refused() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let source = volume(&mut session, "source", 512).await;
    let outcome = session.volume_replicate(None, ReplicateType(77), &source, "m").await;
    assert_eq!(refusal(outcome), ErrorNumber::InvalidArgument);
    let outcome = session.volume_replicate(None, ReplicateType::CLONE, &source, "source").await;
    assert_eq!(refusal(outcome), ErrorNumber::NameConflict);
}

#[tokio::test]
async fn an_id_is_never_given_twice() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let first = volume(&mut session, "data", 512).await;
    delete(&mut session, &first).await;
    assert_eq!(refusal(session.volume_delete(&first).await), ErrorNumber::NotFoundVolume);
    session.close().await.unwrap();
    let mut session = bench.open().await;
    assert_ne!(volume(&mut session, "data", 512).await.id, first.id);
}

#[tokio::test]
async fn a_list_can_be_searched() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let volume = volume(&mut session, "data", 512).await;
    for (key, value, count) in
        [("id", volume.id.as_str(), 1), ("pool_id", volume.pool_id.as_str(), 1), ("id", "none", 0)]
    {
        assert_eq!(
            session.volumes(Some(&Search::new(key, value))).await.unwrap().len(),
            count,
            "{key}={value}"
        );
    }
    let outcome = session.volumes(Some(&Search::new("name", "data"))).await;
    assert_eq!(refusal(outcome), ErrorNumber::UnsupportedSearchKey);
}
