//! File systems served over NFS.
//!
//! The daemon has a row for each host; an export is all rows of one path whose options agree, but for what single hosts may do.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use sanfleet_driver::{AnonymousId, ErrorNumber, FileSystemId, NfsExport, NfsExportId};

use super::{
    Answer, Array,
    nfs_options::{NfsOptions, anonymous, further},
    outcome::{Outcome, is_so},
    refused,
};
use crate::{
    daemon::{FsRow, NfsRow},
    rpc::Code,
};

/// How a file system is to be exported.
pub(crate) struct WantedExport<'a> {
    pub root: &'a [String],
    pub rw: &'a [String],
    pub ro: &'a [String],
    pub anon_uid: AnonymousId,
    pub anon_gid: AnonymousId,
    pub auth: Option<&'a str>,
    pub options: Option<&'a str>,
}

impl WantedExport<'_> {
    /// Each host with what it is to have.
    fn hosts(&self) -> Answer<BTreeMap<&str, NfsOptions>> {
        let common = NfsOptions {
            auth: self.auth.filter(|auth| !auth.is_empty()).map(str::to_owned),
            anonuid: anonymous(self.anon_uid),
            anongid: anonymous(self.anon_gid),
            others: further(self.options)?,
            ..NfsOptions::default()
        };
        let mut hosts = BTreeMap::new();
        for (list, writes) in [(self.ro, false), (self.rw, true)] {
            for host in list {
                let root = self.root.contains(host);
                if !is_host(host) {
                    return refused(ErrorNumber::InvalidArgument, format!("{host:?} is no host"));
                }
                if hosts.insert(host.as_str(), NfsOptions { writes, root, ..common.clone() }).is_some() {
                    return refused(ErrorNumber::InvalidArgument, format!("{host} is named twice"));
                }
            }
        }
        match self.root.iter().find(|host| !hosts.contains_key(host.as_str())) {
            Some(host) => {
                let message = format!("{host} is to be root, but neither to read nor to write");
                refused(ErrorNumber::InvalidArgument, message)
            }
            None if hosts.is_empty() => refused(ErrorNumber::InvalidArgument, "an export is for somebody"),
            None => Ok(hosts),
        }
    }
}

/// A name, an address, a network or a pattern, as exportfs takes them.
fn is_host(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:/*?[]@".contains(c);
    !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.chars().all(legal)
}

impl Array {
    pub fn export_auth(&mut self) -> Answer<Vec<String>> {
        Ok(self.daemon.nfs_export_auth_list()?)
    }

    /// What the host exports besides targetd's own file systems is left out.
    pub fn exports(&mut self) -> Answer<Vec<NfsExport>> {
        let file_systems = self.daemon.fs_list()?;
        let rows = self.daemon.nfs_export_list()?;
        Ok(exports_of(&file_systems, &rows))
    }

    /// Exports to each host in turn; if one cannot be served, those before it are not served either.
    pub fn export_fs(&mut self, id: &FileSystemId, wanted: &WantedExport) -> Answer<NfsExport> {
        let hosts = wanted.hosts()?;
        let _alone = self.alone()?;
        let fs = self.file_system(id)?;
        let before = self.daemon.nfs_export_list()?;
        let known = |host: &str| before.iter().any(|row| row.path == fs.full_path && row.host == host);
        if let Some(host) = hosts.keys().find(|host| known(host)) {
            let message = format!("file system {id} is exported to {host}; remove that export first");
            return refused(ErrorNumber::NameConflict, message);
        }
        let mut outcome = Outcome::Done;
        for (host, options) in &hosts {
            match Outcome::of(self.daemon.nfs_export_add(host, &fs.full_path, &options.words()).map(drop)) {
                Ok(Outcome::Done) => {}
                Ok(open) => outcome = open,
                Err(error) => {
                    self.unexport(hosts.keys(), &fs.full_path);
                    return Err(error.into());
                }
            }
        }
        self.exported_to(&fs, &hosts, outcome)
    }

    fn exported_to(
        &mut self,
        fs: &FsRow,
        hosts: &BTreeMap<&str, NfsOptions>,
        outcome: Outcome,
    ) -> Answer<NfsExport> {
        let ours =
            |export: &NfsExport| export.fs_id == fs.id() && hosts.keys().all(|host| serves(export, host));
        let found = self.exports().map(|listed| listed.into_iter().find(ours));
        if !matches!(found, Ok(Some(_))) {
            self.unexport(hosts.keys(), &fs.full_path);
        }
        outcome.settle(found, || "targetd says that it exports, but does not list it".into())
    }

    /// After an export that failed: its error is what is told, and what cannot be taken back is listed.
    fn unexport<'a>(&mut self, hosts: impl Iterator<Item = &'a &'a str>, path: &str) {
        for host in hosts {
            let _ = self.daemon.nfs_export_remove(host, path);
        }
    }

    pub fn export_remove(&mut self, id: &NfsExportId) -> Answer<()> {
        let _alone = self.alone()?;
        let Some(export) = self.exports()?.into_iter().find(|export| export.id == *id) else {
            return refused(ErrorNumber::NotFoundNfsExport, format!("no export {id}"));
        };
        let mut outcome = Outcome::Done;
        for host in export.rw.iter().chain(&export.ro) {
            match self.daemon.nfs_export_remove(host, &export.export_path) {
                // Gone is gone, whoever did it.
                Err(error) if error.is(Code::NO_NFS_EXPORT) => {}
                answer => match Outcome::of(answer)? {
                    Outcome::Done => {}
                    open => outcome = open,
                },
            }
        }
        let look = is_so(self.exports().map(|listed| listed.iter().all(|export| export.id != *id)));
        outcome.settle(look, || format!("targetd says that export {id} was removed, but lists it"))
    }
}

fn serves(export: &NfsExport, host: &str) -> bool {
    export.rw.iter().chain(&export.ro).any(|served| served == host)
}

fn exports_of(file_systems: &[FsRow], rows: &[NfsRow]) -> Vec<NfsExport> {
    let mut exports: BTreeMap<NfsExportId, NfsExport> = BTreeMap::new();
    for row in rows {
        let Some(fs) = file_systems.iter().find(|fs| fs.full_path == row.path) else { continue };
        let options = NfsOptions::read(&row.options);
        let id = id(&row.path, &options.common());
        let export = exports.entry(id.clone()).or_insert_with(|| empty(id, fs, &options));
        if options.root {
            export.root.push(row.host.clone());
        }
        match options.writes {
            true => export.rw.push(row.host.clone()),
            false => export.ro.push(row.host.clone()),
        }
    }
    exports.into_values().collect()
}

/// Path and options are all that an export is.
fn id(path: &str, common: &NfsOptions) -> NfsExportId {
    let digits = Md5::digest(format!("{path}\n{}", common.words().join(",")));
    NfsExportId::new(digits.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn empty(id: NfsExportId, fs: &FsRow, options: &NfsOptions) -> NfsExport {
    let anonymous = |id: Option<i64>| id.map_or(AnonymousId::NOT_AVAILABLE, AnonymousId);
    NfsExport {
        id,
        fs_id: fs.id(),
        export_path: fs.full_path.clone(),
        auth: options.auth.clone(),
        root: Vec::new(),
        rw: Vec::new(),
        ro: Vec::new(),
        anonuid: anonymous(options.anonuid),
        anongid: anonymous(options.anongid),
        options: Some(options.others.join(",")).filter(|options| !options.is_empty()),
        plugin_data: None,
    }
}
