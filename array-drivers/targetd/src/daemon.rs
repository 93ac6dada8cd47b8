//! What can be asked of the daemon: its methods, and the rows that it answers with.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::rpc::{Rpc, RpcError};

type Answer<T> = Result<T, RpcError>;

/// The only kind of initiator that the daemon knows.
const ISCSI: &str = "iscsi";

#[derive(Debug)]
pub(crate) struct Daemon {
    pub rpc: Rpc,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PoolRow {
    pub name: String,
    pub size: u64,
    pub free_size: u64,
    #[serde(rename = "type")]
    pub kind: String,
    pub uuid: Option<Uuid>,
}

/// A text from LVM, a number from ZFS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Uuid {
    Text(String),
    Number(u64),
}

impl Uuid {
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct VolumeRow {
    pub name: String,
    pub size: u64,
    pub uuid: Uuid,
}

/// A volume that one initiator sees, by whatever way.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ExportRow {
    pub initiator_wwn: String,
    pub lun: u64,
    pub vol_name: String,
    pub pool: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InitiatorRow {
    pub init_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct GroupRow {
    pub name: String,
    pub init_ids: Vec<String>,
}

/// A volume that a group sees.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MapRow {
    pub ag_name: String,
    pub h_lun_id: u64,
    pub pool_name: String,
    pub vol_name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FsRow {
    pub name: String,
    pub uuid: Uuid,
    pub total_space: u64,
    pub free_space: u64,
    pub pool: String,
    pub full_path: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SnapshotRow {
    pub name: String,
    /// With newer btrfs-progs the time of day, which several may share.
    pub uuid: Uuid,
    pub timestamp: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NfsRow {
    pub host: String,
    pub path: String,
    pub options: Vec<String>,
}

/// A user with a password, for one direction of CHAP.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
}

/// Declares methods: `name(parameters) -> rows`.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($($parameter:ident: $type:ty),*) -> $reply:ty;)*) => {
        impl Daemon {
            $($(#[$doc])* pub fn $name(&mut self, $($parameter: $type),*) -> Answer<$reply> {
                self.rpc.call(stringify!($name), params(json!({$(stringify!($parameter): $parameter),*})))
            })*
        }
    };
}

/// Where there are no parameters none are sent.
fn params(named: Value) -> Value {
    match named.as_object().is_some_and(serde_json::Map::is_empty) {
        true => Value::Null,
        false => named,
    }
}

methods! {
    pool_list() -> Vec<PoolRow>;
    vol_list(pool: &str) -> Vec<VolumeRow>;
    vol_create(pool: &str, name: &str, size: u64) -> ();
    vol_destroy(pool: &str, name: &str) -> ();
    vol_copy(pool: &str, vol_orig: &str, vol_new: &str) -> ();
    /// Only makes larger.
    vol_resize(pool: &str, name: &str, size: u64) -> ();
    export_list() -> Vec<ExportRow>;
    export_create(pool: &str, vol: &str, initiator_wwn: &str, lun: u64) -> ();
    export_destroy(pool: &str, vol: &str, initiator_wwn: &str) -> ();
    initiator_list(standalone_only: bool) -> Vec<InitiatorRow>;
    access_group_list() -> Vec<GroupRow>;
    /// Of a group that is not there it says nothing, and of one that volumes are masked to it forgets the masks.
    access_group_destroy(ag_name: &str) -> ();
    access_group_map_list() -> Vec<MapRow>;
    access_group_map_create(pool_name: &str, vol_name: &str, ag_name: &str, h_lun_id: u64) -> ();
    access_group_map_destroy(pool_name: &str, vol_name: &str, ag_name: &str) -> ();
    fs_list() -> Vec<FsRow>;
    fs_create(pool_name: &str, name: &str, size_bytes: u64) -> ();
    fs_destroy(uuid: &str) -> ();
    fs_clone(fs_uuid: &str, dest_fs_name: &str, snapshot_id: Option<&str>) -> ();
    ss_list(fs_uuid: &str) -> Vec<SnapshotRow>;
    fs_snapshot(fs_uuid: &str, dest_ss_name: &str) -> ();
    fs_snapshot_delete(fs_uuid: &str, ss_uuid: &str) -> ();
    nfs_export_auth_list() -> Vec<String>;
    nfs_export_list() -> Vec<NfsRow>;
    nfs_export_add(host: &str, path: &str, options: &[String]) -> serde::de::IgnoredAny;
    nfs_export_remove(host: &str, path: &str) -> ();
}

impl Daemon {
    pub fn access_group_create(&mut self, ag_name: &str, init_id: &str) -> Answer<()> {
        let params = json!({"ag_name": ag_name, "init_id": init_id, "init_type": ISCSI});
        self.rpc.call("access_group_create", params)
    }

    /// Makes the group if there is none.
    pub fn access_group_init_add(&mut self, ag_name: &str, init_id: &str) -> Answer<()> {
        let params = json!({"ag_name": ag_name, "init_id": init_id, "init_type": ISCSI});
        self.rpc.call("access_group_init_add", params)
    }

    pub fn access_group_init_del(&mut self, ag_name: &str, init_id: &str) -> Answer<()> {
        let params = json!({"ag_name": ag_name, "init_id": init_id, "init_type": ISCSI});
        self.rpc.call("access_group_init_del", params)
    }

    /// None switches a direction off.
    pub fn initiator_set_auth(
        &mut self,
        initiator: &str,
        inbound: Option<Login>,
        outbound: Option<Login>,
    ) -> Answer<()> {
        let user = |login: Option<Login>| login.map(|login| login.user.to_owned());
        let password = |login: Option<Login>| login.map(|login| login.password.to_owned());
        let params = json!({"initiator_wwn": initiator, "in_user": user(inbound), "in_pass": password(inbound),
            "out_user": user(outbound), "out_pass": password(outbound)});
        self.rpc.call("initiator_set_auth", params)
    }
}
