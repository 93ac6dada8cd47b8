//! iSCSI between real kernels: Linux' target, open-iscsi, and our agent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is a test")]

use sanfleet_lab::{Array, Host, Lab};
use sanfleet_protocol::TargetPath;
use sanfleet_tests::failpoint::Hold;

const HOST: &str = "host1";
const USER: &str = "host1-chap";
const PASSWORD: &str = "a-secret-of-16-bytes";
const BYTES: u64 = 64 << 20;

/// An array with volumes 1 and 2, and a host that it admits.
struct Pair {
    array: Array,
    host: Host,
    /// The last to go.
    _lab: Lab,
}

fn pair() -> Pair {
    pair_with(PASSWORD)
}

/// With what the host takes for its password.
fn pair_with(password: &str) -> Pair {
    let lab = Lab::open().unwrap();
    let (mut array, mut host) = (Array::boot(&lab).unwrap(), Host::boot(&lab, HOST, 2).unwrap());
    array.begin().unwrap();
    array.admit(HOST, USER, PASSWORD).unwrap();
    for volume in [1, 2] {
        array.make(volume, BYTES).unwrap();
    }
    host.begin(USER, password).unwrap();
    Pair { array, host, _lab: lab }
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn a_mapped_volume_is_found_used_and_detached_and_leaves_neither_disk_nor_session() {
    let Pair { _lab, mut array, mut host } = pair();
    let first = array.map(1, HOST, 1).unwrap();
    let second = array.map(2, HOST, 300).unwrap();

    let disk = host.rescan(&first).unwrap();
    assert_eq!(host.rescan(&first).unwrap(), disk, "twice is once");
    assert_eq!(host.left().unwrap(), ["sda", "session1"], "nobody has asked for the other volume");
    assert!(host.check().unwrap().contains(&first.id.to_string()));

    let other = host.rescan(&second).unwrap();
    assert_ne!(disk, other);
    let mount =
        format!("set -e; mkfs.ext4 -q {disk}; mkdir -p /run/m; mount {disk} /run/m; echo words >/run/m/file");
    host.run(&mount).unwrap();
    let used = host.detach(&first).unwrap_err().to_string();
    assert!(used.contains("in use"), "{used}");
    host.run("umount /run/m").unwrap();

    host.detach(&first).unwrap();
    assert_eq!(host.left().unwrap(), ["sdb", "session1"], "the session has a unit left");
    array.unmap(HOST, 1).unwrap();
    host.detach(&second).unwrap();
    assert!(host.left().unwrap().is_empty());
    array.unmap(HOST, 300).unwrap();

    let again = array.map(1, HOST, 5).unwrap();
    let disk = host.rescan(&again).unwrap();
    assert_eq!(
        host.run(&format!("mount {disk} /run/m && cat /run/m/file && umount /run/m")).unwrap(),
        "words\n"
    );
    host.detach(&again).unwrap();
    assert!(host.left().unwrap().is_empty());
    let mode = host.run("stat -c %a /etc/iscsi/nodes/*/*").unwrap();
    assert_eq!(mode, "600\n", "the record with the password is for root alone");
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn a_unit_that_becomes_another_volume_behind_the_hosts_back_is_refused_and_the_right_one_found_anew() {
    let Pair { _lab, mut array, mut host } = pair();
    let before = array.map(1, HOST, 1).unwrap();
    let disk = host.rescan(&before).unwrap();
    array.unmap(HOST, 1).unwrap();
    let after = array.map(2, HOST, 1).unwrap();

    let refused = host.detach(&before).unwrap_err().to_string();
    assert!(refused.contains(&format!("is volume {}, not {}", after.id, before.id)), "{refused}");
    let refused = host.rescan(&before).unwrap_err().to_string();
    assert!(refused.contains(&format!("volume {}", after.id)), "{refused}");
    assert!(
        host.left().unwrap().is_empty(),
        "neither the old disk nor one of a volume that nobody asked for"
    );

    assert_eq!(host.rescan(&after).unwrap(), disk);
    array.unmap(HOST, 1).unwrap();
    let again = array.map(1, HOST, 1).unwrap();
    host.rescan(&again).unwrap();
    assert!(host.check().unwrap().contains(&again.id.to_string()));
    host.detach(&again).unwrap();
    assert!(host.left().unwrap().is_empty());
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn what_is_dirty_of_the_old_volume_is_not_written_to_the_one_in_its_place() {
    let Pair { _lab, mut array, mut host } = pair();
    let before = array.map(1, HOST, 1).unwrap();
    let disk = host.rescan(&before).unwrap();
    // Whoever only has it open does not keep anybody from taking it away, and nothing is written back before that.
    let dirty = format!(
        "echo 360000 >/proc/sys/vm/dirty_expire_centisecs
        setsid sh -c 'exec 9<>{disk}; echo old >&9; echo $$ >/run/writer; exec sleep 600' >/dev/null 2>&1 &
        while ! [ -s /run/writer ]; do :; done"
    );
    host.run(&dirty).unwrap();
    array.unmap(HOST, 1).unwrap();
    let after = array.map(2, HOST, 1).unwrap();
    let disk = host.rescan(&after).unwrap();
    host.run("kill $(cat /run/writer)").unwrap();
    assert_eq!(host.run(&format!("head -c 4096 {disk} | tr -d '\\0'")).unwrap(), "");
    host.detach(&after).unwrap();
    assert!(host.left().unwrap().is_empty());
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn what_one_host_has_written_another_one_reads_when_the_volume_is_shown_to_it() {
    let lab = Lab::open().unwrap();
    let mut array = Array::boot(&lab).unwrap();
    let mut hosts =
        [("host1", 2), ("host2", 3)].map(|(name, number)| (name, Host::boot(&lab, name, number).unwrap()));
    array.begin().unwrap();
    array.make(1, BYTES).unwrap();
    for (name, host) in &mut hosts {
        array.admit(name, USER, PASSWORD).unwrap();
        host.begin(USER, PASSWORD).unwrap();
    }
    let [(one, writer), (other, reader)] = &mut hosts;
    let shown = array.map(1, one, 1).unwrap();
    let disk = writer.rescan(&shown).unwrap();
    writer.run(&format!("echo words >{disk}")).unwrap();
    writer.detach(&shown).unwrap();
    array.unmap(one, 1).unwrap();

    let shown = array.map(1, other, 2).unwrap();
    let disk = reader.rescan(&shown).unwrap();
    assert_eq!(reader.run(&format!("head -n 1 {disk}")).unwrap(), "words\n");
    reader.detach(&shown).unwrap();
    for (name, host) in &mut hosts {
        assert!(host.left().unwrap().is_empty(), "{name}");
    }
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn a_portal_that_does_not_answer_is_passed_over_for_the_next_one() {
    let Pair { _lab, mut array, mut host } = pair();
    let mut shown = array.map(1, HOST, 1).unwrap();
    let TargetPath::Iscsi(mut dead) = shown.paths[0].clone() else { panic!("{shown:?}") };
    dead.portal = "10.78.0.99:3260".parse().unwrap();
    shown.paths.insert(0, TargetPath::Iscsi(dead));
    host.rescan(&shown).unwrap();
    assert_eq!(host.left().unwrap().len(), 2, "one disk and one session");
    host.detach(&shown).unwrap();
    assert!(host.left().unwrap().is_empty());
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn a_host_with_the_wrong_password_is_told_so_and_gets_nothing() {
    let Pair { _lab, mut array, mut host } = pair_with("another-secret-word");
    let shown = array.map(1, HOST, 1).unwrap();
    let refused = host.rescan(&shown).unwrap_err().to_string();
    assert!(refused.contains("authorization failure") && !refused.contains("another-secret"), "{refused}");
    assert!(host.left().unwrap().is_empty());
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn what_the_array_has_taken_away_first_goes_from_the_host_as_soon_as_nobody_uses_it() {
    let Pair { _lab, mut array, mut host } = pair();
    let shown = array.map(1, HOST, 1).unwrap();
    let disk = host.rescan(&shown).unwrap();
    let use_it = "mkdir -p /run/m; mount DISK /run/m; echo words >/run/m/file; sync".replace("DISK", &disk);
    host.run(&format!("set -e; mkfs.ext4 -q {disk}; {use_it}")).unwrap();
    array.unmap(HOST, 1).unwrap();
    let used = host.detach(&shown).unwrap_err().to_string();
    assert!(used.contains("in use"), "{used}");
    host.run("umount /run/m").unwrap();
    host.detach(&shown).unwrap();
    assert!(host.left().unwrap().is_empty());

    // Taken away once more, it does not stand in the way of itself under another number.
    let again = array.map(1, HOST, 2).unwrap();
    host.rescan(&again).unwrap();
    array.unmap(HOST, 2).unwrap();
    let again = array.map(1, HOST, 3).unwrap();
    let disk = host.rescan(&again).unwrap();
    assert_eq!(host.left().unwrap().len(), 2, "one disk and one session");
    host.run(&format!("mount {disk} /run/m && grep -q words /run/m/file && umount /run/m")).unwrap();
    host.detach(&again).unwrap();
    assert!(host.left().unwrap().is_empty());
}

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn a_disk_that_does_not_answer_is_reported_as_that_and_keeps_nothing_else_from_being_reported() {
    let Pair { _lab, mut array, mut host } = pair();
    let shown = array.map(1, HOST, 1).unwrap();
    host.rescan(&shown).unwrap();
    host.run("modprobe loop; truncate -s 64M /run/other; losetup -f /run/other").unwrap();
    array.cut().unwrap();
    let report = host.check_without_end().unwrap();
    assert!(report.contains(&shown.id.to_string()), "it is known what it was: {report}");
    assert!(report.contains("\"unreadable\": \"did not answer within"), "{report}");
    assert!(report.contains("loop0"), "{report}");
    array.connect().unwrap();
    host.run("until dd if=/dev/sda of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; do :; done").unwrap();
    host.detach(&shown).unwrap();
    assert!(host.left().unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs guests: cargo xtask lab"]
async fn an_agent_that_is_killed_between_writing_back_and_removing_leaves_what_the_next_one_removes() {
    let Pair { _lab, mut array, mut host } = pair();
    let shown = array.map(1, HOST, 1).unwrap();
    let disk = host.rescan(&shown).unwrap();
    host.run(&format!("echo words >{disk}")).unwrap();
    let hold = Hold::new(&host.failpoints(), "agent.scsi.flushed").unwrap();
    host.begin_detach(&shown).unwrap();
    hold.reached().await.unwrap();
    host.kill_detach().unwrap();
    drop(hold);
    assert_eq!(host.left().unwrap(), ["sda", "session1"]);
    host.detach(&shown).unwrap();
    assert!(host.left().unwrap().is_empty());
    let disk = host.rescan(&shown).unwrap();
    assert_eq!(host.run(&format!("head -n 1 {disk}")).unwrap(), "words\n");
    host.detach(&shown).unwrap();
    assert!(host.left().unwrap().is_empty());
}
