//! What is in file systems and volumes after they were copied, brought back or tied: the data plane, byte by byte.

use std::{collections::BTreeMap, fs, os::unix::fs::FileExt, path::PathBuf};

use sanfleet_driver::{BlockRange, ErrorNumber, FileSystem, JobId, ReplicateType, Snapshot, client::Session};

use crate::bench::{Bench, done, pool, refusal, volume};

const MIB: u64 = 1 << 20;

/// An array with one file system, in which are `a` and `folder/b`.
struct Home {
    bench: Bench,
    session: Session,
    fs: FileSystem,
}

impl Home {
    async fn new() -> Self {
        let bench = Bench::new();
        let mut session = bench.open().await;
        let pool = pool(&mut session).await;
        let fs = done(session.fs_create(&pool, "home", 8 * MIB).await.unwrap());
        let home = Self { bench, session, fs };
        home.write("a", "a before");
        home.write("folder/b", "b before");
        home
    }

    fn tree(&self, id: &str) -> PathBuf {
        self.bench.path("data/fs").join(id)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.tree(self.fs.id.as_str()).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Every file of a tree with what is in it.
    fn contents(&self, id: &str) -> BTreeMap<String, String> {
        let root = self.tree(id);
        let (mut folders, mut found) = (vec![root.clone()], BTreeMap::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read_to_string(path).unwrap());
                }
            }
        }
        found
    }

    fn own(&self) -> BTreeMap<String, String> {
        self.contents(self.fs.id.as_str())
    }

    async fn snapshot(&mut self) -> Snapshot {
        done(self.session.fs_snapshot_create(&self.fs, "before").await.unwrap())
    }

    /// A snapshot of the beginning, and then everything is another.
    async fn changed_since_snapshot(&mut self) -> Snapshot {
        let snapshot = self.snapshot().await;
        self.write("a", "a after");
        self.write("c", "c after");
        fs::remove_file(self.tree(self.fs.id.as_str()).join("folder/b")).unwrap();
        snapshot
    }

    /// Brings files back under these names; all of them without any.
    async fn restore(&mut self, snapshot: &Snapshot, files: &[&str], names: &[&str]) -> Option<JobId> {
        let [files, names] = [files, names].map(|list| list.iter().map(|name| (*name).to_owned()).collect());
        let (files, names): (Vec<String>, Vec<String>) = (files, names);
        let all = files.is_empty();
        self.session.fs_snapshot_restore(&self.fs, snapshot, &files, &names, all).await.unwrap()
    }

    async fn end(self) {
        self.session.close().await.unwrap();
        self.bench.assert_sound();
    }
}

fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const BEFORE: [(&str, &str); 2] = [("a", "a before"), ("folder/b", "b before")];
const AFTER: [(&str, &str); 2] = [("a", "a after"), ("c", "c after")];

#[tokio::test]
async fn a_snapshot_keeps_what_was_there_when_it_was_taken() {
    let mut home = Home::new().await;
    let snapshot = home.changed_since_snapshot().await;
    assert_eq!(home.contents(snapshot.id.as_str()), files(&BEFORE));
    assert_eq!(home.own(), files(&AFTER));
    home.end().await;
}

#[tokio::test]
async fn all_of_a_snapshot_comes_back_and_what_is_newer_goes() {
    let mut home = Home::new().await;
    let snapshot = home.changed_since_snapshot().await;
    assert_eq!(home.restore(&snapshot, &[], &[]).await, None);
    assert_eq!(home.own(), files(&BEFORE));
    // The snapshot is apart from what came of it.
    home.write("a", "a again");
    assert_eq!(home.contents(snapshot.id.as_str()), files(&BEFORE));
    home.end().await;
}

#[tokio::test]
async fn one_file_of_a_snapshot_comes_back_and_the_others_stay() {
    let mut home = Home::new().await;
    let snapshot = home.changed_since_snapshot().await;
    home.restore(&snapshot, &["/folder/b"], &[]).await;
    assert_eq!(home.own(), files(&[("a", "a after"), ("c", "c after"), ("folder/b", "b before")]));
    home.end().await;
}

#[tokio::test]
async fn a_file_of_a_snapshot_comes_back_under_another_name() {
    let mut home = Home::new().await;
    let snapshot = home.changed_since_snapshot().await;
    home.restore(&snapshot, &["a", "folder/b"], &["old/a", "c"]).await;
    assert_eq!(home.own(), files(&[("a", "a after"), ("c", "b before"), ("old/a", "a before")]));
    home.end().await;
}

#[tokio::test]
async fn a_clone_of_a_snapshot_has_what_the_snapshot_has_and_goes_its_own_way() {
    let mut home = Home::new().await;
    let snapshot = home.changed_since_snapshot().await;
    let old = done(home.session.fs_clone(&home.fs, "old", Some(&snapshot)).await.unwrap());
    let new = done(home.session.fs_clone(&home.fs, "new", None).await.unwrap());
    home.write("a", "a at last");
    fs::write(home.tree(new.id.as_str()).join("c"), "c of the clone").unwrap();
    assert_eq!(home.contents(old.id.as_str()), files(&BEFORE));
    assert_eq!(home.contents(new.id.as_str()), files(&[("a", "a after"), ("c", "c of the clone")]));
    assert_eq!(home.own(), files(&[("a", "a at last"), ("c", "c after")]));
    home.end().await;
}

