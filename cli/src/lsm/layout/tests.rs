//! What the layouts look like, letter by letter.

use std::fmt::Debug;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use sanfleet_driver::{AccessGroup, Battery, Disk, FileSystem, NfsExport, Pool, System, TargetPort, Volume};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{
    words::{bits, word},
    *,
};
use crate::lsm::{lamp::Slot, local_disk::LocalDisk};

fn read<T: DeserializeOwned>(record: Json) -> T {
    serde_json::from_value(record).unwrap()
}

fn volume(id: &str, name: &str, blocks: i64, paths: &[&str]) -> Located<Volume> {
    let record = read(
        json!({"class": "Volume", "id": id, "name": name, "vpd83": "60014053fef180bf1000000000000000",
        "block_size": 512, "num_of_blocks": blocks, "admin_state": 1, "system_id": "sim-01", "pool_id": "POOL_ID_00001"}),
    );
    Located { record, paths: paths.iter().map(|path| (*path).to_owned()).collect() }
}

fn group(initiators: &[&str]) -> AccessGroup {
    read(json!({"class": "AccessGroup", "id": "AG_1", "name": "g", "init_ids": initiators, "init_type": 5,
        "system_id": "s"}))
}

fn terse(separator: &str) -> Style {
    Style { terse: Some(separator.to_owned()), ..Style::default() }
}

fn script() -> Style {
    Style { script: true, ..Style::default() }
}

/// What a record shows under one heading.
fn shown<T: Shown>(record: &T, heading: &str, style: &Style) -> String {
    let column = T::COLUMNS.iter().find(|column| column.heading == heading).unwrap();
    match cell((column.value)(record), style) {
        Cell::One(text) => text.into_owned(),
        Cell::Several(texts) => texts.join("+"),
    }
}

#[test]
fn columns_are_padded_to_their_widest_cell_the_last_one_too() {
    let volumes =
        [volume("VOL_1", "data", 2048, &["/dev/sda", "/dev/sdb"]), volume("VOL_22", "größe", 4, &[])];
    assert_eq!(
        show(&volumes, &Style::default()),
        "\
ID     | Name  | SCSI VPD 0x83                    | Size    | Disabled | Pool ID       | System ID | Disk Paths
---------------------------------------------------------------------------------------------------------------
VOL_1  | data  | 60014053fef180bf1000000000000000 | 1048576 | No       | POOL_ID_00001 | sim-01    | /dev/sda \u{20}
       |       |                                  |         |          |               |           | /dev/sdb \u{20}
VOL_22 | größe | 60014053fef180bf1000000000000000 | 2048    | No       | POOL_ID_00001 | sim-01    |          \u{20}
"
    );
}

#[test]
fn a_separator_leaves_out_the_header_and_keeps_the_padding() {
    let groups = [group(&["iqn.a", "iqn.bb"]), group(&[])];
    assert_eq!(show(&groups, &terse(",")), "AG_1,g,iqn.a ,s\n    , ,iqn.bb, \nAG_1,g,      ,s\n");
    let with_header = Style { header: true, ..terse(" ") };
    assert_eq!(
        show(&groups[1..], &with_header),
        "ID   Name Initiator IDs System ID\n---------------------------------\nAG_1 g                  s        \n"
    );
}

#[test]
fn an_empty_separator_keeps_the_header() {
    assert_eq!(
        show(&[group(&[])], &terse("")),
        "ID  NameInitiator IDsSystem ID\n------------------------------\nAG_1g                s        \n"
    );
}

#[test]
fn no_records_are_no_output_at_all() {
    for style in [Style::default(), script(), terse(" "), Style { header: true, ..terse(" ") }] {
        assert_eq!(show::<AccessGroup>(&[], &style), "");
    }
}

