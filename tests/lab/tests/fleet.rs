//! Whole runs over iSCSI: controller, bus, a Linux machine as the array, and agents in hosts with kernels of their own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is a test")]

use sanfleet_lab::{Host, Lab, Store};
use sanfleet_protocol::v1;
use sanfleet_tests::{
    control::{Control, PATIENCE},
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
    async fn start() -> Self {
        let lab = Lab::open().unwrap();
        let mut store = Store::boot(&lab).unwrap();
        let mut host1 = Host::boot(&lab, "host1", 2).unwrap();
        let mut host2 = Host::boot(&lab, "host2", 3).unwrap();
        let mut control = lab.start_control().await.unwrap();
        control.environment.push(("PATH".to_owned(), store.path().unwrap()));
        control.start_controller().unwrap();
        store.begin().unwrap();
        host1.join(&control).unwrap();
        host2.join(&control).unwrap();
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

    fn nothing_is_left(&mut self) {
        assert_eq!(self.host1.left().unwrap(), [""; 0]);
        assert_eq!(self.host2.left().unwrap(), [""; 0]);
        assert_eq!(self.volumes(), 0);
        let shown =
            self.store.run("ls /sys/kernel/config/target/core/iblock_7070 | grep sanfleet || true").unwrap();
        assert_eq!(shown, "", "the target shows nothing");
        let doctor: v1::DoctorListReply = self.control.cli_json(&["doctor"]).unwrap();
        assert!(doctor.findings.is_empty(), "{:?}", doctor.findings);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn a_volume_is_provisioned_copied_grown_moved_and_deleted_over_iscsi() {
    let mut fleet = Fleet::start().await;
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
    let size: u64 = fleet
        .host1
        .run("stat -f -c '%b %S' /srv/data | { read b s; echo $((b * s)); }")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(size > 160 * MIB, "{size}");

    fleet.order("volume move host1:/srv/data --to host2 --mount /srv/moved --yes");
    assert_eq!(fleet.host2.run("cat /srv/moved/words").unwrap(), "after\n");

    for place in ["host1:/srv/clone", "host2:/srv/clone"] {
        fleet.order(&format!("backup detach {place} --yes"));
    }
    fleet.order("volume detach host2:/srv/moved --yes");
    let list: v1::VolumeListReply = fleet.control.cli_json(&["volume", "list"]).unwrap();
    let [left] = list.volumes.as_slice() else { panic!("one volume is left: {list:#?}") };
    fleet.order(&format!("volume delete store/{} --yes", left.name));
    fleet.nothing_is_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn what_an_array_shows_is_there_again_after_its_power_was_cut() {
    let mut fleet = Fleet::start().await;
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
