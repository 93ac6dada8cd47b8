//! Whole runs over iSCSI: controller, bus, a Linux machine as the array, and agents in hosts with kernels of their own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is a test")]

use sanfleet_lab::{Host, Lab, Store};
use sanfleet_protocol::v1;
use sanfleet_tests::{
    control::{Control, PATIENCE},
    failpoint::Hold,
    wait,
};

const MIB: u64 = 1 << 20;

struct Fleet {
    control: Control,
    host1: Host,
    host2: Host,
    store: Store,
    /// The last to go.
    lab: Lab,
}

impl Fleet {
    /// `join` has a host join in.
    async fn start(join: impl Fn(&mut Host, &Control) -> anyhow::Result<()>) -> Self {
        let lab = Lab::open().unwrap();
        let mut store = Store::boot(&lab).unwrap();
        let mut host1 = Host::boot(&lab, "host1", 2).unwrap();
        let mut host2 = Host::boot(&lab, "host2", 3).unwrap();
        let mut control = lab.start_control().await.unwrap();
        control.environment.push(("PATH".to_owned(), store.path().unwrap()));
        control.start_controller().unwrap();
        store.begin().unwrap();
        store.open_second_portal().unwrap();
        for host in [&mut host1, &mut host2] {
            join(host, &control).unwrap();
        }
        control.until_online(&["host1", "host2"]).await.unwrap();
        control.cli(&["array", "add", "store", "--uri", &store.uri(), "--no-password"]).unwrap();
        Self { control, host1, host2, store, lab }
    }

    fn order(&self, order: &str) -> String {
        let words: Vec<&str> = order.split(' ').collect();
        self.control.cli(&words).unwrap()
    }

    async fn until_reachable(&self) {
        wait::until_true("the array is listed", PATIENCE, || {
            let status = self.control.cli_json::<v1::StatusReply>(&["status"]);
            status.is_ok_and(|status| status.arrays.iter().all(|array| array.reachable))
        })
        .await
        .unwrap();
    }

    /// The volumes that LVM has for us.
    fn volumes(&mut self) -> usize {
        let listed =
            self.store.run("lvm lvs --noheadings -o lv_name @sanfleet.volume 2>/dev/null || true").unwrap();
        listed.lines().count()
    }

    fn delete_the_last_volume(&self) {
        let list: v1::VolumeListReply = self.control.cli_json(&["volume", "list"]).unwrap();
        let [last] = list.volumes.as_slice() else { panic!("one volume is left: {list:#?}") };
        self.order(&format!("volume delete store/{} --yes", last.name));
    }

    async fn nothing_is_left(&mut self) {
        assert_eq!(self.host1.left().unwrap(), [""; 0]);
        assert_eq!(self.host2.left().unwrap(), [""; 0]);
        assert_eq!(self.volumes(), 0);
        let shown =
            self.store.run("ls /sys/kernel/config/target/core/iblock_7070 | grep sanfleet || true").unwrap();
        assert_eq!(shown, "", "the target shows nothing");
        self.all_is_well().await;
    }

