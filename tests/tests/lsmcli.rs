//! libStorageMgmt's command line against the real simulated array, without any daemon.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A shell in a folder with an array of its own, in which `lsmcli` is our program.
struct Shell {
    folder: TempDir,
    programs: PathBuf,
    uri_options: &'static str,
}

impl Shell {
    fn new(uri_options: &'static str) -> Self {
        let programs = PathBuf::from(std::env::var_os("SANFLEET_BIN_DIR").expect("run `cargo xtask test`"));
        let programs = std::path::absolute(programs).unwrap();
        let folder = tempfile::tempdir().unwrap();
        symlink(programs.join("sanfleet"), folder.path().join("lsmcli")).unwrap();
        Self { folder, programs, uri_options }
    }

    fn output(&self, script: &str) -> Output {
        let folder = self.folder.path();
        Command::new("sh")
            .args(["-c", script])
            .current_dir(folder)
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .env("LSM_UDS_PATH", folder.join("no-daemon"))
            .env("LSMCLI_URI", format!("sim://?statefile={}/array.db{}", folder.display(), self.uri_options))
            .env("HOME", folder)
            .env_remove("LSMCLI_PASSWORD")
            .output()
            .unwrap()
    }

    /// What a script prints that goes well.
    fn says(&self, script: &str) -> String {
        let output = self.output(script);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && err.is_empty(), "{script}: {}: {out}{err}", output.status);
        out.into_owned()
    }
}

/// A clone of a database's volume, shown to a host, as a script has done it for years.
#[test]
fn a_script_clones_a_volume_and_shows_the_clone_to_a_host() {
    let shell = Shell::new("");
    let initiator = "iqn.1994-05.com.domain:01.89bd01";
    let more = "iqn.1994-05.com.domain:01.89bd02";
    shell.says("lsmcli volume-create --name database --size 200MiB --pool POOL_ID_00001");
    shell.says(&format!("lsmcli access-group-create --name hosts --init {initiator} --sys sim-01"));

    let volumes = shell.says("lsmcli list --type volumes -t\" \"");
    let fields: Vec<&str> = volumes.split_whitespace().collect();
    assert_eq!(
        (fields[0], fields[1], &fields[3..]),
        ("VOL_ID_00001", "database", &["209715200", "No", "POOL_ID_00001", "sim-01"][..])
    );
    assert_eq!(fields[2].len(), 32);
    assert!(volumes.ends_with("sim-01  \n"), "{volumes:?}");

    let volume = fields[0];
    let clone = shell.says(&format!(
        "lsmcli volume-replicate --vol {volume} --rep-type CLONE --name db_copy -t\" \" | awk '{{print $1;}}'"
    ));
    assert_eq!(clone, "VOL_ID_00002\n");
    let clone = clone.trim();

    let capabilities = shell.says("lsmcli capabilities --sys sim-01 | grep VOLUME_MASK");
    assert_eq!(capabilities.split_whitespace().collect::<Vec<_>>(), ["VOLUME_MASK", "|", "SUPPORTED"]);

    let groups = shell.says("lsmcli list --type ACCESS_GROUPS -t\" \" | awk '{print $1, $3;}'");
    let (group, shown) = groups.trim().split_once(' ').unwrap();
    assert_eq!(shown, initiator);

    assert_eq!(shell.says(&format!("lsmcli volume-mask --vol {clone} --ag {group}")), "");
    let added = shell.says(&format!("lsmcli access-group-add --ag {group} --init {more}"));
    let expected = format!(
        "\
ID          | Name  | Initiator IDs                    | System ID
------------------------------------------------------------------
{group} | hosts | {initiator} | sim-01  \u{20}
            |       | {more} |         \u{20}
"
    );
    assert_eq!(added, expected);
    let masked =
        shell.says(&format!("lsmcli access-group-volumes --ag {group} -t\" \" | awk '{{print $1, $2;}}'"));
    assert_eq!(masked, "VOL_ID_00002 db_copy\n");
}

#[test]
fn a_job_is_left_to_itself_and_asked_for_later_by_another_process() {
    let shell = Shell::new("&job_ms=400");
    let started = shell.output("lsmcli -b volume-create --name slow --size 1M --pool POOL_ID_00001");
    assert_eq!(started.status.code(), Some(7));
    let job = String::from_utf8(started.stdout).unwrap();
    let job = job.trim();
    // While it runs the percentage is told with 7; the loop ends with the record of the volume.
    let script =
        format!("while out=$(lsmcli job-status --job {job} -t,); test $? = 7; do :; done; echo \"$out\"");
    assert!(shell.says(&script).starts_with("VOL_ID_00001,slow,"));
    let gone = shell.output(&format!("lsmcli job-status --job {job}"));
    assert_eq!(gone.status.code(), Some(4));
    assert!(String::from_utf8(gone.stderr).unwrap().starts_with("NOT_FOUND_JOB(202): "));
    let waited = shell.says("lsmcli volume-create --name waited-for --size 1M --pool POOL_ID_00001 -t,");
    assert!(waited.starts_with("VOL_ID_00002,waited-for,"));
}

#[test]
fn a_plug_in_that_is_started_by_hand_shows_what_it_prints() {
    let shell = Shell::new("");
    let plugin = shell.programs.join("sim_lsmplugin");
    let out = shell.says(&format!("lsmcli --fork_plugin {} list --type systems -t,", plugin.display()));
    assert!(out.starts_with("sim-01,") && out.ends_with("PLUGIN EC>> 0\n"), "{out}");
    let wrong = shell.output("lsmcli --fork_plugin ./no-such-plugin list --type systems");
    assert_eq!(wrong.status.code(), Some(8));
    assert!(String::from_utf8(wrong.stdout).unwrap().starts_with("File: ./no-such-plugin issue: "));
    let talking = "printf '#!/bin/sh\\necho hello\\nexec %s \"$@\"\\n' > talking; chmod +x talking";
    let out = shell.says(&format!(
        "{}; lsmcli --fork_plugin ./talking plugin-info -t,",
        talking.replace("%s", &plugin.to_string_lossy())
    ));
    assert!(out.contains("PLUGIN>> hello\n") && out.contains("sanfleet simulated array,"), "{out}");
}

#[test]
fn plug_ins_are_listed_without_an_array() {
    let shell = Shell::new("");
    let out = shell.says("env -u LSMCLI_URI lsmcli list --type PLUGINS -t,");
    assert!(out.lines().any(|line| line.starts_with("sanfleet simulated array")), "{out}");
}
