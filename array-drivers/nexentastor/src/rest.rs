//! Release 5, over REST: JSON at paths, a token, long lists in pages, and what takes time in jobs.

mod access;
mod files;
mod job;
mod list;
mod refusal;
mod row;
mod session;
mod snapshots;
mod volumes;

use sanfleet_driver::Capability;
use sanfleet_driver_http::Deadline;
use serde_json::Value;
use session::Session;
pub(crate) use session::{Login, answers};

use crate::{
    appliance::{Answer, Appliance, ApplianceError, PoolRow, SystemRow},
    dataset::DatasetPath,
    wire::{Wire, encoded},
};

/// An appliance of release 5.
#[derive(Debug)]
pub(crate) struct Rest {
    session: Session,
    /// The groups are there by which volumes are shown to nobody.
    nobody_is_there: bool,
}

impl Rest {
    pub fn new(wire: Box<dyn Wire>, login: Login, deadline: Deadline) -> Self {
        Self { session: Session::new(wire, login, deadline), nobody_is_there: false }
    }

    fn property(&mut self, name: &str) -> Answer<String> {
        let row: row::Property = self.session.get("a setting", &format!("/settings/properties/{name}"))?;
        Ok(row.value)
    }
}

impl Appliance for Rest {
    fn begin(&mut self, deadline: Deadline) {
        self.session.deadline = deadline;
    }

    fn deadline(&self) -> Deadline {
        self.session.deadline
    }

    fn lacks(&self) -> &'static [Capability] {
        &[]
    }

    fn system(&mut self) -> Answer<SystemRow> {
        let id = self.property("system.guid")?;
        // Not every release has a name to tell.
        let name = match self.property("system.hostName") {
            Ok(name) => name,
            Err(ApplianceError::Refused { .. }) => id.clone(),
            Err(error) => return Err(error),
        };
        Ok(SystemRow { id, name })
    }

    /// What can be used of a pool its topmost file system tells; the pool itself counts what goes into redundancy too.
    fn pools(&mut self) -> Answer<Vec<PoolRow>> {
        let rows: Vec<row::Pool> = self.session.list("pools", "/storage/pools?fields=poolName,health")?;
        let mut pools = Vec::new();
        for row in rows.into_iter().filter(|row| row.pool_name.is_pool()) {
            let top = self.top(&row.pool_name)?;
            pools.push(PoolRow {
                size: top.as_ref().map(row::FileSystem::quota),
                free: top.map(|top| top.bytes_available),
                path: row.pool_name,
                health: row.health.unwrap_or_default(),
            });
        }
        Ok(pools)
    }
}

impl Rest {
    fn top(&mut self, pool: &DatasetPath) -> Answer<Option<row::FileSystem>> {
        let fields = files::FIELDS;
        let path = format!("/storage/filesystems?path={}&fields={fields}", encoded(pool.as_str()));
        let rows: Vec<row::FileSystem> = self.session.list("file systems", &path)?;
        Ok(rows.into_iter().find(|row| row.path == *pool))
    }
}

/// What is asked for with nothing besides.
fn nothing() -> Value {
    Value::Null
}

/// As every kind of row, as a refusal, and as a job.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_as_all(body: &[u8]) {
    let _ = list::page::<row::Pool>("", body);
    let _ = list::page::<row::Volume>("", body);
    let _ = list::page::<row::LogicalUnit>("", body);
    let _ = list::page::<row::Snapshot>("", body);
    let _ = list::page::<row::LunMapping>("", body);
    let _ = list::page::<row::Group>("", body);
    let _ = list::page::<row::Target>("", body);
    let _ = list::page::<row::FileSystem>("", body);
    let _ = list::page::<row::Share>("", body);
    let _ = session::read::<row::SnapshotDetail>("", body);
    let _ = refusal::read("", &sanfleet_driver_http::Response { status: 500, body: body.to_vec() });
}
