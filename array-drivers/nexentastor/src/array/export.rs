//! File systems served over NFS: one share for each, at its mount point.

use sanfleet_driver::{AnonymousId, ErrorNumber, FileSystemId, NfsExport, NfsExportId};

use super::{
    Answer, Array,
    outcome::{Outcome, gone},
    refused,
};
use crate::{
    appliance::{self, FileSystemRow, Hosts, Reason, ShareRow},
    dataset::DatasetPath,
};

/// What is spoken of to the appliance. Kerberos has to be set up there first.
const AUTH: [&str; 5] = ["sys", "krb5", "krb5i", "krb5p", "none"];

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
    fn share(&self, file_system: &DatasetPath) -> Answer<ShareRow> {
        let given = |id: AnonymousId| id.0 >= 0;
        if given(self.anon_uid) || given(self.anon_gid) || self.options.is_some_and(|text| !text.is_empty()) {
            return refused(ErrorNumber::InvalidArgument, "anonymous ids and further options cannot be set");
        }
        let auth = self.auth.filter(|auth| !auth.is_empty()).unwrap_or(AUTH[0]);
        if !AUTH.contains(&auth) {
            return refused(ErrorNumber::InvalidArgument, format!("{auth:?} is no kind of authentication"));
        }
        let all = [self.root, self.rw, self.ro];
        if let Some(bad) = all.into_iter().flatten().find(|host| !is_host(host)) {
            return refused(ErrorNumber::InvalidArgument, format!("{bad:?} is no host"));
        }
        if self.rw.is_empty() && self.ro.is_empty() {
            return refused(ErrorNumber::InvalidArgument, "an export is for somebody");
        }
        let hosts = Hosts { root: self.root.to_vec(), rw: self.rw.to_vec(), ro: self.ro.to_vec() };
        Ok(ShareRow { file_system: file_system.clone(), auth: auth.to_owned(), hosts })
    }
}

/// A name, an address, or a network by its address and the length of its mask.
fn is_host(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_/*".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*');
    begins && text.len() <= 255 && text.chars().all(legal)
}

impl Array {
    pub fn export_auth(&mut self) -> Answer<Vec<String>> {
        Ok(AUTH.map(str::to_owned).to_vec())
    }

    pub fn exports(&mut self) -> Answer<Vec<NfsExport>> {
        let (file_systems, shares) = (self.appliance.file_systems()?, self.appliance.shares()?);
        let record = |share: &ShareRow| {
            let fs = file_systems.iter().find(|fs| fs.path == share.file_system)?;
            Some(record(fs, share))
        };
        Ok(shares.iter().filter_map(record).collect())
    }

    pub fn export_fs(&mut self, id: &FileSystemId, wanted: &WantedExport<'_>) -> Answer<NfsExport> {
        let _alone = self.alone()?;
        let fs = self.file_system(id)?;
        let share = wanted.share(&fs.path)?;
        if self.share_of(&fs.path)?.is_some() {
            let message = format!("file system {id} is exported; remove that export first");
            return refused(ErrorNumber::NameConflict, message);
        }
        let outcome = Outcome::of(self.appliance.share_create(&share))?;
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that it exports {}, but does not list it", fs.path);
        let row = outcome.settle(deadline, || Ok(self.share_of(&fs.path)?), untrue)?;
        Ok(record(&fs, &row))
    }

    pub fn export_remove(&mut self, id: &NfsExportId) -> Answer<()> {
        let _alone = self.alone()?;
        let rows = self.appliance.file_systems()?;
        let fs = rows.into_iter().find(|row| export_id(row) == *id);
        let missing = || refused(ErrorNumber::NotFoundNfsExport, format!("no export {id}"));
        let Some(fs) = fs else { return missing() };
        if self.share_of(&fs.path)?.is_none() {
            return missing();
        }
        let outcome = match self.appliance.share_delete(&fs.path) {
            Err(error) if error.is(Reason::Missing) => return missing(),
            answer => Outcome::of(answer)?,
        };
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that export {id} was removed, but lists it");
        outcome.settle(deadline, || gone(self.share_of(&fs.path)), untrue)
    }

    fn share_of(&mut self, file_system: &DatasetPath) -> appliance::Answer<Option<ShareRow>> {
        Ok(self.appliance.shares()?.into_iter().find(|share| share.file_system == *file_system))
    }
}

/// A file system has one export at most, so its id is the export's too.
fn export_id(fs: &FileSystemRow) -> NfsExportId {
    NfsExportId::new(&fs.id)
}

fn record(fs: &FileSystemRow, share: &ShareRow) -> NfsExport {
    NfsExport {
        id: export_id(fs),
        fs_id: fs.key(),
        export_path: fs.mount_point.clone(),
        auth: Some(share.auth.clone()),
        root: share.hosts.root.clone(),
        rw: share.hosts.rw.clone(),
        ro: share.hosts.ro.clone(),
        anonuid: AnonymousId::NOT_AVAILABLE,
        anongid: AnonymousId::NOT_AVAILABLE,
        options: None,
        plugin_data: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_no_word_of_the_appliances() {
        for bad in ["", "-o", "@all", "a b", "a;b", "a:b", "10.0.0.1\n"] {
            assert!(!is_host(bad), "{bad:?}");
        }
        for good in ["10.0.0.1", "10.0.0.0/8", "db1.example.com", "*"] {
            assert!(is_host(good), "{good}");
        }
    }
}
