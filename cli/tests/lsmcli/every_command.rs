//! Every command once: what it prints, what the array is told, how it ends.

use crate::{array::NAA, desk::Desk};

/// Looks up a volume: the array claims that it searches quickly.
const V: &str = "search id V";
const W: &str = "search id W";

#[test]
fn every_command_prints_its_records_and_tells_the_array_what_was_asked() {
    let desk = Desk::new();
    let volume = |id: &str, name: &str, bytes: u64| format!("{id},{name},{NAA},{bytes},No,P,S, \n");
    let cache = "V,Write Back,Write Through,Enabled,Disabled,Use Disk Setting\n";
    let cases: &[(&str, &str, &[&str])] = &[
        ("-t, ls", "S,an array,OK,Degraded,a fan,7.1,HW RAID,30\n", &[]),
        ("-t, -e ls", "S,an array,10,a fan,7.1,0,30\n", &[]),
        (
            "-t, lp",
            "P ,pool,VOLUME,VOLUME_THIN,VOLUME_FULL,4096,1024,OK, ,S\nP2,pool,VOLUME,VOLUME_THIN,VOLUME_FULL,4096,1024,OK, ,S\n",
            &[],
        ),
        ("-t, -H lp --pool P2", "P2,pool,VOLUME,VOLUME_THIN,VOLUME_FULL,4.00 KiB,1.00 KiB,OK, ,S\n", &[]),
        ("-t, lv --vol W", &volume("W", "more", 25600), &[W]),
        ("-t, lv --ag A", &volume("W", "more", 25600), &[]),
        ("-t, lv --ag nobody", "", &[]),
        ("-t, lv --sys nobody", "", &["search system_id nobody"]),
        ("-t, ld --disk D1", "D1,disk,SSD,4096,OK,Free,S, , ,Non-Rotating Medium,SAS\n", &[]),
        ("-t, la", "A,group,iqn.a,S\n ,     ,iqn.b, \n", &[]),
        ("-t, la --vol V", "A,group,iqn.a,S\n", &[V]),
        ("-t, la --vol nobody", "", &["search id nobody"]),
        ("-t, lf", "F,home,2048,512,P,S\n", &[]),
        ("-t, lt", "T,iSCSI,iqn.t,10.0.0.1:3260,S\n", &[]),
        ("-t, lb", "B,battery,Capacitor,OK,Charging,S\n", &[]),
        ("-t, list --type snapshots --fs F", "N,before,2023-11-14 22:13:20\n", &[]),
        ("-t, -e list --type snapshots --fs F", "N,before,1700000000\n", &[]),
        ("-t, list --type exports", "E,F,/home, ,a,c,None\n , ,     , ,b, ,    \n", &[]),
        ("list --type nfs_client_auth", "sys, krb5\n", &[]),
        ("-t: list --type nfs_client_auth", "sys:krb5\n", &[]),
        ("p", "Description: everything Version: 3\n", &[]),
        ("p -t,", "everything,3\n", &[]),
        ("-t, job-status --job VOLUME", &volume("V", "data", 51200), &["free VOLUME"]),
        ("-t, job-status --job FS", "F,home,2048,512,P,S\n", &["free FS"]),
        ("-t, job-status --job SNAPSHOT", "N,before,2023-11-14 22:13:20\n", &["free SNAPSHOT"]),
        ("job-status --job NOTHING", "", &["free NOTHING"]),
        ("-t, vc --name n --size 1K --pool P", &volume("V3", "n", 1024), &["create P n 1024 DEFAULT"]),
        (
            "-t, vc --name as-job --size 1K --pool P --prov full",
            &volume("V", "data", 51200),
            &["create P as-job 1024 FULL", "free VOLUME"],
        ),
        ("vd --vol V -f", "", &[V, "delete V", "free NOTHING"]),
        ("-t, vr --vol V --size 1M -f", &volume("V", "data", 1 << 20), &[V, "resize V 1048576"]),
        (
            "-t, volume-replicate --vol V --rep-type COPY --name c",
            &volume("V4", "c", 51200),
            &[V, "replicate - COPY V"],
        ),
        (
            "-t, volume-replicate --vol V --rep-type MIRROR_SYNC --name c --pool P2",
            &volume("V4", "c", 51200),
            &[V, "replicate P2 MIRROR_SYNC V"],
        ),
        ("volume-replicate-range-block-size --sys S", "512\n", &[]),
        (
            "volume-replicate-range --src-vol V --dst-vol W --rep-type CLONE --src-start 10 --dst-start 0 --count 5 \
             --src-start 0 --dst-start 20 --count 5 -f",
            "",
            &[V, W, "range CLONE V W 10>0+5 0>20+5"],
        ),
        ("volume-dependants --vol V", "True\n", &[V]),
        ("volume-dependants --vol W", "False\n", &[W]),
        ("volume-dependants-rm --vol V", "", &[V, "free-standing V"]),
        ("-t, volume-access-group --vol V", "A,group,iqn.a,S\n", &[V]),
        ("vm --vol V --ag A", "", &[V, "mask A V"]),
        ("ve --vol V", "", &[V, "enable V"]),
        ("vi --vol V", "", &[V, "disable V"]),
        ("vilon --vol V", "", &[V, "led on V"]),
        ("viloff --vol V", "", &[V, "led off V"]),
        ("-t, vri --vol V", "V,RAID5,65536,3,512,131072\n", &[V]),
        ("-t, -H vri --vol V", "V,RAID5,64.00 KiB,3,512.00 B,128.00 KiB\n", &[V]),
        ("-t, pmi --pool P", "P,RAID1,Disk,D1\n ,     ,    ,D2\n", &[]),
        ("-t, vrcc --sys S", "S,RAID0,65536\n ,RAID1,     \n", &[]),
        (
            "-t, vrc --name r --disk D2 --disk D1 --raid-type raid1 --strip-size 64K",
            &volume("V5", "r", 4096),
            &["raid 1 D1 D2 65536"],
        ),
        ("-t, vci --vol V", cache, &[V]),
        ("-t, vpdcu --vol V --policy enable", cache, &[V, "pdc 2"]),
        ("-t, vrcpu --vol V --policy disable", cache, &[V, "rcp 3"]),
        ("-t, vwcpu --vol V --policy wt", cache, &[V, "wcp 4"]),
        (
            "-t, srcpu --sys S --read-pct 70",
            "S,an array,OK,Degraded,a fan,7.1,HW RAID,30\n",
            &["read cache S 70"],
        ),
        (
            "-t, ac --name g --init 0x500A09818D123456 --sys S",
            "A2,group,50:0a:09:81:8d:12:34:56,S\n",
            &["group g 50:0a:09:81:8d:12:34:56 2 S"],
        ),
        ("-t, aa --ag A --init iqn.c", "A,group,iqn.a,S\n ,     ,iqn.c, \n", &[]),
        ("-t, ar --ag A --init iqn.b", "A,group,iqn.a,S\n", &["remove iqn.b"]),
        ("ad --ag A", "", &["delete group A"]),
        ("-t, access-group-volumes --ag A", &volume("W", "more", 25600), &[]),
        (
            "iscsi-chap --init iqn.a --in-user u --in-pass p",
            "",
            &["chap iqn.a Some(\"u\") Some(\"p\") None None"],
        ),
        ("-t, fs-create --name f --size 2KiB --pool P", "F,home,2048,512,P,S\n", &["fs P f 2048", "free FS"]),
        ("fs-delete --fs F -f", "", &["delete fs F"]),
        ("-t, fs-resize --fs F --size 4K -f", "F,home,4096,512,P,S\n", &[]),
        ("-t, fs-clone --src-fs F --dst-name c", "F2,c,2048,512,P,S\n", &["clone of now"]),
        ("-t, fs-clone --src-fs F --dst-name c --backing-snapshot N", "F2,c,2048,512,P,S\n", &["clone of N"]),
        ("file-clone --fs F --src a --dst b", "", &["file a b"]),
        ("-t, fs-snap-create --name n --fs F", "N,n,2023-11-14 22:13:20\n", &[]),
        ("fs-snap-delete --snap N --fs F -f", "", &["delete snapshot N"]),
        ("fs-snap-restore --snap N --fs F -f", "", &["restore [] [] true"]),
        ("fs-snap-restore --snap N --fs F --file a --fileas b -f", "", &["restore [\"a\"] [\"b\"] false"]),
        ("fs-dependants --fs F", "False\n", &[]),
        ("fs-dependants --fs F --file a", "True\n", &[]),
        ("fs-dependants-rm --fs F --file a", "", &["free-standing [\"a\"]"]),
        (
            "-t, fs-export --fs F --exportpath /x --rw-host a --ro-host 10.0.0.1 --anonuid 5",
            "E2,F,/x, ,a,10.0.0.1,None\n",
            &[],
        ),
        ("fs-unexport --export E", "", &["unexport E"]),
    ];
    for (line, out, told) in cases {
        let said = desk.line(line);
        assert_eq!((said.code, said.err.as_str(), said.out.as_str()), (0, "", *out), "{line}");
        assert_eq!(desk.told(), *told, "{line}");
    }
}

