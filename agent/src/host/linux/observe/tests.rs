use std::{num::NonZeroU32, path::Path};

use sanfleet_protocol::{VolumeId, v1::DeviceKind, volume_id};

use super::tree::{Tree, ids, page};
use crate::host::{DeviceNumber, Host, SysDevice};

const ISCSI_DISK: &str = "platform/host2/session1/target2:0:0/2:0:0:1/block/sda";
const FC_DISK: &str = "pci0000:00/0000:00:05.0/host3/rport-3:0-2/target3:0:0/3:0:0:1/block/sdb";
const LIO_NAA: &str = "naa.60014053fef180bf1000000000000000";

fn named<'a>(devices: &'a [SysDevice], name: &str) -> &'a SysDevice {
    devices.iter().find(|device| device.name == name).unwrap()
}

#[test]
fn a_scsi_disk_is_known_by_its_page_and_its_fabric_by_its_place() {
    let tree = Tree::new();
    tree.scsi_disk(ISCSI_DISK, "8:0", page::LIO);
    let disk = tree.only_device();
    assert_eq!(disk.number, DeviceNumber { major: 8, minor: 0 });
    assert_eq!((disk.name.as_str(), disk.kind), ("sda", DeviceKind::Disk));
    assert_eq!((disk.size_bytes, disk.disk_sequence, disk.read_only), (1 << 20, 9, false));
    assert_eq!(ids(&disk)[0], LIO_NAA);
    assert_eq!((disk.vendor.as_str(), disk.model.as_str()), ("LIO-ORG", "FILEIO"));
    assert_eq!(disk.serial, "3LZvm");
    assert_eq!(disk.fabric.as_deref(), Some("iscsi"));
}

#[test]
fn a_fibre_channel_disk_is_told_from_a_local_one() {
    let tree = Tree::new();
    tree.scsi_disk(FC_DISK, "8:16", page::LIO);
    tree.scsi_disk("pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sdc", "8:32", page::SCSI_DEBUG);
    let devices = tree.devices();
    assert_eq!(named(&devices, "sdb").fabric.as_deref(), Some("fc"));
    assert_eq!(named(&devices, "sdc").fabric, None);
    assert_eq!(ids(named(&devices, "sdc")), ["t10.Linux scsi_debug 2000", "naa.33333330000007d0"]);
}

#[test]
fn the_uuid_that_the_wwid_hides_is_found_and_the_wwid_is_only_a_fallback() {
    let tree = Tree::new();
    let attributes: [(&str, &[u8]); 2] = [
        ("device/vpd_pg83", &page::bytes(page::UUID_ONLY)),
        ("device/wwid", b"t10.Linux   scsi_debug      2000\n"),
    ];
    tree.device("host0/target0:0:0/0:0:0:0/block/sda", "8:0", &attributes);
    tree.device("host0/target0:0:0/0:0:0:1/block/sdb", "8:16", &[("device/wwid", b"naa.5000c500a1b2c3d4\n")]);
    let devices = tree.devices();
    assert!(ids(&devices[0]).contains(&"uuid.fcc7601c-d374-47ef-9b73-7b13a309d936".to_owned()));
    assert_eq!(ids(&devices[1]), ["naa.5000c500a1b2c3d4"]);
}

#[test]
fn a_disk_whose_page_is_damaged_has_no_ids_and_is_there() {
    let tree = Tree::new();
    tree.device("host0/block/sda", "8:0", &[("device/vpd_pg83", &[0, 0x83, 0xff])]);
    assert_eq!(tree.only_device().cached_ids, []);
}

