//! All commands with their options, one table: the types that commands are read into, the help, and the reading are made from it.

use sanfleet_driver::{
    PhysicalDiskCache, Provisioning, RaidType, ReadCache, ReplicateType, WriteCachePolicy,
};

use super::{
    scan::Given,
    spec::{Arity, OptionSpec},
    value::{AtLeastOne, Host, Initiator, ListType, RangeType, Secret, Shape, Size, SlotState, StripSize},
};

/// A command as the command line knows it.
#[derive(Debug)]
pub struct CommandSpec {
    pub name: &'static str,
    pub about: &'static str,
    pub options: &'static [OptionSpec],
    /// None for what the scan refuses, and where an option is missing.
    pub read: fn(&Given) -> Option<Command>,
}

macro_rules! commands {
    ($($Command:ident $name:literal, $about:literal {
        $($option:literal $metavar:literal $field:ident: $type:ty,)*
    })*) => {
        $(
            #[derive(Debug, PartialEq, Eq)]
            pub struct $Command { $(pub $field: $type),* }
        )*

        /// What is to be done.
        #[derive(Debug, PartialEq, Eq)]
        pub enum Command { $($Command($Command)),* }

        pub static COMMANDS: &[CommandSpec] = &[$(CommandSpec {
            name: $name,
            about: $about,
            options: &[$(OptionSpec {
                long: $option,
                short: None,
                arity: Arity::Value,
                metavar: $metavar,
                about: "",
                choices: <$type as Shape>::CHOICES,
                check: <$type as Shape>::CHECK,
                required: <$type as Shape>::REQUIRED,
                hidden: false,
            }),*],
            read: |_given| Some(Command::$Command($Command { $($field: Shape::take(_given, $option)?),* })),
        }),*];
    };
}

