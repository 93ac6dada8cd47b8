//! A host's reports are its own: what comes in its name under another key is not believed, and is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::fs;

use prost::Message;
use sanfleet_protocol::{ReportKey, subject, v1};
use sanfleet_tests::{control::PATIENCE, rig::Rig, wait};

const CODE: &str = "SF-D017";

fn shown(rig: &Rig) -> anyhow::Result<v1::HostShowReply> {
    rig.fleet.cli_json(&["host", "show", "db1"])
}

fn key(rig: &Rig) -> String {
    shown(rig).ok().and_then(|reply| reply.summary).unwrap_or_default().report_key
}

fn disputes(rig: &Rig) -> Vec<v1::Finding> {
    let output = rig.fleet.cli_output(&["--output", "json", "doctor"]).unwrap();
    let all = serde_json::from_slice::<v1::DoctorListReply>(&output.stdout).unwrap_or_default().findings;
    all.into_iter().filter(|finding| finding.code == CODE).collect()
}

/// A report that says that the host has nothing, and is newer than all of its own.
fn lie() -> v1::HostReport {
    v1::HostReport { version: 1, host: "db1".to_owned(), generation: u64::MAX / 2, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_in_a_hosts_name_under_another_key_is_not_believed_and_is_told() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    wait::until_true("db1 is known by a key", PATIENCE, || !key(&rig).is_empty()).await?;
    let own = key(&rig);
    let other = ReportKey::from_bytes(&[9; 32]);
    let signed = other.sign(&lie());
    let mut changed = other.sign(&lie());
    changed.report.push(0);
    // A user who may publish in everybody's name.
    let bus = rig.fleet.nats.connect().await?;
    for report in [lie().encode_to_vec(), changed.encode_to_vec(), signed.encode_to_vec()] {
        bus.publish(subject::report(&"db1".parse()?), report.into()).await?;
    }
    bus.flush().await?;
    let by = other.public().to_string();
    wait::until_true("it is told", PATIENCE, || {
        disputes(&rig).iter().any(|finding| finding.evidence.iter().any(|line| line.contains(&by)))
    })
    .await?;
    let is_believed = |rig: &Rig| {
        let report = shown(rig).unwrap().report.unwrap_or_default();
        report.generation == lie().generation
    };
    assert!(!is_believed(&rig));

    // The stream has kept the lie: a controller that starts reads it, and hears the truth from the host itself.
    rig.fleet.start_controller()?;
    rig.fleet.until_ready().await?;
    wait::until_true("db1 has said again what it has", PATIENCE, || {
        shown(&rig).is_ok_and(|reply| reply.report.is_some_and(|report| !report.boot_id.is_empty()))
    })
    .await?;
    assert_eq!((key(&rig), is_believed(&rig)), (own, false));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_made_anew_is_known_by_its_new_key_when_an_operator_says_so() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    wait::until_true("db1 is known by a key", PATIENCE, || !key(&rig).is_empty()).await?;
    let old = key(&rig);
    rig.fleet.db1.stop_agent();
    let generation = shown(&rig)?.report.unwrap().generation;
    fs::remove_file(rig.fleet.db1.folder.join("state/report.key"))?;
    rig.fleet.db1.start_agent()?;
    wait::until_true("it is told", PATIENCE, || !disputes(&rig).is_empty()).await?;
    assert_eq!((key(&rig), shown(&rig)?.report.unwrap().generation), (old.clone(), generation));

    let remedy = disputes(&rig).remove(0).remedy;
    let new = remedy.split_whitespace().last().unwrap().to_owned();
    assert!(
        new != old && fs::read_to_string(rig.fleet.db1.folder.join("helper.log"))?.contains(&new),
        "{remedy}"
    );
    let refused = rig.fleet.cli_output(&["host", "trust", "db1", "no-key"])?;
    assert_eq!(refused.status.code(), Some(2));
    rig.fleet.cli(&["host", "trust", "db1", &new])?;
    // The next report comes when something changes, or when the agent connects.
    rig.fleet.db1.stop_agent();
    rig.fleet.db1.start_agent()?;
    wait::until_true("db1 is believed again", PATIENCE, || {
        shown(&rig).is_ok_and(|reply| reply.report.is_some_and(|report| report.generation > generation))
    })
    .await?;
    wait::until_true("nothing is told any more", PATIENCE, || disputes(&rig).is_empty()).await?;
    assert_eq!(key(&rig), new);
    Ok(())
}
