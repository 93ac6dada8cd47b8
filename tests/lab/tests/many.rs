//! A host with thousands of disks: what it takes to report them all, beside what people list disks with today.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "this is a test that prints figures"
)]

use sanfleet_lab::{DISKS_AT_ONCE, Host, Lab};
use sanfleet_protocol::v1;
use sanfleet_tests::{
    control::{Control, PATIENCE},
    wait,
};

const HOST: &str = "host1";
const DISKS: u32 = 4 * DISKS_AT_ONCE;
/// How often disks go and come in the storm.
const ROUNDS: u32 = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs guests: cargo xtask lab"]
async fn four_thousand_disks_are_reported_faster_than_lsblk_lists_them_and_a_storm_is_few_reports() {
    let lab = Lab::open().unwrap();
    let mut control = lab.start_control().await.unwrap();
    control.start_controller().unwrap();
    let mut host = Host::boot_for_disks(&lab, HOST, 2, DISKS).unwrap();
    host.join(&control).unwrap();
    control.until_online(&[HOST]).await.unwrap();
    host.add_disks(1).unwrap();
    until_in_the_catalog(&control, DISKS_AT_ONCE).await;
    // One of them at a time.
    host.hold_agent().unwrap();
    let lsblk = milliseconds(&mut host, "lsblk -J -O");
    let checking = host.checking();
    let ours = milliseconds(&mut host, &checking);
    host.let_agent_go_on().unwrap();
    println!(
        "{DISKS_AT_ONCE} disks: our inventory {ours} ms, lsblk -J -O {lsblk} ms, {:.1} times as long",
        lsblk / ours
    );
    assert!(lsblk > ours);

    host.add_disks(DISKS / DISKS_AT_ONCE - 1).unwrap();
    until_in_the_catalog(&control, DISKS).await;
    host.hold_agent().unwrap();
    let ours = milliseconds(&mut host, &checking);
    host.let_agent_go_on().unwrap();
    println!("{DISKS} disks: our inventory {ours} ms; agent {} KiB", host.agent_memory_kib().unwrap());

    let before = report(&control).generation;
    let storm = format!(
        "set -e; cd /sys/class/scsi_host/host0
        for unit in $(seq 0 $(({ROUNDS} / 2 - 1))) $(seq 0 $(({ROUNDS} / 2 - 1))); do
            echo 1 >/sys/class/scsi_device/0:0:0:$unit/device/delete
            echo 0 0 $unit >scan
        done"
    );
    host.run(&storm).unwrap();
    wait::until_true("the last report tells all of them", PATIENCE, || {
        let report = report(&control);
        report.generation > before && report.devices.len() >= DISKS as usize
    })
    .await
    .unwrap();
    let reports = report(&control).generation - before;
    println!(
        "{ROUNDS} disks gone and come back: {reports} reports; agent {} KiB",
        host.agent_memory_kib().unwrap()
    );
    assert!(reports < u64::from(ROUNDS) / 4, "{reports}");
}

async fn until_in_the_catalog(control: &Control, disks: u32) {
    wait::until_true(&format!("{disks} disks are in the catalog"), PATIENCE, || {
        control.cli_json::<v1::StatusReply>(&["status"]).is_ok_and(|status| status.devices >= disks)
    })
    .await
    .unwrap();
}

fn report(control: &Control) -> v1::HostReport {
    control.cli_json::<v1::HostShowReply>(&["host", "show", HOST]).unwrap().report.unwrap()
}

/// How long the guest takes for it.
fn milliseconds(host: &mut Host, command: &str) -> f64 {
    let timed =
        format!("begun=$(date +%s%N); {command} >/dev/null; echo $((($(date +%s%N) - begun) / 1000000))");
    host.run(&timed).unwrap().trim().parse().unwrap()
}