commands! {
    List "list", "List records of different types" {
        "--type" "<TYPE>" kind: ListType,
        "--sys" "<SYS_ID>" sys: Option<String>,
        "--pool" "<POOL_ID>" pool: Option<String>,
        "--vol" "<VOL_ID>" vol: Option<String>,
        "--disk" "<DISK_ID>" disk: Option<String>,
        "--ag" "<AG_ID>" ag: Option<String>,
        "--fs" "<FS_ID>" fs: Option<String>,
        "--nfs-export" "<NFS_EXPORT_ID>" nfs_export: Option<String>,
        "--tgt" "<TGT_ID>" tgt: Option<String>,
    }
    JobStatus "job-status", "Retrieve information about a job" {
        "--job" "<JOB_ID>" job: String,
    }
    Capabilities "capabilities", "What the array can do" {
        "--sys" "<SYS_ID>" sys: String,
    }
    PluginInfo "plugin-info", "Description and version of the plug-in" {}
    VolumeCreate "volume-create", "Make a volume" {
        "--name" "<NAME>" name: String,
        "--size" "<SIZE>" size: Size,
        "--pool" "<POOL_ID>" pool: String,
        "--provisioning" "<TYPE>" provisioning: Option<Provisioning>,
    }
    VolumeRaidCreate "volume-raid-create", "Make a volume of whole disks on hardware RAID" {
        "--name" "<NAME>" name: String,
        "--disk" "<DISK>" disk: AtLeastOne<String>,
        "--raid-type" "<RAID_TYPE>" raid_type: RaidType,
        "--strip-size" "<SIZE>" strip_size: Option<StripSize>,
    }
    VolumeRaidCreateCap "volume-raid-create-cap", "What volume-raid-create takes" {
        "--sys" "<SYS_ID>" sys: String,
    }
    VolumeDelete "volume-delete", "Delete a volume" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeResize "volume-resize", "Give a volume another size" {
        "--vol" "<VOL_ID>" vol: String,
        "--size" "<NEW_SIZE>" size: Size,
    }
    VolumeReplicate "volume-replicate", "Make a volume that is a replica of another" {
        "--vol" "<VOL_ID>" vol: String,
        "--name" "<NEW_VOL_NAME>" name: String,
        "--rep-type" "<REPL_TYPE>" rep_type: ReplicateType,
        "--pool" "<POOL_ID>" pool: Option<String>,
    }
    VolumeReplicateRange "volume-replicate-range", "Copy pieces of a volume into another" {
        "--src-vol" "<SRC_VOL_ID>" src_vol: String,
        "--dst-vol" "<DST_VOL_ID>" dst_vol: String,
        "--rep-type" "<REP_TYPE>" rep_type: RangeType,
        "--src-start" "<SRC_START_BLK>" src_start: AtLeastOne<u64>,
        "--dst-start" "<DST_START_BLK>" dst_start: AtLeastOne<u64>,
        "--count" "<BLK_COUNT>" count: AtLeastOne<u64>,
    }
    VolumeReplicateRangeBlockSize "volume-replicate-range-block-size", "Bytes of a block of volume-replicate-range" {
        "--sys" "<SYS_ID>" sys: String,
    }
    VolumeDependants "volume-dependants", "Does anything depend on a volume, such as a replica" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeDependantsRm "volume-dependants-rm", "Make what depends on a volume independent" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeAccessGroup "volume-access-group", "The access groups that see a volume" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeMask "volume-mask", "Show a volume to an access group" {
        "--vol" "<VOL_ID>" vol: String,
        "--ag" "<AG_ID>" ag: String,
    }
    VolumeUnmask "volume-unmask", "Hide a volume from an access group" {
        "--ag" "<AG_ID>" ag: String,
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeEnable "volume-enable", "Let a volume be used" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeDisable "volume-disable", "Let a volume not be used" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeRaidInfo "volume-raid-info", "How a volume is laid out over disks" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeIdentLedOn "volume-ident-led-on", "Light the lamps of a volume's disks" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumeIdentLedOff "volume-ident-led-off", "Put out the lamps of a volume's disks" {
        "--vol" "<VOL_ID>" vol: String,
    }
    SystemReadCachePctUpdate "system-read-cache-pct-update", "Set the percentage of the cache that is for reads" {
        "--sys" "<SYS_ID>" sys: String,
        "--read-pct" "<PERCENT>" read_pct: u64,
    }
    PoolMemberInfo "pool-member-info", "What a pool is made of" {
        "--pool" "<POOL_ID>" pool: String,
    }
    AccessGroupCreate "access-group-create", "Make an access group with its first initiator" {
        "--name" "<AG_NAME>" name: String,
        "--init" "<INIT_ID>" init: Initiator,
        "--sys" "<SYS_ID>" sys: String,
    }
    AccessGroupAdd "access-group-add", "Take an initiator into an access group" {
        "--ag" "<AG_ID>" ag: String,
        "--init" "<INIT_ID>" init: Initiator,
    }
    AccessGroupRemove "access-group-remove", "Take an initiator out of an access group" {
        "--ag" "<AG_ID>" ag: String,
        "--init" "<INIT_ID>" init: Initiator,
    }
    AccessGroupDelete "access-group-delete", "Delete an access group" {
        "--ag" "<AG_ID>" ag: String,
    }
    AccessGroupVolumes "access-group-volumes", "The volumes that an access group sees" {
        "--ag" "<AG_ID>" ag: String,
    }
    IscsiChap "iscsi-chap", "Set the CHAP logins of an iSCSI initiator" {
        "--init" "<INIT_ID>" init: Initiator,
        "--in-user" "<IN_USER>" in_user: Option<String>,
        "--in-pass" "<IN_PASS>" in_pass: Option<Secret>,
        "--out-user" "<OUT_USER>" out_user: Option<String>,
        "--out-pass" "<OUT_PASS>" out_pass: Option<Secret>,
    }
    FsCreate "fs-create", "Make a file system" {
        "--name" "<FS_NAME>" name: String,
        "--size" "<SIZE>" size: Size,
        "--pool" "<POOL_ID>" pool: String,
    }
    FsDelete "fs-delete", "Delete a file system" {
        "--fs" "<FS_ID>" fs: String,
    }
    FsResize "fs-resize", "Give a file system another size" {
        "--fs" "<FS_ID>" fs: String,
        "--size" "<NEW_SIZE>" size: Size,
    }
    FsExport "fs-export", "Serve a file system over NFS; to one host at least, with --ro-host or --rw-host" {
        "--fs" "<FS_ID>" fs: String,
        "--exportpath" "<EXPORT_PATH>" export_path: Option<String>,
        "--anonuid" "<ANON_UID>" anon_uid: Option<u64>,
        "--anongid" "<ANON_GID>" anon_gid: Option<u64>,
        "--auth-type" "<AUTH_TYPE>" auth_type: Option<String>,
        "--root-host" "<ROOT_HOST>" root_hosts: Vec<Host>,
        "--ro-host" "<RO_HOST>" ro_hosts: Vec<Host>,
        "--rw-host" "<RW_HOST>" rw_hosts: Vec<Host>,
    }
    FsUnexport "fs-unexport", "Serve a file system over NFS no longer" {
        "--export" "<EXPORT_ID>" export: String,
    }
    FsClone "fs-clone", "Make a file system with the contents of another" {
        "--src-fs" "<SRC_FS_ID>" src_fs: String,
        "--dst-name" "<DST_FS_NAME>" dst_name: String,
        "--backing-snapshot" "<BE_SS_ID>" backing_snapshot: Option<String>,
    }
    FsSnapCreate "fs-snap-create", "Take a snapshot of a file system" {
        "--name" "<SNAP_NAME>" name: String,
        "--fs" "<FS_ID>" fs: String,
    }
    FsSnapDelete "fs-snap-delete", "Delete a snapshot" {
        "--snap" "<SNAP_ID>" snap: String,
        "--fs" "<FS_ID>" fs: String,
    }
    FsSnapRestore "fs-snap-restore", "Bring back all files of a snapshot, or those named" {
        "--snap" "<SNAP_ID>" snap: String,
        "--fs" "<FS_ID>" fs: String,
        "--file" "<FILE_PATH>" files: Vec<String>,
        "--fileas" "<NEW_FILE_PATH>" new_names: Vec<String>,
    }
    FsDependants "fs-dependants", "Does anything depend on a file system, or on the files named" {
        "--fs" "<FS_ID>" fs: String,
        "--file" "<FILE_PATH>" files: Vec<String>,
    }
    FsDependantsRm "fs-dependants-rm", "Make what depends on a file system, or on the files named, independent" {
        "--fs" "<FS_ID>" fs: String,
        "--file" "<FILE_PATH>" files: Vec<String>,
    }
    FileClone "file-clone", "Clone a file within its file system" {
        "--fs" "<FS_ID>" fs: String,
        "--src" "<SRC_FILE_PATH>" src: String,
        "--dst" "<DST_FILE_PATH>" dst: String,
        "--backing-snapshot" "<BE_SS_ID>" backing_snapshot: Option<String>,
    }
    LocalDiskList "local-disk-list", "The disks of this host" {}
    VolumeCacheInfo "volume-cache-info", "How reads and writes of a volume are cached" {
        "--vol" "<VOL_ID>" vol: String,
    }
    VolumePhyDiskCacheUpdate "volume-phy-disk-cache-update", "Turn the cache in a volume's disks on or off" {
        "--vol" "<VOL_ID>" vol: String,
        "--policy" "<POLICY>" policy: PhysicalDiskCache,
    }
    VolumeReadCachePolicyUpdate "volume-read-cache-policy-update", "Turn the read cache of a volume on or off" {
        "--vol" "<VOL_ID>" vol: String,
        "--policy" "<POLICY>" policy: ReadCache,
    }
    VolumeWriteCachePolicyUpdate "volume-write-cache-policy-update", "Set the write cache of a volume: write back, auto, write through" {
        "--vol" "<VOL_ID>" vol: String,
        "--policy" "<POLICY>" policy: WriteCachePolicy,
    }
    LocalDiskIdentLedOn "local-disk-ident-led-on", "Light the identification lamp of a disk of this host" {
        "--path" "<DISK_PATH>" path: String,
    }
    LocalDiskIdentLedOff "local-disk-ident-led-off", "Put out the identification lamp of a disk of this host" {
        "--path" "<DISK_PATH>" path: String,
    }
    LocalDiskFaultLedOn "local-disk-fault-led-on", "Light the fault lamp of a disk of this host" {
        "--path" "<DISK_PATH>" path: String,
    }
    LocalDiskFaultLedOff "local-disk-fault-led-off", "Put out the fault lamp of a disk of this host" {
        "--path" "<DISK_PATH>" path: String,
    }
    LocalLedSlotList "local-led-slot-list", "The slots of this host that have lamps" {}
    LocalLedSlotSet "local-led-slot-set", "Set the lamps of a slot of this host" {
        "--slot" "<SLOT_ID>" slot: String,
        "--state" "<STATE>" state: SlotState,
    }
}
