//! open-iscsi's node records: how a target is logged in to.
//!
//! A record is a file of `name = value` lines that only root may read. What we set is written into the file itself, since
//! every process of a host can read what stands on a command line.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use sanfleet_protocol::IscsiPath;

use crate::{
    config::Chap,
    host::{HostError, linux::observe::attribute},
};

const MAX_BYTES: u64 = 64 * 1024;
/// The record of the software initiator, where a portal is a folder with one record for each interface.
const INTERFACE: &str = "default";
const END: &str = "# END RECORD";
/// Only what is scanned for comes in; and a portal that does not answer is given up soon.
const LOGIN: [(&str, &str); 3] = [
    ("node.session.scan", "manual"),
    ("node.session.initial_login_retry_max", "2"),
    ("node.conn[0].timeo.login_timeout", "5"),
];

#[derive(Debug, PartialEq, Eq)]
pub struct Record(PathBuf);

impl Record {
    /// `<nodes>/<target>/<address>,<port>`, to which open-iscsi adds `,<group>/default` where it knows the portal's group.
    pub fn find(nodes: &[PathBuf], path: &IscsiPath) -> Option<Self> {
        let portal = format!("{},{}", path.portal.ip(), path.portal.port());
        let record = |folder: &Path| {
            attribute::names(folder).into_iter().find_map(|name| {
                let rest = name.strip_prefix(&portal)?;
                let entry = folder.join(&name);
                let file = if entry.is_dir() { entry.join(INTERFACE) } else { entry };
                ((rest.is_empty() || rest.starts_with(',')) && file.is_file()).then_some(Self(file))
            })
        };
        nodes.iter().find_map(|nodes| record(&nodes.join(path.target.as_str())))
    }

    /// How to log in: see [`LOGIN`]; and with CHAP, where a user is configured. Everything else stays as it is.
    pub fn set(&self, chap: Option<&Chap>) -> Result<(), HostError> {
        let mut settings: Vec<(&str, &str)> = LOGIN.to_vec();
        let password = chap.map(Chap::password).transpose().map_err(|error| HostError::Invalid {
            what: "the CHAP user of this host".to_owned(),
            why: error.to_string(),
        })?;
        if let (Some(chap), Some(password)) = (chap, &password) {
            settings.extend([
                ("node.session.auth.authmethod", "CHAP"),
                ("node.session.auth.username", chap.user()),
                ("node.session.auth.password", password.expose()),
            ]);
        }
        self.write(&settings)
            .map_err(|e| HostError::os(format!("change the node record {}", self.0.display()), e))
    }

    fn write(&self, settings: &[(&str, &str)]) -> io::Result<()> {
        let bytes = attribute::bounded(&self.0, MAX_BYTES)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it cannot be read as a record"))?;
        let before = String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        let after = changed(&before, settings);
        if after == before {
            return Ok(());
        }
        fs::set_permissions(&self.0, Permissions::from_mode(0o600))?;
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut file = OpenOptions::new().write(true).truncate(true).custom_flags(flags).open(&self.0)?;
        file.write_all(after.as_bytes())
    }
}

/// The record with these values in the place of the old ones, or before its end where it had none.
fn changed(record: &str, settings: &[(&str, &str)]) -> String {
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let is_set = |line: &&str| key(line).is_some_and(|key| settings.iter().any(|(name, _)| *name == key));
    let kept = record.lines().filter(|line| !is_set(line) && *line != END).map(str::to_owned);
    let set = settings.iter().map(|(name, value)| format!("{name} = {value}"));
    kept.chain(set).chain([END.to_owned()]).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::Lun;

    use super::*;

    const RECORD: &str = "# BEGIN RECORD 2.1.8\nnode.name = iqn.2026-01.example:array\nnode.session.scan = auto\n\
                          node.session.auth.authmethod = None\n# END RECORD\n";

    fn path() -> IscsiPath {
        let (portal, target) = ("[fe80::1]:3260", "iqn.2026-01.example:array");
        IscsiPath {
            portal: portal.parse().unwrap(),
            target: target.parse().unwrap(),
            lun: Lun::new(1).unwrap(),
        }
    }

    fn folder(file: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("iqn.2026-01.example:array").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, RECORD).unwrap();
        (folder, file)
    }

    #[test]
    fn a_record_is_found_with_and_without_the_portals_group_and_not_by_a_part_of_its_port() {
        for (file, is_it) in [
            ("fe80::1,3260", true),
            ("fe80::1,3260,1/default", true),
            ("fe80::1,3260,-1/default", true),
            ("fe80::1,32601", false),
            ("fe80::1,3260,1/other", false),
            ("fe80::11,3260", false),
        ] {
            let (folder, file) = folder(file);
            let found = Record::find(&[PathBuf::from("/no/such/folder"), folder.path().to_owned()], &path());
            assert_eq!(found, is_it.then_some(Record(file)));
        }
    }

    #[test]
    fn what_is_set_takes_the_place_of_what_was_and_the_rest_stays() {
        let (_folder, file) = folder("fe80::1,3260");
        Record(file.clone()).set(None).unwrap();
        let now = fs::read_to_string(&file).unwrap();
        assert!(now.starts_with("# BEGIN RECORD 2.1.8\nnode.name = iqn.2026-01.example:array\n"), "{now}");
        assert!(now.contains("node.session.scan = manual\n") && !now.contains("auto"), "{now}");
        assert!(now.contains("authmethod = None\n") && now.ends_with("\n# END RECORD\n"), "{now}");
    }

    #[test]
    fn a_record_with_a_password_is_for_its_owner_alone() {
        let (folder, file) = folder("fe80::1,3260");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let password = folder.path().join("password");
        fs::write(&password, "a secret word\n").unwrap();
        fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
        Record(file.clone()).set(Some(&Chap::new("db1", &password))).unwrap();
        let now = fs::read_to_string(&file).unwrap();
        for line in ["authmethod = CHAP\n", "username = db1\n", "password = a secret word\n"] {
            assert!(now.contains(line), "{line} in {now}");
        }
        assert!(!now.contains("None"), "{now}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
