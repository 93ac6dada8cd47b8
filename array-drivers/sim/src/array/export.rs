//! File systems served over NFS: rows that tell who may reach them. Nothing is served.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sanfleet_driver::{AnonymousId, ErrorNumber, FileSystemId, NfsExport, NfsExportId};

use super::{Array, file_system};
use crate::{
    error::{Result, SimError},
    identity,
};

/// The one way to authenticate, as libStorageMgmt's simulator names it.
const AUTH: &str = "simple";
const LONGEST_TEXT: usize = 4095;

/// What a client wants an export to be.
#[derive(Debug)]
pub(crate) struct WantedExport<'a> {
    /// None for one of the array's choice.
    pub path: Option<&'a str>,
    pub hosts: Hosts,
    pub anon_uid: AnonymousId,
    pub anon_gid: AnonymousId,
    pub auth: Option<&'a str>,
    pub options: Option<&'a str>,
}

/// Who may reach an export, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub root: Vec<String>,
    pub rw: Vec<String>,
    pub ro: Vec<String>,
}

impl Hosts {
    /// These, and those of `old` that they do not speak against: a host that is given anew as read-write is read-only no more, and the
    /// other way round.
    fn merged_into(self, old: Self) -> Self {
        let keep = |old: Vec<String>, against: &[String]| -> Vec<String> {
            old.into_iter().filter(|host| !against.contains(host)).collect()
        };
        let (rw, ro) = (keep(old.rw, &self.ro), keep(old.ro, &self.rw));
        Self { root: union(old.root, self.root), rw: union(rw, self.rw), ro: union(ro, self.ro) }
    }

    fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(SimError::refused(ErrorNumber::InvalidArgument, message));
        if let Some(host) = self.rw.iter().find(|host| self.ro.contains(host)) {
            return refuse(format!("{host} cannot be both read-write and read-only"));
        }
        match self.lists().into_iter().flat_map(|(_, hosts)| hosts).find(|host| !is_text(host)) {
            Some(host) => refuse(format!("{:?} is no host", host.chars().take(80).collect::<String>())),
            None => Ok(()),
        }
    }

    fn lists(&self) -> [(&'static str, &[String]); 3] {
        [("root", &self.root), ("rw", &self.rw), ("ro", &self.ro)]
    }
}

fn union(old: Vec<String>, new: Vec<String>) -> Vec<String> {
    old.into_iter().chain(new).collect::<BTreeSet<_>>().into_iter().collect()
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control)
}

impl Array {
    pub fn export_auth(&self) -> Vec<String> {
        vec![AUTH.to_owned()]
    }

    pub fn exports(&self) -> Result<Vec<NfsExport>> {
        let mut statement = self.state.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
        let exports = statement.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        exports.into_iter().map(|(row, export)| with_hosts(&self.state, row, export)).collect()
    }

    /// Makes an export, or changes the one at this path: hosts are added to its own, the rest is replaced.
    pub fn export_fs(&self, fs: &FileSystemId, wanted: WantedExport) -> Result<NfsExport> {
        check(&wanted)?;
        let change = self.begin()?;
        let fs = file_system::find(&change, fs)?;
        let known = match wanted.path {
            Some(path) => at_path(&change, path)?,
            None => None,
        };
        let (row, hosts) = match known {
            Some((_, export)) if export.fs_id != identity::file_system(fs.id) => {
                let message = format!("{} is an export of {}", export.export_path, export.fs_id);
                return Err(SimError::refused(ErrorNumber::NameConflict, message));
            }
            Some((row, export)) => {
                let old = with_hosts(&change, row, export)?;
                let old = Hosts { root: old.root, rw: old.rw, ro: old.ro };
                (row, wanted.hosts.clone().merged_into(old))
            }
            None => (self.insert_export(&change, fs.id, wanted.path)?, wanted.hosts.clone()),
        };
        update(&change, row, &wanted, &hosts)?;
        let export = change.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([row], read)?.1;
        let export = with_hosts(&change, row, export)?;
        change.commit()?;
        Ok(export)
    }

    pub fn export_remove(&self, id: &NfsExportId) -> Result<()> {
        let not_found = || SimError::refused(ErrorNumber::NotFoundNfsExport, format!("no export {id}"));
        let row = identity::export_row(id).ok_or_else(not_found)?;
        let change = self.begin()?;
        if change.prepare_cached("DELETE FROM export WHERE id = ?1")?.execute([row])? == 0 {
            return Err(not_found());
        }
        change.commit()?;
        Ok(())
    }

