//! What operators have said of hosts, as the bus would keep it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::future::BoxFuture;
use sanfleet_controller::stored_hosts::{NotesError, NotesKeeper};
use sanfleet_driver::{LsmError, client::Passage};
use sanfleet_protocol::HostId;
use tokio::time::sleep;

use crate::{
    Fleet,
    link::{Link, Seam, Side},
};

/// As long as a request to the bus waits for its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// One controller's way there.
pub struct SimNotes {
    pub link: Arc<Link>,
    pub fleet: Weak<Fleet>,
}

impl SimNotes {
    async fn cross(&self, what: &str, side: Side) -> Result<(), Error> {
        match self.link.cross(Seam::Notes, what, side).await {
            Passage::Open => Ok(()),
            Passage::Refused(LsmError { message, .. }) => Err(message.into()),
            Passage::Lost => {
                sleep(ANSWER).await;
                Err("no answer".into())
            }
        }
    }

    async fn keep_cordon(&self, host: &HostId) -> Result<(), Error> {
        let what = format!("cordon {host}");
        self.cross(&what, Side::Before).await?;
        self.fleet.upgrade().expect("the fleet outlives its controllers").cordon(host);
        self.cross(&what, Side::After).await
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl NotesKeeper for SimNotes {
    fn cordon<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<(), NotesError>> {
        Box::pin(async move {
            let failed = |source| NotesError::Store { host: host.clone(), source };
            self.keep_cordon(host).await.map_err(failed)
        })
    }
}
