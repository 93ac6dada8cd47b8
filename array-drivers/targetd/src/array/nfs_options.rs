//! The options of an NFS export, as the daemon and exportfs spell them.

use sanfleet_driver::{AnonymousId, ErrorNumber, LsmError};

/// Options that stand alone. The daemon says of any other that it has no such method.
const FLAGS: [&str; 18] = [
    "secure",
    "rw",
    "ro",
    "sync",
    "async",
    "no_wdelay",
    "nohide",
    "crossmnt",
    "no_subtree_check",
    "insecure_locks",
    "root_squash",
    "all_squash",
    "wdelay",
    "hide",
    "insecure",
    "no_root_squash",
    "no_all_squash",
    "mountpoint",
];
/// Options with a value.
const VALUES: [&str; 8] = ["mountpoint", "mp", "fsid", "refer", "replicas", "anonuid", "anongid", "sec"];
/// Said by an export for each host, not for all.
const OF_HOSTS: [&str; 4] = ["rw", "ro", "root_squash", "no_root_squash"];
/// Given by themselves, not among the further options.
const OF_RECORD: [&str; 3] = ["sec", "anonuid", "anongid"];

/// What one host may do, and what holds for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NfsOptions {
    pub writes: bool,
    pub root: bool,
    pub auth: Option<String>,
    pub anonuid: Option<i64>,
    pub anongid: Option<i64>,
    /// Whatever else there is, sorted.
    pub others: Vec<String>,
}

impl NfsOptions {
    /// Reads a row of the daemon's.
    pub fn read(row: &[String]) -> Self {
        let mut options = Self::default();
        for word in row {
            match word.split_once('=') {
                None if word == "rw" => options.writes = true,
                None if word == "no_root_squash" => options.root = true,
                None if OF_HOSTS.contains(&word.as_str()) => {}
                Some(("sec", auth)) => options.auth = Some(auth.to_owned()),
                Some(("anonuid", id)) if id.parse::<i64>().is_ok() => options.anonuid = id.parse().ok(),
                Some(("anongid", id)) if id.parse::<i64>().is_ok() => options.anongid = id.parse().ok(),
                _ => options.others.push(word.clone()),
            }
        }
        options.others.sort();
        options
    }

    /// As the daemon is told them.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![if self.writes { "rw" } else { "ro" }.to_owned()];
        words.push(if self.root { "no_root_squash" } else { "root_squash" }.to_owned());
        words.extend(self.auth.iter().map(|auth| format!("sec={auth}")));
        words.extend(self.anonuid.iter().map(|id| format!("anonuid={id}")));
        words.extend(self.anongid.iter().map(|id| format!("anongid={id}")));
        words.extend(self.others.iter().cloned());
        words
    }

    /// What all hosts of one export have in common.
    pub fn common(&self) -> Self {
        Self { writes: false, root: false, ..self.clone() }
    }
}

/// Reads the further options that somebody wishes for, separated by commas.
pub(super) fn further(text: Option<&str>) -> Result<Vec<String>, LsmError> {
    let words = text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (key, valued) = word.split_once('=').map_or((word, false), |(key, _)| (key, true));
            let known = if valued { VALUES.contains(&key) } else { FLAGS.contains(&key) };
            if !known || OF_HOSTS.contains(&key) || OF_RECORD.contains(&key) {
                let message = format!("{word:?} is no further option of an NFS export");
                return Err(LsmError::new(ErrorNumber::InvalidArgument, message));
            }
            Ok(word.to_owned())
        })
        .collect()
}

pub(super) fn anonymous(id: AnonymousId) -> Option<i64> {
    Some(id.0).filter(|id| *id >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_row_of_exportfs_is_read() {
        let row = words("secure rw sync no_subtree_check wdelay hide no_root_squash no_all_squash sec=sys");
        let options = NfsOptions::read(&row);
        assert!(options.writes && options.root);
        assert_eq!((options.auth.as_deref(), options.anonuid), (Some("sys"), None));
        assert_eq!(options.others, words("hide no_all_squash no_subtree_check secure sync wdelay"));
    }

    #[test]
    fn what_is_told_to_the_daemon_reads_back() {
        let options = NfsOptions {
            writes: true,
            root: false,
            auth: Some("krb5".into()),
            anonuid: Some(1000),
            anongid: Some(100),
            others: words("async insecure"),
        };
        assert_eq!(NfsOptions::read(&options.words()), options);
    }

    #[test]
    fn an_option_that_the_daemon_does_not_know_or_that_has_a_place_of_its_own_is_refused() {
        for bad in ["bogus", "rw", "sec=sys", "anonuid=1", "fsid", "sync=1", "sync,no_root_squash"] {
            assert_eq!(further(Some(bad)).unwrap_err().number, ErrorNumber::InvalidArgument, "{bad}");
        }
        assert_eq!(further(Some(" sync, fsid=0 ,")).unwrap(), words("sync fsid=0"));
        assert_eq!(further(None).unwrap(), Vec::<String>::new());
    }
}