    /// The array's own choice of a path is the same in every run, and free.
    fn insert_export(&self, change: &Transaction, fs: i64, path: Option<&str>) -> Result<i64> {
        let insert = |path: &str| -> Result<i64> {
            change
                .prepare_cached(
                    "INSERT INTO export (fs, path, auth, anon_uid, anon_gid) VALUES (?1, ?2, ?3, -1, -1)",
                )?
                .execute(params![fs, path, AUTH])?;
            Ok(change.last_insert_rowid())
        };
        if let Some(path) = path {
            return insert(path);
        }
        let last: i64 = change.query_row("SELECT coalesce(max(id), 0) FROM export", [], |row| row.get(0))?;
        for number in last.. {
            let path = format!("/nfs_exp_{:08x}", scrambled(&self.id, number));
            if at_path(change, &path)?.is_none() {
                return insert(&path);
            }
        }
        Err(SimError::refused(ErrorNumber::PluginBug, "no path is left"))
    }
}

/// FNV-1a, 32 bits.
fn scrambled(array: &str, number: i64) -> u32 {
    let bytes = array.bytes().chain(number.to_be_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn check(wanted: &WantedExport) -> Result<()> {
    let refuse = |message: &str| Err(SimError::refused(ErrorNumber::InvalidArgument, message));
    if wanted.path.is_some_and(|path| !path.starts_with('/') || path.len() < 2 || !is_text(path)) {
        return refuse("an export's path begins with a slash and has more than that");
    }
    if wanted.auth.is_some_and(|auth| auth != AUTH) {
        return refuse("this authentication type is not on offer");
    }
    if wanted.options.is_some_and(|options| !options.is_empty() && !is_text(options)) {
        return refuse("options are one line of text");
    }
    wanted.hosts.check()
}

const SELECT: &str = "SELECT id, fs, path, auth, anon_uid, anon_gid, options FROM export";

fn read(row: &Row) -> rusqlite::Result<(i64, NfsExport)> {
    let id = row.get(0)?;
    let export = NfsExport {
        id: identity::export(id),
        fs_id: identity::file_system(row.get(1)?),
        export_path: row.get(2)?,
        auth: row.get(3)?,
        root: Vec::new(),
        rw: Vec::new(),
        ro: Vec::new(),
        anonuid: AnonymousId(row.get(4)?),
        anongid: AnonymousId(row.get(5)?),
        options: row.get(6)?,
        plugin_data: None,
    };
    Ok((id, export))
}

fn at_path(change: &Transaction, path: &str) -> Result<Option<(i64, NfsExport)>> {
    Ok(change.prepare_cached(&format!("{SELECT} WHERE path = ?1"))?.query_row([path], read).optional()?)
}

fn with_hosts(state: &Connection, row: i64, mut export: NfsExport) -> Result<NfsExport> {
    let mut statement =
        state.prepare_cached("SELECT access, host FROM export_host WHERE export = ?1 ORDER BY host")?;
    let hosts = statement.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (access, host) in hosts.collect::<rusqlite::Result<Vec<(String, String)>>>()? {
        match access.as_str() {
            "root" => export.root.push(host),
            "rw" => export.rw.push(host),
            _ => export.ro.push(host),
        }
    }
    Ok(export)
}

fn update(change: &Transaction, row: i64, wanted: &WantedExport, hosts: &Hosts) -> Result<()> {
    change
        .prepare_cached(
            "UPDATE export SET auth = ?2, anon_uid = ?3, anon_gid = ?4, options = ?5 WHERE id = ?1",
        )?
        .execute(params![
            row,
            wanted.auth.unwrap_or(AUTH),
            wanted.anon_uid.0,
            wanted.anon_gid.0,
            wanted.options
        ])?;
    change.prepare_cached("DELETE FROM export_host WHERE export = ?1")?.execute([row])?;
    let mut insert = change
        .prepare_cached("INSERT OR IGNORE INTO export_host (export, access, host) VALUES (?1, ?2, ?3)")?;
    for (access, list) in hosts.lists() {
        for host in list {
            insert.execute(params![row, access, host])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(rw: &[&str], ro: &[&str]) -> Hosts {
        let list = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        Hosts { root: Vec::new(), rw: list(rw), ro: list(ro) }
    }

    #[test]
    fn a_host_that_is_given_anew_changes_sides_and_the_others_stay() {
        let merged = hosts(&["c"], &["a"]).merged_into(hosts(&["a", "b"], &["c", "d"]));
        assert_eq!(merged, hosts(&["b", "c"], &["a", "d"]));
    }

    #[test]
    fn a_host_on_both_sides_is_refused() {
        assert!(hosts(&["a"], &["a"]).check().is_err());
    }
}
