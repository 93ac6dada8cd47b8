use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

fn trees() -> (tempfile::TempDir, Trees) {
    let folder = tempfile::tempdir().unwrap();
    let trees = Trees::new(folder.path());
    drop(trees.create("one").unwrap());
    (folder, trees)
}

fn inner(name: &str) -> InnerPath {
    InnerPath::parse(name).unwrap()
}

#[test]
fn a_filled_tree_has_the_files_folders_and_links_of_the_other() {
    let (_folder, trees) = trees();
    fs::create_dir(trees.path("one").join("folder")).unwrap();
    fs::write(trees.path("one").join("folder/file"), "contents").unwrap();
    symlink("/etc/passwd", trees.path("one").join("link")).unwrap();
    drop(trees.create("two").unwrap());
    trees.fill("two", "one").unwrap();
    assert_eq!(fs::read_to_string(trees.path("two").join("folder/file")).unwrap(), "contents");
    assert_eq!(fs::read_link(trees.path("two").join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(trees.used("two").unwrap(), trees.used("one").unwrap());
}

#[test]
fn a_link_out_of_the_tree_is_neither_read_nor_written_through() {
    let (outside, trees) = trees();
    let root = trees.path("one");
    fs::write(outside.path().join("secret"), "mine").unwrap();
    fs::write(root.join("file"), "theirs").unwrap();
    symlink(outside.path(), root.join("out")).unwrap();
    symlink(outside.path().join("secret"), root.join("link")).unwrap();
    for name in ["out/secret", "link"] {
        assert!(trees.copy_file(("one", &inner(name)), ("one", &inner("stolen"))).is_err(), "{name}");
    }
    assert!(trees.copy_file(("one", &inner("file")), ("one", &inner("out/made"))).is_err());
    // The link itself gives way; what it led to stays.
    trees.copy_file(("one", &inner("file")), ("one", &inner("link"))).unwrap();
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "mine");
    assert!(!outside.path().join("made").exists() && !root.join("stolen").exists());
}

#[test]
fn a_tree_is_being_filled_as_long_as_its_maker_holds_it() {
    let (_folder, trees) = trees();
    let held = trees.create("two").unwrap();
    assert!(trees.is_being_filled("two").unwrap());
    drop(held);
    assert!(!trees.is_being_filled("two").unwrap() && !trees.is_being_filled("three").unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_name_writes_outside_its_tree(name in "(/|\\.\\./|\\./|a/|out/|up/){0,5}(f|\\.\\.|a|out)?") {
        let (folder, trees) = trees();
        let root = trees.path("one");
        fs::write(root.join("file"), "x").unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        symlink(folder.path().join("outside"), root.join("out")).unwrap();
        symlink("..", root.join("up")).unwrap();
        if let Ok(target) = InnerPath::parse(&name) {
            let _ = trees.copy_file(("one", &inner("file")), ("one", &target));
        }
        prop_assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
        let mut beside = trees.names().unwrap();
        beside.retain(|name| name != INCOMING);
        prop_assert_eq!(beside, ["one"]);
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