#[test]
fn a_multipath_map_has_the_ids_and_the_fabric_of_its_paths() {
    let tree = Tree::new();
    let other = "platform/host4/session2/target4:0:0/4:0:0:1/block/sdb";
    tree.scsi_disk(ISCSI_DISK, "8:0", page::LIO);
    tree.scsi_disk(other, "8:16", page::LIO);
    let uuid = b"mpath-360014053fef180bf1000000000000000\n";
    tree.device("virtual/block/dm-0", "254:0", &[("dm/uuid", uuid), ("dm/name", b"mpatha\n")]);
    tree.stack("virtual/block/dm-0", ISCSI_DISK);
    tree.stack("virtual/block/dm-0", other);
    let devices = tree.devices();
    let map = named(&devices, "dm-0");
    assert_eq!(map.kind, DeviceKind::Multipath);
    assert_eq!(map.slaves, ["sda", "sdb"]);
    assert_eq!(named(&devices, "sda").holders, ["dm-0"]);
    assert_eq!(ids(map)[0], LIO_NAA);
    assert!(ids(map)[1].starts_with("t10.LIO-ORG"), "{:?}", ids(map));
    assert_eq!(map.fabric.as_deref(), Some("iscsi"));
}

#[test]
fn a_map_over_paths_of_two_volumes_has_only_the_id_in_its_name() {
    let tree = Tree::new();
    tree.scsi_disk(ISCSI_DISK, "8:0", page::LIO);
    tree.scsi_disk(FC_DISK, "8:16", page::SCSI_DEBUG);
    let uuid = b"mpath-360014053fef180bf1000000000000000\n";
    tree.device("virtual/block/dm-0", "254:0", &[("dm/uuid", uuid)]);
    tree.stack("virtual/block/dm-0", ISCSI_DISK);
    tree.stack("virtual/block/dm-0", FC_DISK);
    let devices = tree.devices();
    assert_eq!(ids(named(&devices, "dm-0")), [LIO_NAA]);
    assert_eq!(named(&devices, "dm-0").fabric, None);
}

#[test]
fn what_is_made_of_volumes_or_is_a_part_of_one_is_no_volume() {
    let tree = Tree::new();
    tree.scsi_disk(ISCSI_DISK, "8:0", page::LIO);
    tree.device(&format!("{ISCSI_DISK}/sda1"), "8:1", &[("partition", b"1\n")]);
    let lvm = b"LVM-Zzj2Y7OtE0qHq1DRlbHDmCvVQuKUuKZ3a5t5MiyqBAz6wHR1qk0lkKj0f5OYc2Dw\n";
    tree.device("virtual/block/dm-0", "254:0", &[("dm/uuid", lvm), ("dm/name", b"vg--1-data\n")]);
    tree.stack("virtual/block/dm-0", &format!("{ISCSI_DISK}/sda1"));
    let kpartx = b"part1-mpath-360014053fef180bf1000000000000000\n";
    tree.device("virtual/block/dm-1", "254:1", &[("dm/uuid", kpartx)]);
    tree.stack("virtual/block/dm-1", "virtual/block/dm-2");
    tree.device("virtual/block/md0", "9:0", &[("md/level", b"raid1\n")]);

    let devices = tree.devices();
    let kinds = ["sda1", "dm-0", "dm-1", "md0"].map(|name| {
        assert_eq!(named(&devices, name).cached_ids, [], "{name}");
        named(&devices, name).kind
    });
    use DeviceKind::{DeviceMapper, Md, Partition};
    assert_eq!(kinds, [Partition, DeviceMapper, Partition, Md]);
    let partition = named(&devices, "sda1");
    assert_eq!((partition.parent.as_deref(), partition.disk_sequence), (Some("sda"), 9));
    assert_eq!(partition.holders, ["dm-0"]);
    let of_map = named(&devices, "dm-1");
    assert_eq!((of_map.parent.as_deref(), of_map.partition), (Some("dm-2"), NonZeroU32::new(1)));
    let lvm = named(&devices, "dm-0").lvm.clone().unwrap();
    assert_eq!((lvm.group.as_str(), lvm.volume.unwrap().as_str()), ("vg-1", "data"));
}

