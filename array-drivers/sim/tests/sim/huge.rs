//! An array of a hundred thousand volumes, which have no files before somebody wants them.

use crate::bench::{Bench, HOST_A, clone, delete, group};

#[tokio::test]
async fn a_hundred_thousand_volumes_are_listed_in_pieces_and_each_can_be_used() {
    let bench = Bench::new();
    let mut session = bench.open_with("&profile=huge", Vec::new()).await.unwrap();
    let (mut count, mut cursor, mut first) = (0, None, None);
    loop {
        let page = session.volumes_page(cursor.as_deref(), 10_000).await.unwrap();
        count += page.items.len();
        first = first.or(page.items.into_iter().next());
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(count, 100_000);
    assert_eq!(session.volumes(None).await.unwrap().len(), count);
    assert!(bench.files().is_empty(), "files that nobody wanted");

    let volume = first.unwrap().volume;
    let copy = clone(&mut session, &volume, "copy").await;
    assert_eq!(bench.files().len(), 2);
    let group = group(&mut session, "g", HOST_A).await;
    session.volume_mask(&group, &volume).await.unwrap();
    assert_eq!(bench.shown().into_values().collect::<Vec<_>>(), [bench.inode(&volume)]);
    delete(&mut session, &copy).await;
    session.close().await.unwrap();
    bench.assert_sound();
}
