//! File systems, and their shares over NFS.

use sanfleet_driver_http::Method;
use serde_json::{Value, json};

use super::{Rest, nothing, row};
use crate::{
    appliance::{Answer, FileSystemRow, Files, Hosts, ShareRow},
    dataset::DatasetPath,
    wire::encoded,
};

pub(super) const FIELDS: &str = "path,guid,mountPoint,bytesAvailable,bytesUsed";
/// A list of hosts is never empty; this stands for nobody.
const NO_HOST: &str = "none";
const NETWORK: &str = "network";

impl Files for Rest {
    fn file_systems(&mut self) -> Answer<Vec<FileSystemRow>> {
        let path = format!("/storage/filesystems?fields={FIELDS}");
        let rows: Vec<row::FileSystem> = self.session.list("file systems", &path)?;
        let ours = rows.into_iter().filter(|row| !row.path.is_pool());
        Ok(ours
            .map(|row| FileSystemRow {
                quota: row.quota(),
                free: row.bytes_available,
                id: row.guid,
                mount_point: row.mount_point,
                path: row.path,
            })
            .collect())
    }

    fn fs_create(&mut self, path: &DatasetPath, quota: u64) -> Answer<()> {
        let body = json!({"path": path.as_str(), "referencedQuotaSize": quota});
        self.session.change("a new file system", Method::Post, "/storage/filesystems", &body)
    }

    fn fs_resize(&mut self, path: &DatasetPath, quota: u64) -> Answer<()> {
        let body = json!({"referencedQuotaSize": quota});
        self.session.change("a file system's new size", Method::Put, &place(path, ""), &body)
    }

    fn fs_delete(&mut self, path: &DatasetPath) -> Answer<()> {
        let place = place(path, "?force=true&snapshots=true");
        self.session.change("the end of a file system", Method::Delete, &place, &nothing())
    }

    fn shares(&mut self) -> Answer<Vec<ShareRow>> {
        let rows: Vec<row::Share> =
            self.session.list("shares", "/nas/nfs?fields=filesystem,securityContexts")?;
        Ok(rows.into_iter().map(told).collect())
    }

    fn share_create(&mut self, share: &ShareRow) -> Answer<()> {
        let Hosts { root, rw, ro } = &share.hosts;
        let context = json!({"securityModes": [share.auth], "readWriteList": entities(rw),
            "readOnlyList": entities(ro), "root": entities(root)});
        let body = json!({"filesystem": share.file_system.as_str(), "anon": "nobody", "securityContexts": [context]});
        self.session.change("a new share", Method::Post, "/nas/nfs", &body)
    }

    fn share_delete(&mut self, file_system: &DatasetPath) -> Answer<()> {
        let place = format!("/nas/nfs/{}", encoded(file_system.as_str()));
        self.session.change("the end of a share", Method::Delete, &place, &nothing())
    }
}

fn place(path: &DatasetPath, after: &str) -> String {
    format!("/storage/filesystems/{}{after}", encoded(path.as_str()))
}

/// Of several contexts the first is told: ours have one.
fn told(row: row::Share) -> ShareRow {
    let context = row.security_contexts.into_iter().next().unwrap_or_default();
    let hosts = Hosts {
        root: hosts(context.root),
        rw: hosts(context.read_write_list),
        ro: hosts(context.read_only_list),
    };
    let auth = context.security_modes.into_iter().next().unwrap_or_else(|| "sys".into());
    ShareRow { file_system: row.filesystem, auth, hosts }
}

fn hosts(entities: Vec<row::Entity>) -> Vec<String> {
    let others = entities.into_iter().filter(|entity| entity.entity != NO_HOST);
    others
        .map(|entity| match entity.mask {
            Some(mask) if entity.etype == NETWORK => format!("{}/{mask}", entity.entity),
            _ => entity.entity,
        })
        .collect()
}

fn entities(hosts: &[String]) -> Vec<Value> {
    if hosts.is_empty() {
        return vec![json!({"etype": "fqdn", "entity": NO_HOST})];
    }
    hosts.iter().map(|host| entity(host)).collect()
}

/// A name, or a network by its address and the length of its mask.
fn entity(host: &str) -> Value {
    let network = host.split_once('/').and_then(|(address, mask)| Some((address, mask.parse::<u8>().ok()?)));
    match network {
        Some((address, mask)) => json!({"etype": NETWORK, "entity": address, "mask": mask}),
        None => json!({"etype": "fqdn", "entity": host}),
    }
}