    async fn all_is_well(&self) {
        // It goes by lists of the array, which are a moment old.
        wait::until_true("the doctor finds nothing", PATIENCE, || {
            let doctor = self.control.cli_json::<v1::DoctorListReply>(&["doctor"]);
            doctor.is_ok_and(|doctor| doctor.findings.is_empty())
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn a_volume_is_provisioned_copied_grown_moved_and_deleted_over_iscsi() {
    let mut fleet = Fleet::start(Host::join).await;
    fleet.order("provision --hosts host1 --array store --size 128MiB --fs ext4 --mount /srv/data --yes");
    fleet.host1.run("echo before >/srv/data/words; sync").unwrap();

    fleet.order(
        "backup attach host1:/srv/data --to host2 --mount /srv/copy --quiesce fsfreeze --verify --yes",
    );
    fleet.host1.run("echo after >/srv/data/words; sync").unwrap();
    assert_eq!(fleet.host2.run("cat /srv/copy/words").unwrap(), "before\n");
    assert_eq!(fleet.volumes(), 2);
    fleet.order("backup detach host2:/srv/copy --yes");
    assert_eq!(fleet.volumes(), 1);

    // A copy that stays, and may be written to.
    fleet.order("clone host1:/srv/data --to host1,host2 --rw --mount /srv/clone --yes");
    for host in [&mut fleet.host1, &mut fleet.host2] {
        assert_eq!(host.run("cat /srv/clone/words; echo own >/srv/clone/words").unwrap(), "after\n");
    }
    assert_eq!(fleet.host1.run("cat /srv/data/words").unwrap(), "after\n");

    fleet.order("volume resize host1:/srv/data --size 192MiB --yes");
    let size = size_at(&mut fleet.host1, "/srv/data");
    assert!(size > 160 * MIB, "{size}");

    fleet.order("volume move host1:/srv/data --to host2 --mount /srv/moved --yes");
    assert_eq!(fleet.host2.run("cat /srv/moved/words").unwrap(), "after\n");

    for place in ["host1:/srv/clone", "host2:/srv/clone"] {
        fleet.order(&format!("backup detach {place} --yes"));
    }
    fleet.order("volume detach host2:/srv/moved --yes");
    fleet.delete_the_last_volume();
    fleet.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn a_volume_over_two_portals_is_one_device_and_is_used_while_one_of_them_is_cut() {
    let mut fleet = Fleet::start(Host::join_with_multipath).await;
    fleet.order("provision --hosts host1 --array store --size 64MiB --fs ext4 --mount /srv/data --yes");
    assert_eq!(fleet.host1.paths().unwrap(), ["sda active", "sdb active"]);
    fleet.all_is_well().await;
    assert_eq!(fleet.host1.run("findmnt -n -o MAJ:MIN /srv/data").unwrap().trim(), "254:0");

    fleet.store.cut_second_portal().unwrap();
    fleet.host1.run("echo words >/srv/data/words; sync").unwrap();
    until_paths(&mut fleet.host1, "sda active, sdb failed").await;
    // Who comes now comes in by what is left.
    fleet.order("backup attach host1:/srv/data --to host2 --mount /srv/copy --quiesce fsfreeze --yes");
    assert_eq!(fleet.host2.run("cat /srv/copy/words").unwrap(), "words\n");
    assert_eq!(fleet.host2.paths().unwrap(), ["sda active"]);
    let grow = ["volume", "resize", "host1:/srv/data", "--size", "128MiB", "--yes"];
    let refused = fleet.control.cli(&grow).unwrap_err().to_string();
    assert!(refused.contains("does not answer"), "{refused}");

    fleet.store.open_second_portal().unwrap();
    until_paths(&mut fleet.host1, "sda active, sdb active").await;
    fleet.control.cli(&grow).unwrap();
    let size = size_at(&mut fleet.host1, "/srv/data");
    assert!(size > 100 * MIB, "{size}");

    fleet.order("backup detach host2:/srv/copy --yes");
    fleet.order("volume detach host1:/srv/data --yes");
    fleet.delete_the_last_volume();
    fleet.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn a_live_mariadb_is_copied_over_iscsi_and_its_copy_started_on_another_host() {
    const DATA: &str = "/srv/data";
    let mut fleet = Fleet::start(|host, control| host.join_with_database(control, DATA)).await;
    fleet.order("provision --hosts host1 --array store --size 512MiB --fs ext4 --mount /srv/data --yes");
    fleet.host1.start_database(DATA).unwrap();
    until_more_rows(&mut fleet.host1, 0).await;

    let (before, _) = fleet.host1.rows().unwrap();
    fleet.order("backup attach host1:/srv/data --to host2 --mount /srv/copy --quiesce mysql --rw --yes");
    let (after, _) = fleet.host1.rows().unwrap();
    fleet.host2.recover_database("/srv/copy").unwrap();
    let (count, highest) = fleet.host2.rows().unwrap();
    assert_eq!(count, highest, "each row that was acknowledged, and none besides");
    assert!((before..=after).contains(&count), "{before} {count} {after}");
    until_more_rows(&mut fleet.host1, after).await;

    fleet.host2.stop_database().unwrap();
    fleet.order("backup detach host2:/srv/copy --yes");
    fleet.host1.stop_database().unwrap();
    fleet.order("volume detach host1:/srv/data --yes");
    fleet.delete_the_last_volume();
    fleet.nothing_is_left().await;
}

async fn until_more_rows(host: &mut Host, than: u64) {
    wait::until_true("the database takes writes", PATIENCE, || {
        host.rows().is_ok_and(|(count, _)| count > than)
    })
    .await
    .unwrap();
}

/// The size of the file system that is mounted there.
fn size_at(host: &mut Host, mount_point: &str) -> u64 {
    let words = format!("stat -f -c '%b %S' {mount_point} | {{ read b s; echo $((b * s)); }}");
    host.run(&words).unwrap().trim().parse().unwrap()
}

async fn until_paths(host: &mut Host, wanted: &str) {
    wait::until_true(wanted, PATIENCE, || host.paths().is_ok_and(|paths| paths.join(", ") == wanted))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn what_an_array_shows_is_there_again_after_its_power_was_cut() {
    let mut fleet = Fleet::start(Host::join).await;
    fleet.order("provision --hosts host1 --array store --size 64MiB --fs ext4 --mount /srv/data --yes");
    fleet.host1.run("echo words >/srv/data/words; sync").unwrap();
    fleet.store.restart(&fleet.lab).unwrap();
    // The controller asks the array again and again, which has it show all again; and the host's session comes back by itself.
    fleet
        .host1
        .run("until dd if=/dev/sda of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; do :; done")
        .unwrap();
    fleet.until_reachable().await;
    fleet.order("backup attach host1:/srv/data --to host2 --mount /srv/copy --quiesce fsfreeze --yes");
    assert_eq!(fleet.host2.run("cat /srv/copy/words").unwrap(), "words\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn a_host_that_loses_its_power_while_a_volume_is_attached_has_it_when_it_is_back() {
    let mut fleet = Fleet::start(Host::join).await;
    let hold = Hold::new(&fleet.host1.failpoints(), "agent.await_volume.before").unwrap();
    fleet.order(
        "provision --hosts host1 --array store --size 64MiB --fs ext4 --mount /srv/data --yes --no-wait",
    );
    hold.reached().await.unwrap();
    fleet.host1.restart(&fleet.lab).unwrap();
    drop(hold);
    fleet.host1.join(&fleet.control).unwrap();
    let run = fleet.control.until_runs_end().await.unwrap();
    assert_eq!(run.state, i32::from(v1::RunState::Succeeded), "{run:#?}");
    fleet.host1.run("echo words >/srv/data/words; sync").unwrap();
    fleet.order("volume detach host1:/srv/data --yes");
    fleet.delete_the_last_volume();
    fleet.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn a_volume_that_somebody_took_away_at_the_array_first_is_detached_all_the_same() {
    let mut fleet = Fleet::start(Host::join).await;
    fleet.order("provision --hosts host1 --array store --size 64MiB --fs ext4 --mount /srv/data --yes");
    fleet.host1.run("echo words >/srv/data/words; umount /srv/data").unwrap();
    fleet
        .store
        .run("set -e; cd /sys/kernel/config/target/iscsi/*/tpgt_1/acls/*/lun_*; rm of; cd ..; rmdir lun_*")
        .unwrap();
    assert_eq!(fleet.host1.left().unwrap(), ["sda", "session1"]);
    fleet.order("volume detach host1:/srv/data --yes");
    fleet.delete_the_last_volume();
    fleet.nothing_is_left().await;
}
