//! The record of who asked for what, with real processes: it is written, it is whole, and what was done to it shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{path::PathBuf, time::Duration};

use async_nats::jetstream;
use prost::Message;
use sanfleet_protocol::{rights::Role, subject, v1};
use sanfleet_tests::{
    rig::{COPY, Rig},
    wait,
};

const SOON: Duration = Duration::from_secs(10);

/// `sanfleet audit verify` with the key that agents pin: its exit status, and what it said.
fn verify(rig: &Rig, more: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let key = ["audit", "verify", "--controller-key", &rig.fleet.public_key];
    let output = rig.fleet.cli_output(&[&key[..], more].concat())?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// The last record, as it is noted.
fn last(said: &str) -> String {
    said.lines().find_map(|line| line.strip_prefix("last")).unwrap_or_default().trim().to_owned()
}

fn listed(rig: &Rig) -> anyhow::Result<Vec<String>> {
    Ok(rig.fleet.cli(&["audit", "list"])?.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_what_was_decided_and_what_became_of_it_is_written_down() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let run = rig.attach("fsfreeze", &[])?;
    let bob = rig.fleet.nats.credentials("bob", Role::Operator)?.unwrap();
    let refused = rig
        .fleet
        .cli_command(&["backup", "detach", "backup1:/srv/nothing"])
        .env("SANFLEET_CREDS", bob)
        .output()?;
    assert!(!refused.status.success());
    rig.fleet.cli(&["map"])?;
    rig.fleet.cli(&[
        "provision",
        "--hosts",
        "backup1",
        "--size",
        "320MiB",
        "--mount",
        "/srv/x",
        "--dry-run",
    ])?;

    let over = format!("run {} succeeded", run.id);
    wait::until_true("the end of the run is there", SOON, || {
        listed(&rig).is_ok_and(|lines| lines.iter().any(|line| line.contains(&over)))
    })
    .await?;
    let lines = listed(&rig)?;
    let has =
        |words: &[&str]| lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(has(&["admin", "asked backup.attach", COPY]), 1, "{lines:#?}");
    assert_eq!(has(&["granted", &format!("run {}", run.id)]), 1, "{lines:#?}");
    assert_eq!(has(&["bob", "asked backup.detach", "/srv/nothing"]), 1, "{lines:#?}");
    assert_eq!(has(&["refused", "no attachment"]), 1, "{lines:#?}");
    assert_eq!(has(&["asked map.show"]) + has(&["volume.provision"]), 0, "what only looks is not there");
    let (code, said) = verify(&rig, &[])?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_written_anew_or_cut_off_is_seen() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.attach("none", &[])?;
    let (code, said) = verify(&rig, &[])?;
    assert_eq!(code, Some(0), "{said}");
    let noted = last(&said);
    assert!(noted.len() > 64, "{said}");
    rig.detach()?;
    let (code, said) = verify(&rig, &["--noted", &noted])?;
    assert_eq!(code, Some(0), "{said}");

    // Nothing can be taken out of the stream, so it is removed whole and filled anew.
    let bus = jetstream::new(rig.fleet.nats.connect().await?);
    let mut stream = bus.get_stream(subject::AUDIT_STREAM).await?;
    let config = stream.info().await?.config.clone();
    assert!(stream.purge().await.is_err() && stream.delete_message(1).await.is_err());
    let count = stream.info().await?.state.messages;
    let mut records = Vec::new();
    for sequence in 1..=count {
        records.push(stream.get_raw_message(sequence).await?.payload);
    }
    let refill = async |records: Vec<bytes::Bytes>| -> anyhow::Result<()> {
        bus.delete_stream(subject::AUDIT_STREAM).await?;
        bus.create_stream(config.clone()).await?;
        for record in records {
            bus.publish(subject::AUDIT, record).await?.await?;
        }
        Ok(())
    };
    // Its end is gone.
    refill(records[..1].to_vec()).await?;
    let (code, said) = verify(&rig, &["--noted", &noted])?;
    assert!(code == Some(10) && said.contains("its end is gone"), "{said}");
    // One is left out.
    refill([&records[..1], &records[2..]].concat()).await?;
    let (code, said) = verify(&rig, &[])?;
    assert!(code == Some(10) && said.contains("broken at number 2"), "{said}");
    // One says something else.
    let mut forged = v1::SignedAuditRecord::decode(records[0].clone())?;
    let mut record = v1::AuditRecord::decode(forged.record.as_slice())?;
    record.at_unix_ms += 1;
    forged.record = record.encode_to_vec();
    refill(vec![forged.encode_to_vec().into()]).await?;
    let (code, said) = verify(&rig, &[])?;
    assert!(code == Some(10) && said.contains("did not sign"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_down_is_not_done() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let bus = jetstream::new(rig.fleet.nats.connect().await?);
    bus.delete_stream(subject::AUDIT_STREAM).await?;
    let output = rig.fleet.cli_output(&["host", "cordon", "backup1"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cannot be written down"), "{said}");
    let list: v1::HostListReply = rig.fleet.cli_json(&["host", "list"])?;
    assert!(list.hosts.iter().all(|host| !host.cordoned));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_read_it() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let reader: PathBuf = rig.fleet.nats.credentials("eye", Role::Reader)?.unwrap();
    let output = rig.fleet.cli_command(&["audit", "list"]).env("SANFLEET_CREDS", reader).output()?;
    assert_eq!(output.status.code(), Some(20), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
