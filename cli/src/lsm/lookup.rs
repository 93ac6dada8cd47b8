//! From the id that was typed to the record that the protocol wants.
//!
//! Where the array claims that it searches quickly it is asked for the one record, else for all of them.

use sanfleet_driver::{
    AccessGroup, Capabilities, Capability, FileSystem, NfsExport, Pool, Search, Snapshot, System, Volume,
    client::ClientError,
};

use super::{console::Console, stop::Stop};

/// A class of which one record can be found by its id.
trait Found: Sized {
    /// The capability without which a search is no faster than a list.
    const QUICK: Option<Capability>;

    fn id(&self) -> &str;
    async fn list(console: &mut Console<'_>, search: Option<&Search>) -> Result<Vec<Self>, ClientError>;
}

macro_rules! found {
    ($($record:ty, $list:ident, $quick:expr;)*) => {
        $(impl Found for $record {
            const QUICK: Option<Capability> = Some($quick);

            fn id(&self) -> &str {
                self.id.as_str()
            }

            async fn list(console: &mut Console<'_>, search: Option<&Search>) -> Result<Vec<Self>, ClientError> {
                console.session.$list(search).await
            }
        })*
    };
}

found! {
    Pool, pools, Capability::POOLS_QUICK_SEARCH;
    Volume, volumes, Capability::VOLUMES_QUICK_SEARCH;
    AccessGroup, access_groups, Capability::ACCESS_GROUPS_QUICK_SEARCH;
    FileSystem, fs, Capability::FS_QUICK_SEARCH;
    NfsExport, exports, Capability::NFS_EXPORTS_QUICK_SEARCH;
}

impl Found for System {
    const QUICK: Option<Capability> = None;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    async fn list(console: &mut Console<'_>, _search: Option<&Search>) -> Result<Vec<Self>, ClientError> {
        console.session.systems().await
    }
}

impl Console<'_> {
    pub async fn system(&mut self, id: &str) -> Result<System, Stop> {
        must(self.find(id).await?, "System", id)
    }

    pub async fn pool(&mut self, id: &str) -> Result<Pool, Stop> {
        must(self.find(id).await?, "Pool", id)
    }

    pub async fn volume(&mut self, id: &str) -> Result<Volume, Stop> {
        self.volume_called("Volume", id).await
    }

    /// `called` is what the message says when there is none.
    pub async fn volume_called(&mut self, called: &str, id: &str) -> Result<Volume, Stop> {
        must(self.find(id).await?, called, id)
    }

    pub async fn volume_if_any(&mut self, id: &str) -> Result<Option<Volume>, Stop> {
        self.find(id).await
    }

    pub async fn access_group(&mut self, id: &str) -> Result<AccessGroup, Stop> {
        must(self.find(id).await?, "Access Group", id)
    }

    pub async fn access_group_if_any(&mut self, id: &str) -> Result<Option<AccessGroup>, Stop> {
        self.find(id).await
    }

    pub async fn file_system(&mut self, id: &str) -> Result<FileSystem, Stop> {
        self.file_system_called("File System", id).await
    }

    pub async fn file_system_called(&mut self, called: &str, id: &str) -> Result<FileSystem, Stop> {
        must(self.find(id).await?, called, id)
    }

    pub async fn export(&mut self, id: &str) -> Result<NfsExport, Stop> {
        must(self.find(id).await?, "NFS Export", id)
    }

    pub async fn snapshot(&mut self, fs: &FileSystem, id: &str) -> Result<Snapshot, Stop> {
        let all = self.session.fs_snapshots(fs).await?;
        must(all.into_iter().find(|snapshot| snapshot.id.as_str() == id), "Snapshot", id)
    }

    pub async fn snapshot_if_wanted(
        &mut self,
        fs: &FileSystem,
        id: Option<&str>,
    ) -> Result<Option<Snapshot>, Stop> {
        match id {
            Some(id) => self.snapshot(fs, id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn find<T: Found>(&mut self, id: &str) -> Result<Option<T>, Stop> {
        let search = match T::QUICK {
            Some(quick) if self.claims(quick).await => Some(Search::new("id", id)),
            _ => None,
        };
        let found = T::list(self, search.as_ref()).await?;
        // A plug-in may answer a search with everything.
        Ok(found.into_iter().find(|record| record.id() == id))
    }

    /// Whether all systems behind the plug-in claim it. An array that cannot be asked claims nothing.
    async fn claims(&mut self, capability: Capability) -> bool {
        if self.claimed.is_none() {
            self.claimed = Some(self.ask_capabilities().await.unwrap_or_default());
        }
        let claimed = self.claimed.as_deref().unwrap_or_default();
        !claimed.is_empty() && claimed.iter().all(|system| system.supports(capability))
    }

    async fn ask_capabilities(&mut self) -> Result<Vec<Capabilities>, ClientError> {
        let mut claimed = Vec::new();
        for system in self.session.systems().await? {
            claimed.push(self.session.capabilities(&system).await?);
        }
        Ok(claimed)
    }
}

fn must<T>(found: Option<T>, called: &str, id: &str) -> Result<T, Stop> {
    found.ok_or_else(|| Stop::Usage(format!("{called} with ID {id} not found!")))
}