#[test]
fn the_layout_for_scripts_has_all_properties_and_no_line_for_an_empty_list() {
    let groups = [group(&["iqn.a", "iqn.longer"]), group(&[])];
    assert_eq!(
        show(&groups, &script()),
        "\
---------------------
ID            | AG_1\u{20}
Name          | g   \u{20}
Initiator IDs | iqn.a
              | iqn.longer
Type          | iSCSI
System ID     | s   \u{20}
---------------------
ID            | AG_1\u{20}
Name          | g   \u{20}
Type          | iSCSI
System ID     | s   \u{20}
---------------------
"
    );
}

#[test]
fn a_separator_counts_for_scripts_too() {
    let text = show(&[volume("V", "v", 1, &[])], &Style { terse: Some(":".into()), ..script() });
    assert!(text.contains("\nBlock Count  :1                               \n"), "{text}");
    assert!(!text.contains("Disk Paths"));
}

#[test]
fn each_class_has_the_headings_of_the_original() {
    fn headings<T: Shown>() -> String {
        let heading =
            |c: &Column<T>| if c.detail { format!("[{}]", c.heading) } else { c.heading.to_owned() };
        T::COLUMNS.iter().map(heading).collect::<Vec<_>>().join(", ")
    }
    for (found, expected) in [
        (headings::<System>(), "ID, Name, Status, Info, FW Ver, Mode, Read Cache Percentage"),
        (headings::<PluginRow>(), "Description, Version"),
        (
            headings::<Pool>(),
            "ID, Name, Element Type, [Does not support], Total Space, Free Space, Status, Info, System ID",
        ),
        (
            headings::<Located<Volume>>(),
            "ID, Name, SCSI VPD 0x83, [Block Size], [Block Count], Size, Disabled, Pool ID, System ID, Disk Paths",
        ),
        (
            headings::<Located<Disk>>(),
            "ID, Name, Type, [Block Size], [Block Count], Size, Status, System ID, SCSI VPD 0x83, Disk Paths, \
             Revolutions Per Minute, Link Type, [Location]",
        ),
        (headings::<AccessGroup>(), "ID, Name, Initiator IDs, [Type], System ID"),
        (headings::<FileSystem>(), "ID, Name, Total Space, Free Space, Pool ID, System ID"),
        (headings::<sanfleet_driver::Snapshot>(), "ID, Name, Time Stamp"),
        (
            headings::<NfsExport>(),
            "ID, FileSystem ID, Export Path, [Auth Type], Root Hosts, RW Hosts, RO Hosts, [Anonymous UID], \
             [Anonymous GID], Options",
        ),
        (
            headings::<TargetPort>(),
            "ID, Type, [Physical Name], Address, Network Address, [Physical Address], System ID",
        ),
        (
            headings::<RaidRow>(),
            "Volume ID, RAID Type, Strip Size, Disk Count, Minimum I/O Size, Optimal I/O Size",
        ),
        (headings::<PoolRow>(), "Pool ID, RAID Type, Member Type, Member IDs"),
        (headings::<RaidCreateRow>(), "System ID, Supported RAID Types, Supported Strip Sizes"),
        (headings::<Battery>(), "ID, Name, Type, Status, System ID"),
        (
            headings::<CacheRow>(),
            "Volume ID, Write Cache Policy, Write Cache, Read Cache Policy, Read Cache, Physical Disk Cache",
        ),
        (
            headings::<LocalDisk>(),
            "Path, SCSI VPD 0x83, [Revolutions Per Minute], Link Type, Serial Number, [LED Status], [Link Speed], \
             Health Status",
        ),
        (headings::<Slot>(), "Slot ID, LED state, Device Node"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn bits_are_words_in_the_order_of_their_table_and_unknown_ones_a_number() {
    let pool = |elements: u64, status: u64| -> Pool {
        read(
            json!({"class": "Pool", "id": "P", "name": "p", "element_type": elements, "unsupported_actions": 3,
            "total_space": 1 << 30, "free_space": -1, "status": status, "status_info": "", "system_id": "s"}),
        )
    };
    let words = Style::default();
    let all = pool(1054 | 32 | 64, 2);
    assert_eq!(
        shown(&all, "Element Type", &words),
        "POOL,VOLUME,VOLUME_THIN,VOLUME_FULL,FS,SYSTEM_RESERVED,DELTA"
    );
    assert_eq!(shown(&all, "Does not support", &words), "Volume Grow,Volume Shrink");
    assert_eq!((shown(&all, "Status", &words), shown(&all, "Info", &words)), ("OK".into(), String::new()));
    assert_eq!(shown(&pool(0, 0), "Status", &words), "");
    assert_eq!(shown(&pool(0, 1 << 20), "Status", &words), "Unknown(0x100000)");
    assert_eq!(shown(&pool(0, 2 | 1 << 20), "Status", &words), "OK");
    let numbers = Style { raw_numbers: true, ..Style::default() };
    assert_eq!(shown(&all, "Element Type", &numbers), "1150");
    let human = Style { human: true, ..Style::default() };
    assert_eq!(shown(&all, "Total Space", &human), "1.00 GiB");
    assert_eq!(shown(&all, "Free Space", &words), "-1");
}

#[test]
fn properties_that_an_array_does_not_have_are_blank() {
    let system: System =
        read(json!({"class": "System", "id": "s", "name": "n", "status": 2, "status_info": "fine"}));
    for heading in ["FW Ver", "Mode", "Read Cache Percentage"] {
        assert_eq!(shown(&system, heading, &Style::default()), "", "{heading}");
    }
    let system: System =
        read(json!({"class": "System", "id": "s", "name": "n", "status": 2, "status_info": "fine",
        "fw_version": "1.0", "mode": 0, "read_cache_pct": 10}));
    assert_eq!(shown(&system, "Mode", &Style::default()), "HW RAID");
    assert_eq!(shown(&system, "Read Cache Percentage", &Style::default()), "10");
    let disk = Located {
        record: read::<Disk>(json!({"class": "Disk", "id": "D", "name": "d", "disk_type": 53,
        "block_size": 512, "num_of_blocks": 4, "status": 8194, "system_id": "s"})),
        paths: vec![],
    };
    assert_eq!(shown(&disk, "Revolutions Per Minute", &Style::default()), "No Support");
    assert_eq!(shown(&disk, "Link Type", &Style { raw_numbers: true, ..Style::default() }), "");
    assert_eq!(shown(&disk, "Status", &Style::default()), "OK,Free");
}

#[test]
fn an_export_shows_pythons_word_for_nothing() {
    let export: NfsExport =
        read(json!({"class": "NfsExport", "id": "E", "fs_id": "F", "export_path": "/a", "auth": null,
        "root": ["r"], "rw": ["a", "b"], "ro": [], "anonuid": -1, "anongid": 65534, "options": null}));
    assert_eq!(show(&[export], &terse(" ")), "E F /a r a   None\n         b       \n");
}

/// Every word of every property, with its number.
#[test]
fn every_number_has_the_word_of_the_original() {
    fn check<T: Shown + Debug>(heading: &str, make: impl Fn(i64) -> T, expected: &[(i64, &str)]) {
        for (number, word) in expected {
            assert_eq!(shown(&make(*number), heading, &Style::default()), *word, "{heading} {number}");
        }
    }
    let disk = |key: &'static str| {
        move |number: i64| {
            let mut record = json!({"class": "Disk", "id": "D", "name": "d", "disk_type": 0, "block_size": 512,
                "num_of_blocks": 4, "status": 2, "system_id": "s"});
            record[key] = number.into();
            Located { record: read::<Disk>(record), paths: vec![] }
        }
    };
    let battery = |key: &'static str| {
        move |number: i64| -> Battery {
            let mut record =
                json!({"class": "Battery", "id": "B", "name": "b", "type": 1, "status": 1, "system_id": "s"});
            record[key] = number.into();
            read(record)
        }
    };
    let system = |number: i64| -> System {
        read(json!({"class": "System", "id": "s", "name": "n", "status": number, "status_info": ""}))
    };
    let port = |number: i64| -> TargetPort {
        read(
            json!({"class": "TargetPort", "id": "T", "port_type": number, "service_address": "", "network_address": "",
            "physical_address": "", "physical_name": "", "system_id": "s"}),
        )
    };
    let initiators =
        |number: i64| AccessGroup { init_type: sanfleet_driver::InitiatorType(number), ..group(&[]) };
    let raid = |number: i64| RaidRow {
        volume_id: sanfleet_driver::VolumeKey::new("V"),
        info: read(json!([number, 0, 0, 0, 0])),
    };
    let members = |number: i64| PoolRow {
        pool_id: sanfleet_driver::PoolId::new("P"),
        info: read(json!([0, number, []])),
    };
    let cache = |at: usize| {
        move |number: i64| {
            let mut info = [1; 5];
            info[at] = number;
            CacheRow { volume_id: sanfleet_driver::VolumeKey::new("V"), info: read(json!(info)) }
        }
    };
    check(
        "Disabled",
        |n| {
            let mut volume = volume("V", "v", 1, &[]);
            volume.record.admin_state.0 = n;
            volume
        },
        &[(1, "No"), (0, "Yes"), (7, "Unknown(7)")],
    );
    check(
        "Status",
        system,
        &[
            (1, "Unknown"),
            (2, "OK"),
            (4, "Error"),
            (8, "Degraded"),
            (16, "Predictive failure"),
            (32, "Other"),
        ],
    );
    check(
        "Type",
        disk("disk_type"),
        &[
            (0, "UNKNOWN"),
            (1, "Other"),
            (3, "ATA"),
            (4, "SATA"),
            (5, "SAS"),
            (6, "FC"),
            (7, "SCSI Over PCI-E(SSD)"),
            (8, "SCSI"),
            (9, "Remote LUN"),
            (51, "NL_SAS"),
            (52, "HDD"),
            (53, "SSD"),
            (54, "Hybrid"),
            (2, "Unknown(2)"),
        ],
    );
    check(
        "Status",
        disk("status"),
        &[
            (1, "Unknown"),
            (2, "OK"),
            (4, "Other"),
            (8, "Predictive failure"),
            (16, "Error"),
            (32, "Removed"),
            (64, "Starting"),
            (128, "Stopping"),
            (256, "Stopped"),
            (512, "Initializing"),
            (1024, "Maintenance"),
            (2048, "Spare"),
            (4096, "Reconstruct"),
            (8192, "Free"),
        ],
    );
    check(
        "Revolutions Per Minute",
        disk("rpm"),
        &[
            (-2, "No Support"),
            (-1, "Unknown"),
            (0, "Non-Rotating Medium"),
            (1, "Rotating Medium Unknown Speed"),
            (15000, "15000"),
        ],
    );
    check(
        "Link Type",
        disk("link_type"),
        &[
            (-2, "No Support"),
            (-1, "Unknown"),
            (0, "FC"),
            (2, "SSA"),
            (3, "SBP"),
            (4, "SRP"),
            (5, "iSCSI"),
            (6, "SAS"),
            (7, "ADT"),
            (8, "PATA/SATA"),
            (9, "USB"),
            (10, "SCSI over PCIE"),
            (11, "PCI-E"),
        ],
    );
    check(
        "Type",
        initiators,
        &[(0, "Unknown"), (1, "Other"), (2, "WWPN"), (5, "iSCSI"), (7, "iSCSI/WWPN Mixed")],
    );
    check("Type", port, &[(1, "Other"), (2, "FC"), (3, "FCoE"), (4, "iSCSI")]);
    check("Type", battery("type"), &[(1, "Unknown"), (2, "Other"), (3, "Chemical"), (4, "Capacitor")]);
    check(
        "Status",
        battery("status"),
        &[
            (1, "Unknown"),
            (2, "Other"),
            (4, "OK"),
            (8, "Discharging"),
            (16, "Charging"),
            (32, "Learning"),
            (64, "Degraded"),
            (128, "Error"),
        ],
    );
    check(
        "RAID Type",
        raid,
        &[
            (-1, "UNKNOWN"),
            (0, "RAID0"),
            (1, "RAID1"),
            (3, "RAID3"),
            (4, "RAID4"),
            (5, "RAID5"),
            (6, "RAID6"),
            (10, "RAID10"),
            (15, "RAID15"),
            (16, "RAID16"),
            (20, "JBOD"),
            (21, "MIXED"),
            (22, "OTHER"),
            (50, "RAID50"),
            (51, "RAID51"),
            (60, "RAID60"),
            (61, "RAID61"),
        ],
    );
    check("Member Type", members, &[(0, "Unknown"), (1, "Unknown"), (2, "Disk"), (3, "Pool")]);
    check(
        "Write Cache Policy",
        cache(0),
        &[(1, "Unknown"), (2, "Write Back"), (3, "Auto"), (4, "Write Through")],
    );
    check("Write Cache", cache(1), &[(1, "Unknown"), (2, "Write Back"), (3, "Write Through")]);
    check("Read Cache Policy", cache(2), &[(1, "Unknown"), (2, "Enabled"), (3, "Disabled")]);
    check("Read Cache", cache(3), &[(1, "Unknown"), (2, "Enabled"), (3, "Disabled")]);
    check(
        "Physical Disk Cache",
        cache(4),
        &[(1, "Unknown"), (2, "Enabled"), (3, "Disabled"), (4, "Use Disk Setting")],
    );
}

#[test]
fn what_a_raid_controller_takes_is_a_list_of_words_and_one_of_sizes() {
    let row = RaidCreateRow {
        system_id: sanfleet_driver::SystemId::new("s"),
        info: read(json!([[0, 10], [65536, 1048576, 512]])),
    };
    let human = Style { human: true, ..terse(",") };
    assert_eq!(show(&[row], &human), "s,RAID0 ,64.00 KiB\n ,RAID10,1.00 MiB \n ,      ,512.00 B \n");
}

#[test]
fn a_moment_is_shown_as_the_clock_on_the_wall_has_it() {
    let cell_of = |style: &Style| match cell(
        words::moment(1_700_000_000, &TimeZone::fixed(jiff::tz::offset(1))),
        style,
    ) {
        Cell::One(text) => text.into_owned(),
        other @ Cell::Several(_) => panic!("{other:?}"),
    };
    assert_eq!(cell_of(&Style::default()), "2023-11-14 23:13:20");
    assert_eq!(cell_of(&Style { raw_numbers: true, ..Style::default() }), "1700000000");
    assert_eq!(
        words::moment(i64::MAX, &TimeZone::UTC),
        Value::Word { number: i64::MAX.into(), word: i64::MAX.to_string().into() }
    );
}

#[test]
fn a_name_neither_breaks_a_line_nor_drives_the_terminal() {
    let volume = volume("V", "a\nb\u{1b}[31m", 1, &[]);
    assert_eq!(shown(&volume, "Name", &Style::default()), "a b [31m");
}

proptest! {
    #[test]
    fn every_line_of_a_table_is_equally_long(
        names in prop::collection::vec("\\PC{0,12}", 1..6),
        paths in prop::collection::vec("[a-z]{0,9}", 0..4),
        human: bool, raw_numbers: bool, script: bool,
    ) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let volumes: Vec<_> = names.iter().map(|name| volume("V", name, 7, &paths[..paths.len().min(1)])).collect();
        let text = show(&volumes, &Style { human, raw_numbers, script, ..Style::default() });
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        prop_assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{}", text);
    }

    #[test]
    fn any_number_is_a_word(number: i64, set: u64) {
        let Value::Word { word: one, .. } = word(number, words::DISK_TYPE) else { panic!() };
        let Value::Word { word: many, .. } = bits(set, words::DISK_STATUS) else { panic!() };
        prop_assert!(!one.is_empty() && (set == 0) == many.is_empty());
    }
}