#[test]
fn an_nvme_head_is_there_with_every_id_and_its_hidden_paths_are_not() {
    let tree = Tree::new();
    let subsystem = "virtual/nvme-subsystem/nvme-subsys0";
    let attributes: [(&str, &[u8]); 7] = [
        ("wwid", b"uuid.8b1a2c3d-4e5f-4061-8273-94a5b6c7d8e9\n"),
        ("uuid", b"8b1a2c3d-4e5f-4061-8273-94a5b6c7d8e9\n"),
        ("nguid", b"00112233-4455-6677-8899-aabbccddeeff\n"),
        ("eui", b"00 25 38 5b 01 02 03 04\n"),
        ("device/model", b"Linux                                   \n"),
        ("device/serial", b"a1b2c3d4            \n"),
        ("device/nvme0/transport", b"tcp\n"),
    ];
    tree.device(&format!("{subsystem}/nvme0n1"), "259:0", &attributes);
    tree.device(&format!("{subsystem}/nvme0c0n1"), "259:1", &[("hidden", b"1\n")]);
    let head = tree.only_device();
    assert_eq!((head.name.as_str(), head.kind), ("nvme0n1", DeviceKind::Nvme));
    assert_eq!(
        ids(&head),
        [
            "uuid.8b1a2c3d-4e5f-4061-8273-94a5b6c7d8e9",
            "nguid.00112233445566778899aabbccddeeff",
            "eui.0025385b01020304"
        ]
    );
    assert_eq!((head.model.as_str(), head.serial.as_str()), ("Linux", "a1b2c3d4"));
    assert_eq!(head.fabric.as_deref(), Some("nvme-tcp"));
}

#[test]
fn an_nguid_that_the_kernel_shows_as_a_uuid_stays_an_nguid() {
    let tree = Tree::new();
    let attributes: [(&str, &[u8]); 5] = [
        ("wwid", b"eui.00112233445566778899aabbccddeeff\n"),
        ("uuid", b"00112233-4455-6677-8899-aabbccddeeff\n"),
        ("nguid", b"00112233-4455-6677-8899-aabbccddeeff\n"),
        ("eui", b"00 00 00 00 00 00 00 00\n"),
        ("device/transport", b"pcie\n"),
    ];
    tree.device("pci0000:00/nvme/nvme0/nvme0n1", "259:0", &attributes);
    let namespace = tree.only_device();
    assert_eq!(ids(&namespace), ["nguid.00112233445566778899aabbccddeeff"]);
    assert_eq!(namespace.fabric, None);
}

#[test]
fn places_without_a_device_and_drives_that_no_array_has_are_left_out() {
    let tree = Tree::new();
    for (name, number) in [("loop0", "7:0"), ("ram0", "1:0"), ("zram0", "253:0"), ("nbd0", "43:0")] {
        tree.device(&format!("virtual/block/{name}"), number, &[("size", b"0\n")]);
    }
    tree.device("virtual/block/loop1", "7:1", &[]);
    tree.device("pci/ata2/block/sr0", "11:0", &[("device/model", b"DVD\n")]);
    tree.device("platform/block/fd0", "2:0", &[]);
    tree.device("virtual/block/broken", "not a number", &[]);
    assert_eq!(tree.devices(), []);
}

#[test]
fn a_disk_that_has_lost_its_size_is_still_there() {
    let tree = Tree::new();
    tree.device(
        "host0/block/sda",
        "8:0",
        &[("size", b"0\n"), ("device/vendor", b"LIO-ORG\n"), ("ro", b"1\n")],
    );
    let disk = tree.only_device();
    assert_eq!((disk.size_bytes, disk.read_only), (0, true));
}

#[test]
fn a_name_with_a_slash_is_the_kernels_and_not_that_of_sysfs() {
    let tree = Tree::new();
    tree.device("pci/block/cciss!c0d0", "104:0", &[("device/vendor", b"HP\n")]);
    assert_eq!(tree.only_device().name, "cciss/c0d0");
}