#[test]
fn all_properties_are_shown_for_scripts() {
    let desk = Desk::new();
    assert_eq!(
        desk.line("ld --disk D1 -s").out,
        "\
--------------------------------------------
ID                     | D1                \u{20}
Name                   | disk              \u{20}
Type                   | SSD               \u{20}
Block Size             | 512               \u{20}
Block Count            | 8                 \u{20}
Size                   | 4096              \u{20}
Status                 | OK,Free           \u{20}
System ID              | S                 \u{20}
SCSI VPD 0x83          |                   \u{20}
Revolutions Per Minute | Non-Rotating Medium
Link Type              | SAS               \u{20}
Location               | slot 1            \u{20}
--------------------------------------------
"
    );
}

#[test]
fn capabilities_are_listed_with_their_word() {
    let desk = Desk::new();
    let said = desk.line("capabilities --sys S");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[1], "ACCESS_GROUPS                                    | SUPPORTED");
    assert_eq!(lines.len(), 2 + sanfleet_driver::Capability::NAMED.len());
    assert!(lines[0].chars().all(|c| c == '-') && lines[0].len() == lines[1].len());
}

#[test]
fn json_has_the_records_as_the_protocol_has_them() {
    let desk = Desk::new();
    let read = |line: &str| -> serde_json::Value { serde_json::from_str(&desk.line(line).out).unwrap() };
    let volumes = read("--output json lv --vol V");
    assert_eq!((&volumes[0]["class"], &volumes[0]["num_of_blocks"]), (&"Volume".into(), &100.into()));
    assert_eq!(read("lv --sys nobody --output=json"), serde_json::json!([]));
    assert_eq!(read("volume-dependants --vol V --output json"), serde_json::json!(true));
    assert_eq!(read("capabilities --sys S --output json")["VOLUMES"], serde_json::json!(true));
    assert_eq!(read("vri --vol V --output json")[0]["info"], serde_json::json!([5, 65536, 3, 512, 131_072]));
    assert_eq!(
        read("-b vc --name as-job --size 1K --pool P --output json"),
        serde_json::json!({"job": "VOLUME"})
    );
}
