//! A machine that was copied together with its agent: two hear the commands for one host. It is noticed at once, and nothing is planned
//! with either.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{subject, v1};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    wait,
};

/// What a machine with this start says as host web1.
fn report(boot_id: &str, generation: u64) -> v1::HostReport {
    let (host, boot_id) = ("web1".to_owned(), boot_id.to_owned());
    v1::HostReport { version: 1, host, boot_id, generation, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_machine_is_noticed_when_it_reports_and_nothing_is_planned_with_either() -> anyhow::Result<()>
{
    let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
    let control = Control::start(Programs::from_environment()?, folder.path()).await?;
    control.until_ready().await?;
    let bus = control.nats.connect().await?;
    let mut commands = bus.subscribe(subject::command(&"web1".parse()?)).await?;
    let says = async |boot_id: &str, generation: u64| -> anyhow::Result<()> {
        let report = report(boot_id, generation).encode_to_vec();
        bus.publish(subject::report(&"web1".parse()?), report.into()).await?;
        Ok(bus.flush().await?)
    };
    let generation = || {
        let shown = control.cli_json::<v1::HostShowReply>(&["host", "show", "web1"]).unwrap_or_default();
        shown.report.unwrap_or_default().generation
    };
    says("original", 1).await?;
    wait::until_true("web1 is known", PATIENCE, || generation() == 1).await?;
    let refusal = || {
        let output = control.cli_output(&["host", "retire", "web1", "--dry-run"]).unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(refusal().0, Some(0));

    // It may have started again: whoever has its name is asked, and both answer.
    says("copy", 2).await?;
    let asked = tokio::time::timeout(PATIENCE, commands.next()).await?;
    assert!(asked.is_some(), "nobody was asked for a report");
    says("original", 3).await?;
    wait::until_true("it is told", PATIENCE, || {
        let output = control.cli_output(&["--output", "json", "doctor"]).unwrap();
        let all = serde_json::from_slice::<v1::DoctorListReply>(&output.stdout).unwrap_or_default();
        all.findings.iter().any(|finding| finding.code == "SF-D018")
    })
    .await?;
    let (code, said) = refusal();
    assert!(code == Some(5) && said.contains("two machines report"), "{code:?}: {said}");
    Ok(())
}