#[test]
fn a_loop_device_on_the_fabric_has_the_id_published_beside_its_file() {
    let mut tree = Tree::new();
    let ours = "iqn.2026-01.example:backup1";
    tree.options.loop_fabric = Some(tree.path("fabric"));
    tree.options.initiators = vec![ours.parse().unwrap()];
    let volume: VolumeId = LIO_NAA.parse().unwrap();
    let bind = |number: usize, initiator: &str| {
        tree.file(
            &format!("fabric/{initiator}/lun-{number}/vpd_pg83"),
            &volume_id::page(std::slice::from_ref(&volume)),
        );
        let backing = tree.path(&format!("fabric/{initiator}/lun-{number}/disk"));
        let backing = format!("{}\n", backing.display());
        let attributes: [(&str, &[u8]); 1] = [("loop/backing_file", backing.as_bytes())];
        tree.device(&format!("virtual/block/loop{number}"), &format!("7:{number}"), &attributes);
    };
    bind(0, ours);
    bind(1, "iqn.2026-01.example:db1");
    let devices = tree.devices();
    assert_eq!((devices[0].kind, devices[0].fabric.as_deref()), (DeviceKind::Loop, Some("loop")));
    assert_eq!(ids(&devices[0]), [LIO_NAA]);
    assert_eq!((devices[1].fabric.as_deref(), devices[1].cached_ids.len()), (None, 0), "another host's");
    assert_eq!(tree.host().fabrics(), ["loop"]);
}

#[test]
fn initiators_are_found_in_every_place_and_each_once() {
    let tree = Tree::new();
    let iscsi = b"## by open-iscsi\n#InitiatorName=iqn.old\nGenerateName=no\nInitiatorName=iqn.1993-08.org.debian:01:ABC\n";
    tree.file("etc/iscsi/initiatorname.iscsi", iscsi);
    tree.file("etc/nvme/hostnqn", b"nqn.2014-08.org.nvmexpress:uuid:4C4C4544-0042-3010-8035-B4C04F383432\n");
    for (host, port) in
        [("host5", "0x500a09818d123456"), ("host6", "0x500A09818D123456"), ("host7", "nonsense")]
    {
        tree.file(&format!("sys/class/fc_host/{host}/port_name"), format!("{port}\n").as_bytes());
    }
    let found: Vec<String> = tree.host().initiators().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "iqn.1993-08.org.debian:01:abc",
            "50:0a:09:81:8d:12:34:56",
            "nqn.2014-08.org.nvmexpress:uuid:4c4c4544-0042-3010-8035-b4c04f383432"
        ]
    );
}

#[test]
fn configured_initiators_take_the_place_of_the_systems_own() {
    let mut tree = Tree::new();
    tree.file("etc/iscsi/initiatorname.iscsi", b"InitiatorName=iqn.1993-08.org.debian:01:abc\n");
    let own = "iqn.2026-01.example:db1".parse().unwrap();
    tree.options.initiators = vec![own, "IQN.2026-01.example:DB1".parse().unwrap()];
    assert_eq!(tree.host().initiators(), ["iqn.2026-01.example:db1".parse().unwrap()]);
}

#[test]
fn boot_id_and_machine_id_come_from_their_files() {
    let tree = Tree::new();
    assert_eq!(tree.host().boot_id(), "");
    tree.file("proc/sys/kernel/random/boot_id", b"6e52ac4c-8b1f-4a0e-9a77-3a44e1f1a111\n");
    tree.file("etc/machine-id", b"0123456789abcdef0123456789abcdef\n");
    let host = tree.host();
    assert_eq!(host.boot_id(), "6e52ac4c-8b1f-4a0e-9a77-3a44e1f1a111");
    let facts = host.facts();
    assert_eq!(facts.machine_id, "0123456789abcdef0123456789abcdef");
    assert!(!facts.kernel.is_empty() && !facts.hostname.is_empty());
    assert!(facts.cpus > 0 && facts.memory_bytes > 0);
}

#[test]
fn mounts_are_those_of_the_table() {
    let tree = Tree::new();
    tree.file("proc/self/mountinfo", b"36 35 8:1 / /var/lib/mysql rw,nodev - ext4 /dev/sda1 rw\n");
    let mounts = tree.host().mounts().unwrap();
    assert_eq!(mounts.len(), 1);
    assert_eq!(mounts[0].mount_point, Path::new("/var/lib/mysql"));
}

#[test]
fn a_host_without_sysfs_is_an_error_and_not_a_host_without_devices() {
    let tree = Tree::new();
    std::fs::remove_dir_all(tree.path("sys")).unwrap();
    assert!(tree.host().devices().is_err());
}
