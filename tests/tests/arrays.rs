//! Arrays in the controller: what is shown of them, how soon their changes are seen, and what happens when they are ill,
//! slow or gone. Where their passwords are not is told in `passwords.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::time::{Duration, Instant};

use sanfleet_protocol::v1::{self, ArrayHealthState};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    lockbox::Lockbox,
    rig::Rig,
    wait,
};
use tempfile::TempDir;

/// Less than the shortest time between two looks at an array that tells nothing.
const AT_ONCE: Duration = Duration::from_secs(6);
const PASSWORD: &str = "open-sesame";

/// A bus, a controller, and array `box`, which tells of changes.
struct Stage {
    control: Control,
    array: Lockbox,
    _folder: TempDir,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
        let control = Control::start(Programs::from_environment()?, folder.path()).await?;
        control.until_ready().await?;
        let array = Lockbox::new(&folder.path().join("box"), PASSWORD)?;
        for name in ["a", "b", "c", "d", "e"] {
            array.add_volume(name)?;
        }
        let lock = array.lock();
        let file = lock.to_string_lossy();
        control.cli(&["array", "add", "box", "--uri", &array.uri(), "--password-file", &file])?;
        Ok(Self { control, array, _folder: folder })
    }

    fn show(&self, array: &str) -> anyhow::Result<v1::ArrayShowReply> {
        self.control.cli_json(&["array", "show", array])
    }

    fn summary(&self, array: &str) -> anyhow::Result<v1::ArraySummary> {
        Ok(self.show(array)?.summary.unwrap_or_default())
    }

    fn volumes(&self) -> anyhow::Result<Vec<v1::VolumeRow>> {
        Ok(self.control.cli_json::<v1::VolumeListReply>(&["volume", "list", "--array", "box"])?.volumes)
    }

    async fn until_state(&self, state: ArrayHealthState) -> anyhow::Result<v1::ArraySummary> {
        wait::until(&format!("array box is {state:?}"), PATIENCE, || {
            std::future::ready(self.summary("box").ok().filter(|array| array.state() == state))
        })
        .await
    }

    async fn until_it_tells(&self) -> anyhow::Result<()> {
        wait::until_true("the array tells of changes", PATIENCE, || {
            self.show("box").is_ok_and(|array| array.tells_changes)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_is_shown_with_all_that_is_known_of_it() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let shown = stage.show("box")?;
    let summary = shown.summary.clone().unwrap();
    assert_eq!((summary.state(), summary.volumes, summary.pools), (ArrayHealthState::Ok, 5, 1));
    assert_eq!((summary.free_bytes, summary.total_bytes), (1 << 39, 1 << 40));
    assert_eq!(summary.driver, "Array of a test 1");
    assert!(summary.since_unix_ms > 0 && summary.last_seen_unix_ms >= summary.since_unix_ms);
    let calls = summary.calls.unwrap();
    assert!(
        calls.calls >= 5 && calls.failed == 0 && calls.p50_us > 0 && calls.p50_us <= calls.p99_us,
        "{calls:?}"
    );
    assert!(shown.capabilities.contains(&"ACCESS_GROUPS".to_owned()), "{:?}", shown.capabilities);
    assert!(shown.capabilities_not_claimed.contains(&"VOLUME_DELETE".to_owned()));
    assert!(shown.extensions.contains(&"volumes_page".to_owned()), "{:?}", shown.extensions);
    assert_eq!(shown.systems[0].firmware, "7.1");
    assert_eq!(shown.pools[0].status, "ok");
    assert!(shown.password_from.ends_with("state/arrays/box.password"), "{}", shown.password_from);

    // In pieces of two, with ids that only the extension has, and with numbers.
    let volumes = stage.volumes()?;
    assert_eq!(
        volumes.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>(),
        ["a", "b", "c", "d", "e"]
    );
    assert_eq!(volumes[2].volume_id, "eui.0000000000000063");
    assert_eq!(volumes[2].masked_to[0].lun, Some(2));

    let text = stage.control.cli(&["array", "show", "box"])?;
    for part in ["ACCESS_GROUPS", "volumes_page", "shelf", "state\tok", "99 of 100 within"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let output = stage.control.cli_output(&["array", "show", "nix"])?;
    assert_eq!(output.status.code(), Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_array_tells_is_seen_at_once_and_until_then_it_is_left_alone() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.until_it_tells().await?;
    // One look when it was added, one when it began to tell.
    wait::until_true("the look after the first word", AT_ONCE, || stage.array.lists() >= 2).await?;
    let lists = stage.array.lists();
    let begun = Instant::now();
    stage.array.add_volume("new")?;
    wait::until_true("the new volume is listed", AT_ONCE, || {
        stage.volumes().is_ok_and(|volumes| volumes.iter().any(|volume| volume.name == "new"))
    })
    .await?;
    println!("seen after {:?}", begun.elapsed());
    assert!(stage.array.lists() <= lists + 2, "{} lists for one change", stage.array.lists() - lists);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_that_is_ill_says_so_in_its_own_words() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.until_it_tells().await?;
    stage.array.be("ill")?;
    stage.array.add_volume("f")?;
    let array = stage.until_state(ArrayHealthState::Degraded).await?;
    assert_eq!(array.complaints, ["pool shelf: degraded (disk 3 failed)"]);
    stage.array.be_no_longer("ill")?;
    stage.array.add_volume("g")?;
    let array = stage.until_state(ArrayHealthState::Ok).await?;
    assert!(array.complaints.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_that_is_gone_keeps_what_it_was_with_the_reason() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.until_it_tells().await?;
    stage.array.be("down")?;
    let array = stage.until_state(ArrayHealthState::Unreachable).await?;
    assert!(array.error.contains("no route to the array"), "{}", array.error);
    assert!(array.hint.contains("box.example"), "{}", array.hint);
    assert_eq!((array.volumes, array.total_bytes), (5, 1 << 40));
    assert!(array.last_seen_unix_ms > 0 && array.last_seen_unix_ms < array.since_unix_ms);
    assert_eq!(stage.volumes()?.len(), 5);
    assert!(stage.control.cli(&["array", "list"])?.contains("unreachable, stale"));
    stage.array.be_no_longer("down")?;
    let array = stage.until_state(ArrayHealthState::Ok).await?;
    assert_eq!((array.error.as_str(), array.hint.as_str()), ("", ""));
    let problems = stage.show("box")?.problems;
    assert!(problems[0].error.contains("no route") && problems[0].times >= 1, "{problems:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_that_hangs_delays_no_other() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.until_it_tells().await?;
    let state = stage.control.folder.join("other.sqlite");
    let uri = format!("sim://?statefile={}", state.display());
    stage.control.cli(&["array", "add", "other", "--uri", &uri])?;
    let lists = stage.array.lists();
    stage.array.be("hung")?;
    stage.array.add_volume("f")?;
    wait::until_true("the array hangs", AT_ONCE, || stage.array.lists() > lists).await?;
    let seen = |array: &str| stage.summary(array).map(|array| array.last_seen_unix_ms);
    let (hung, other) = (seen("box")?, seen("other")?);
    wait::until_true("the other array is listed", PATIENCE, || seen("other").is_ok_and(|at| at > other))
        .await?;
    assert_eq!(seen("box")?, hung, "the hung array was listed all the same");
    stage.array.be_no_longer("hung")?;
    wait::until_true("the array goes on", PATIENCE, || seen("box").is_ok_and(|at| at > hung)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_without_its_driver_is_refused_and_told_where_the_driver_should_be() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let output = stage.control.cli_output(&["array", "add", "far", "--uri", "nosuch://filer/"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("nosuch_lsmplugin") && said.contains("driver_dir"), "{said}");
    assert!(!stage.control.cli(&["array", "list"])?.contains("far"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_connects_and_keeps_nothing() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let state = stage.control.folder.join("other.sqlite");
    let uri = format!("sim://?statefile={}", state.display());
    let added: v1::ArrayAddReply =
        stage.control.cli_json(&["array", "add", "other", "--uri", &uri, "--dry-run"])?;
    let array = added.array.unwrap();
    assert_eq!((array.state(), array.pools > 0), (ArrayHealthState::Ok, true));
    let list: v1::ArrayListReply = stage.control.cli_json(&["array", "list"])?;
    assert_eq!(list.arrays.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_that_is_removed_is_forgotten_by_the_next_controller_too() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    stage.control.cli(&["array", "remove", "box"])?;
    let forgotten = |control: &Control| -> anyhow::Result<bool> {
        let list: v1::ArrayListReply = control.cli_json(&["array", "list"])?;
        Ok(list.arrays.is_empty())
    };
    assert!(forgotten(&stage.control)?);
    assert!(!stage.control.folder.join("state/arrays/box.password").exists());
    wait::until_true("its drivers end", PATIENCE, || stage.control.driver_pids().is_empty()).await?;
    stage.control.start_controller()?;
    stage.control.until_ready().await?;
    assert!(forgotten(&stage.control)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_with_an_attachment_on_it_stays() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.attach("none", &[])?;
    let output = rig.fleet.cli_output(&["array", "remove", "lab"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("attachment") && said.contains("backup1:/srv/copy"), "{said}");
    rig.detach()?;
    rig.expect_nothing_left().await?;
    rig.fleet.cli(&["array", "remove", "lab"])?;
    Ok(())
}
