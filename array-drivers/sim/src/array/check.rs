//! What must be true of every array at rest, whatever was done to it and whoever died meanwhile.

use std::{collections::BTreeSet, fmt};

use super::{
    Array, BLOCK, file_system, huge,
    publication::{self, Of},
    repair::rows,
    snapshot,
};
use crate::{error::Result, identity};

/// A rule that the array breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    rule: &'static str,
    place: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.place)
    }
}

/// Each with a query for the places where it is broken.
const RULES: &[(&str, &str)] = &[
    ("the state file is whole", "SELECT quick_check FROM pragma_quick_check WHERE quick_check <> 'ok'"),
    (
        "a row refers to rows that are there",
        "SELECT \"table\" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check",
    ),
    (
        "a pool holds what is in it",
        "SELECT 'pool ' || id FROM pool WHERE total_bytes < \
           (SELECT coalesce(sum(blocks), 0) * 512 FROM volume WHERE volume.pool = pool.id) + \
           (SELECT coalesce(sum(bytes), 0) FROM fs WHERE fs.pool = pool.id) + \
           (SELECT coalesce(sum(snapshot.bytes), 0) FROM snapshot JOIN fs ON fs.id = snapshot.fs WHERE fs.pool = pool.id) + \
           (SELECT coalesce(sum(total_bytes), 0) FROM pool AS part WHERE part.parent = pool.id)",
    ),
    (
        "a private pool has one volume",
        "SELECT 'pool ' || id FROM pool WHERE private AND (SELECT count(*) FROM volume WHERE volume.pool = pool.id) <> 1",
    ),
    ("a volume has a size", "SELECT 'volume ' || id FROM volume WHERE blocks <= 0"),
    ("a size that is decided is true", "SELECT 'volume ' || id FROM volume WHERE resizing"),
    ("a file system has a size", "SELECT 'fs ' || id FROM fs WHERE bytes <= 0"),
    ("a clone is not its own source", "SELECT 'fs ' || id FROM fs WHERE source = id"),
    (
        "a host has one kind of access to an export, root apart",
        "SELECT 'export ' || export || ' for ' || host FROM export_host WHERE access <> 'root' \
         GROUP BY export, host HAVING count(*) > 1",
    ),
    ("a replica is not its own source", "SELECT 'volume ' || volume FROM replica WHERE volume = source"),
    (
        "an access group has an initiator",
        "SELECT 'group ' || id FROM access_group WHERE NOT EXISTS (SELECT 1 FROM initiator WHERE access_group = access_group.id)",
    ),
    (
        "a number is founded on a mask or a map",
        "SELECT 'LUN ' || number || ' of ' || initiator FROM lun WHERE \
           NOT EXISTS (SELECT 1 FROM map WHERE map.initiator = lun.initiator AND map.volume = lun.volume) AND \
           NOT EXISTS (SELECT 1 FROM initiator JOIN mask USING (access_group) \
                       WHERE initiator.name = lun.initiator AND mask.volume = lun.volume)",
    ),
    (
        "what is masked or mapped has a number",
        "SELECT 'volume ' || volume || ' for ' || initiator FROM (\
           SELECT initiator.name AS initiator, mask.volume AS volume FROM mask JOIN initiator USING (access_group) \
           UNION SELECT initiator, volume FROM map) AS seen \
         WHERE NOT EXISTS (SELECT 1 FROM lun WHERE lun.initiator = seen.initiator AND lun.volume = seen.volume)",
    ),
    (
        "a number shows one volume, and a volume has one number",
        "SELECT 'LUN ' || number || ' of ' || initiator FROM lun GROUP BY initiator, number HAVING count(*) > 1 \
         UNION SELECT 'volume ' || volume || ' for ' || initiator FROM lun GROUP BY initiator, volume HAVING count(*) > 1",
    ),
];

impl Array {
    /// The rules that are broken. Asked while others change the array, it may name what is only half done.
    pub fn check(&self) -> Result<Vec<Violation>> {
        // Nothing changes while it is looked at.
        let lock = self.begin()?;
        let mut violations = Vec::new();
        for (rule, query) in RULES {
            let mut statement = lock.prepare(query)?;
            let places =
                statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            violations.extend(places.into_iter().map(|place| Violation { rule, place }));
        }
        violations.extend(self.check_files(&lock)?);
        violations.extend(self.check_trees(&lock)?);
        if let Some(fabric) = &self.fabric {
            let wanted = publication::shown(&lock, self, Of::Everybody)?;
            let places = fabric.differences(&wanted)?.into_iter();
            let rule = "initiators see what is recorded";
            violations.extend(places.map(|place| Violation { rule, place: place.display().to_string() }));
        }
        Ok(violations)
    }

    fn check_files(&self, lock: &rusqlite::Transaction) -> Result<Vec<Violation>> {
        let mut violations = Vec::new();
        let last_without_file = huge::last(lock)?;
        let mut known = BTreeSet::new();
        let mut statement = lock.prepare("SELECT id, blocks FROM volume WHERE ready")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (row, blocks) = (row.get(0)?, super::listing::count(row, 1)?);
            known.insert(row);
            let size = self.files.size(row)?;
            if size != Some(blocks.saturating_mul(BLOCK)) && (size.is_some() || row > last_without_file) {
                let place = identity::volume(row).to_string();
                violations.push(Violation { rule: "a volume's file is as long as the volume", place });
            }
        }
        let strays = self.files.rows()?.into_iter().filter(|row| !known.contains(row));
        violations.extend(strays.map(|row| Violation {
            rule: "a file belongs to a volume",
            place: identity::volume(row).to_string(),
        }));
        Ok(violations)
    }

    fn check_trees(&self, lock: &rusqlite::Transaction) -> Result<Vec<Violation>> {
        let file_systems = rows(lock, "SELECT id FROM fs WHERE ready")?.into_iter().map(file_system::tree);
        let snapshots = rows(lock, "SELECT id FROM snapshot WHERE ready")?.into_iter().map(snapshot::tree);
        let wanted: BTreeSet<String> = file_systems.chain(snapshots).collect();
        let there: BTreeSet<String> = self.trees.names()?.into_iter().collect();
        let rule = "a tree is that of a file system or a snapshot, and each of these has one";
        let differing = wanted.symmetric_difference(&there);
        Ok(differing.map(|tree| Violation { rule, place: tree.clone() }).collect())
    }
}
