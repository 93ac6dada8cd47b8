//! What changed is told, of whatever kind it is, and once.

use sanfleet_driver::{AnonymousId, ChangeKind, client::Session};

use crate::bench::{Bench, HOST_A, done, group, pool, volume};

/// What was told since the token, with the next one.
async fn told(session: &mut Session, since: &str) -> (String, Vec<(ChangeKind, String)>) {
    let changes = session.changes(Some(since), 0).await.unwrap();
    assert!(changes.complete);
    (changes.token, changes.changed.into_iter().map(|change| (change.kind, change.id)).collect())
}

#[tokio::test]
async fn every_kind_of_change_is_told() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let begin = session.changes(None, 0).await.unwrap().token;
    let pool = pool(&mut session).await;

    let made = volume(&mut session, "one", 1 << 20).await;
    let (next, seen) = told(&mut session, &begin).await;
    assert!(seen.contains(&(ChangeKind::Volume, made.id.to_string())), "{seen:?}");
    assert!(seen.contains(&(ChangeKind::Pool, pool.id.to_string())), "{seen:?}");

    let group = group(&mut session, "g", HOST_A).await;
    session.volume_mask(&group, &made).await.unwrap();
    let (next, seen) = told(&mut session, &next).await;
    assert!(seen.contains(&(ChangeKind::AccessGroup, group.id.to_string())), "{seen:?}");
    assert!(seen.contains(&(ChangeKind::Mapping, made.id.to_string())), "{seen:?}");

    let fs = done(session.fs_create(&pool, "fs", 1 << 20).await.unwrap());
    let (next, seen) = told(&mut session, &next).await;
    assert!(seen.contains(&(ChangeKind::FileSystem, fs.id.to_string())), "{seen:?}");

    let snapshot = done(session.fs_snapshot_create(&fs, "s").await.unwrap());
    let (next, seen) = told(&mut session, &next).await;
    assert!(seen.contains(&(ChangeKind::Snapshot, snapshot.id.to_string())), "{seen:?}");

    let hosts = ["192.0.2.7".to_owned()];
    let anyone = AnonymousId::NOT_AVAILABLE;
    let export = session.export_fs(&fs.id, None, &[], &hosts, &[], anyone, anyone, None, None).await.unwrap();
    let (next, seen) = told(&mut session, &next).await;
    assert!(seen.contains(&(ChangeKind::Export, export.id.to_string())), "{seen:?}");

    let (_, seen) = told(&mut session, &next).await;
    assert!(seen.is_empty(), "{seen:?}");
}
