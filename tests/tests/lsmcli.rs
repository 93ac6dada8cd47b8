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
    os::{
        fd::OwnedFd,
        unix::{fs::symlink, net::UnixListener},
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::{self, JoinHandle},
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
            .env_remove("LSM_SIM_TIME")
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
    let shell = Shell::new("&seed=7");
    let initiator = "iqn.1994-05.com.domain:01.89bd01";
    let more = "iqn.1994-05.com.domain:01.89bd02";
    shell.says("lsmcli volume-create --name database --size 200MiB --pool POOL_ID_00001");
    shell.says(&format!("lsmcli access-group-create --name hosts --init {initiator} --sys sim-01"));

    let volumes = shell.says("lsmcli list --type volumes -t\" \"");
    // The identity follows from the seed.
    let naa = "602534e63cbe1e459320dd7800000001";
    assert_eq!(volumes, format!("VOL_ID_00001 database {naa} 209715200 No POOL_ID_00001 sim-01  \n"));

    let volume = "VOL_ID_00001";
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
fn the_peers_variable_makes_a_change_a_job() {
    let shell = Shell::new("");
    let create = "lsmcli -b volume-create --size 1M --pool POOL_ID_00001";
    let at_once = shell.says(&format!("{create} --name at-once -t,"));
    assert!(at_once.starts_with("VOL_ID_00001,at-once,"), "{at_once}");
    let started = shell.output(&format!("LSM_SIM_TIME=3600 {create} --name slow"));
    assert_eq!((started.status.code(), started.stdout.as_slice()), (Some(7), &b"JOB_ID_00001\n"[..]));
}

#[test]
fn an_array_of_the_session_is_found_by_its_kind_and_keeps_nothing() {
    let shell = Shell::new("");
    let made = shell.says("lsmcli -u simc:// volume-create --name gone --size 1M --pool POOL_ID_00001 -t,");
    assert!(made.starts_with("VOL_ID_00001,gone,"), "{made}");
    assert_eq!(shell.says("lsmcli -u simc:// list --type volumes"), "");
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

/// Does as libStorageMgmt's daemon: each connection gets a plug-in of its own, whose only argument is the number of its descriptor.
fn serve_as_daemon(folder: &Path, plugin: PathBuf, connections: usize) -> JoinHandle<()> {
    std::fs::create_dir(folder).unwrap();
    let listener = UnixListener::bind(folder.join("sim")).unwrap();
    thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            let mut plugin = Command::new("sh")
                .args(["-c", "exec \"$0\" 7 7<&0 </dev/null"])
                .arg(&plugin)
                .stdin(OwnedFd::from(stream))
                .spawn()
                .unwrap();
            assert!(plugin.wait().unwrap().success());
        }
    })
}

#[test]
fn the_daemon_that_serves_the_array_is_the_way_to_it() {
    let shell = Shell::new("");
    let plugin = shell.programs.join("sim_lsmplugin");
    let daemon = serve_as_daemon(&shell.folder.path().join("ipc"), plugin, 3);
    let through_daemon = |line: &str| shell.says(&format!("LSM_UDS_PATH=ipc lsmcli {line}"));
    let made = through_daemon("volume-create --name data --size 1MiB --pool POOL_ID_00001 -t,");
    assert!(made.starts_with("VOL_ID_00001,data,"), "{made}");
    assert_eq!(through_daemon("list --type volumes -t,"), made);
    assert!(through_daemon("plugin-info -t,").starts_with("sanfleet simulated array,"));
    daemon.join().unwrap();
    // The driver beside the program does not step in for a daemon whose socket is there.
    let nobody = shell.output("LSM_UDS_PATH=ipc lsmcli plugin-info");
    assert_eq!(nobody.status.code(), Some(4));
    assert!(String::from_utf8(nobody.stderr).unwrap().starts_with("PLUGIN_IPC_FAIL(301): "));
}

#[test]
fn a_script_without_stdin_and_a_reader_who_leaves_early_are_no_trouble() {
    let shell = Shell::new("");
    assert!(shell.says("lsmcli list --type systems -t, <&-").starts_with("sim-01,"));
    assert!(shell.says("lsmcli list --type pools -t, | head -n 1").starts_with("POOL_ID_00001,"));
    let refused = shell.output("lsmcli volume-create --name v --size 1M --pool POOL_ID_00001 >/dev/null && lsmcli volume-delete --vol VOL_ID_00001 <&-");
    assert_eq!(refused.status.code(), Some(2));
    assert!(shell.says("lsmcli list --type volumes -t,").starts_with("VOL_ID_00001,"));
}

#[test]
fn plug_ins_are_listed_without_an_array() {
    let shell = Shell::new("");
    let out = shell.says("env -u LSMCLI_URI lsmcli list --type PLUGINS -t,");
    assert!(out.lines().any(|line| line.starts_with("sanfleet simulated array")), "{out}");
}
