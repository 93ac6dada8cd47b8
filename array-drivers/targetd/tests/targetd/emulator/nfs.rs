//! Exports over NFS, as exportfs lists them.

use serde_json::{Value, json};

use super::{Answer, Params, State, refuse};

const KNOWN: &str = "secure rw ro sync async no_wdelay nohide crossmnt no_subtree_check insecure_locks root_squash \
     all_squash wdelay hide insecure no_root_squash no_all_squash";
const VALUED: &str = "mountpoint mp fsid refer replicas anonuid anongid sec";
/// What exportfs lists unless its contrary was asked for.
const DEFAULTS: [(&str, &str); 8] = [
    ("secure", "insecure"),
    ("ro", "rw"),
    ("sync", "async"),
    ("no_subtree_check", ""),
    ("wdelay", "no_wdelay"),
    ("hide", "nohide"),
    ("root_squash", "no_root_squash"),
    ("no_all_squash", "all_squash"),
];

impl State {
    pub fn nfs_export_list(&self) -> Value {
        let rows = self.nfs.iter();
        rows.map(|((host, path), options)| json!({"host": host, "path": path, "options": options})).collect()
    }

    pub fn nfs_export_add(&mut self, params: &Params) -> Answer {
        let (host, path) = (params.text("host")?, params.text("path")?);
        let given: Vec<String> = serde_json::from_value(params.0["options"].clone()).unwrap();
        let has = |word: &str| given.iter().any(|given| given == word);
        let known = |word: &String| match word.split_once('=') {
            Some((key, _)) => VALUED.split(' ').any(|known| known == key),
            None => KNOWN.split_whitespace().any(|known| known == word),
        };
        if !given.iter().all(known) {
            // A table of the real one's has no such key, and it takes that for a missing method.
            return refuse(-32601, "method nfs_export_add not found");
        }
        if has("rw") && has("ro") {
            return refuse(-32602, "Both RO & RW set");
        }
        let flags = DEFAULTS.iter().map(|(default, other)| if has(other) { *other } else { *default });
        let mut options: Vec<String> = flags.map(str::to_owned).collect();
        // What is the default anyway is not told back.
        let told = |word: &&String| word.contains('=') && !word.ends_with("=65534");
        options.extend(given.iter().filter(told).cloned());
        self.nfs.insert((host.to_owned(), path.to_owned()), options);
        Ok(json!({"host": host, "path": path}))
    }

    pub fn nfs_export_remove(&mut self, host: &str, path: &str) -> Answer {
        match self.nfs.remove(&(host.to_owned(), path.to_owned())) {
            Some(_) => Ok(Value::Null),
            None => refuse(-400, format!("NFS export to remove not found {host}:{path}")),
        }
    }
}