#[tokio::test]
async fn a_clone_of_a_file_has_its_contents_as_they_are_or_as_a_snapshot_has_them() {
    let mut home = Home::new().await;
    let snapshot = home.changed_since_snapshot().await;
    home.session.fs_file_clone(&home.fs, "a", "new/a", None).await.unwrap();
    home.session.fs_file_clone(&home.fs, "a", "old/a", Some(&snapshot)).await.unwrap();
    home.write("a", "a at last");
    let expected = [("a", "a at last"), ("c", "c after"), ("new/a", "a after"), ("old/a", "a before")];
    assert_eq!(home.own(), files(&expected));
    let nothing = home.session.fs_file_clone(&home.fs, "folder/b", "b", None).await;
    assert_eq!(refusal(nothing), ErrorNumber::NotFoundGeneric);
    assert_eq!(home.own(), files(&expected));
    home.end().await;
}

#[tokio::test]
async fn a_file_system_of_another_size_has_the_same_contents_and_is_never_smaller_than_they_are() {
    let mut home = Home::new().await;
    for size in [16 * MIB, MIB] {
        home.fs = done(home.session.fs_resize(&home.fs, size).await.unwrap());
        assert_eq!((home.fs.total_space, home.own()), (Some(size), files(&BEFORE)));
    }
    home.write("large", &"x".repeat(900 << 10));
    assert_eq!(refusal(home.session.fs_resize(&home.fs, 512 << 10).await), ErrorNumber::NotEnoughSpace);
    assert_eq!(refusal(home.session.fs_resize(&home.fs, MIB).await), ErrorNumber::NoStateChange);
    assert_eq!(home.own()["large"].len(), 900 << 10);
    home.end().await;
}

#[tokio::test]
async fn a_file_system_is_free_of_its_clone_when_the_tie_is_cut_and_both_keep_their_files() {
    let mut home = Home::new().await;
    assert!(!home.session.fs_child_dependency(&home.fs, &[]).await.unwrap());
    let clone = done(home.session.fs_clone(&home.fs, "clone", None).await.unwrap());
    assert!(home.session.fs_child_dependency(&home.fs, &[]).await.unwrap());
    assert_eq!(refusal(home.session.fs_delete(&home.fs).await), ErrorNumber::HasChildDependency);

    assert_eq!(home.session.fs_child_dependency_rm(&home.fs, &[]).await.unwrap(), None);
    assert!(!home.session.fs_child_dependency(&home.fs, &[]).await.unwrap());
    assert_eq!(refusal(home.session.fs_child_dependency_rm(&home.fs, &[]).await), ErrorNumber::NoStateChange);
    assert_eq!((home.own(), home.contents(clone.id.as_str())), (files(&BEFORE), files(&BEFORE)));
    home.session.fs_delete(&home.fs).await.unwrap();
    assert_eq!(home.contents(clone.id.as_str()), files(&BEFORE));
    home.end().await;
}

#[tokio::test]
async fn a_file_is_free_of_its_clones_when_its_own_tie_is_cut() {
    let mut home = Home::new().await;
    home.session.fs_file_clone(&home.fs, "a", "a2", None).await.unwrap();
    home.session.fs_file_clone(&home.fs, "folder/b", "b2", None).await.unwrap();
    let [a, b] = ["a", "folder/b"].map(|file| [file.to_owned()]);
    home.session.fs_child_dependency_rm(&home.fs, &a).await.unwrap();
    assert!(!home.session.fs_child_dependency(&home.fs, &a).await.unwrap());
    assert!(home.session.fs_child_dependency(&home.fs, &b).await.unwrap());
    let [first, second] = BEFORE;
    assert_eq!(home.own(), files(&[first, second, ("a2", "a before"), ("b2", "b before")]));
    home.end().await;
}

/// Blocks of 512 bytes, each with its own number in it.
fn numbered(blocks: std::ops::Range<u8>) -> Vec<u8> {
    blocks.flat_map(|number| [number; 512]).collect()
}

#[tokio::test]
async fn ranges_put_blocks_where_they_are_told_and_touch_no_other() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    for kind in [ReplicateType::COPY, ReplicateType::CLONE] {
        let source = volume(&mut session, &format!("source {kind:?}"), 16 * 512).await;
        let target = volume(&mut session, &format!("target {kind:?}"), 16 * 512).await;
        let write = |volume, bytes: &[u8]| {
            let file = fs::File::options().write(true).open(bench.file_of(volume)).unwrap();
            file.write_all_at(bytes, 0).unwrap();
        };
        write(&source, &numbered(1..17));
        write(&target, &numbered(101..117));
        let range = |src_block, dest_block, block_count| BlockRange { src_block, dest_block, block_count };
        let ranges = [range(0, 14, 2), range(10, 3, 4)];
        let job = session.volume_replicate_range(kind, &source, &target, &ranges).await.unwrap();
        assert_eq!(job, None);
        let mut expected = numbered(101..117);
        expected[14 * 512..].copy_from_slice(&numbered(1..3));
        expected[3 * 512..7 * 512].copy_from_slice(&numbered(11..15));
        assert!(fs::read(bench.file_of(&target)).unwrap() == expected, "{kind:?}");

        // Apart from then on, and in one volume too.
        write(&source, &numbered(201..202));
        assert!(fs::read(bench.file_of(&target)).unwrap() == expected, "{kind:?}");
        session.volume_replicate_range(kind, &source, &source, &[range(0, 8, 2)]).await.unwrap();
        let read = fs::read(bench.file_of(&source)).unwrap();
        assert!(read[8 * 512..10 * 512] == [numbered(201..202), numbered(2..3)].concat(), "{kind:?}");
    }
    session.close().await.unwrap();
    bench.assert_sound();
}
