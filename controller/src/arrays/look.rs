//! Looks at arrays and tells the catalog. When, is decided elsewhere.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use sanfleet_driver::ErrorNumber;
use sanfleet_protocol::{ArrayId, limits::full_text};
use tokio::time::{Instant, timeout};

use super::{
    ArrayDefinition, ArrayError, ArrayHandle, Arrays, Signals, advice, follow,
    follow::{Told, Watched},
    list,
    pace::Seen,
};
use crate::{
    catalog::{ArrayFacts, ArrayRecord, ArrayState, Trouble},
    clock::now_unix_ms,
    events::{Events, id_of},
    state::SharedCatalog,
};

/// How long a whole listing may take, however many calls it is.
const LISTING: Duration = Duration::from_secs(120);
/// After this long even what hardly ever changes is asked for again.
const FACTS_AGE: Duration = Duration::from_secs(600);
/// How long one wait for a change may be: less than a call may take.
const WAIT_MS: u32 = 20_000;

#[derive(Debug, Clone)]
pub struct Looker {
    pub arrays: Arrays,
    pub catalog: SharedCatalog,
    pub events: Events,
}

impl Looker {
    /// Makes the array known to runs and catalog, without starting anything. False when it is known already.
    pub fn introduce(&self, definition: ArrayDefinition) -> bool {
        let ArrayDefinition { name, uri, kind } = definition.clone();
        let mut catalog = self.catalog.write();
        if catalog.array(&name).is_some() {
            return false;
        }
        catalog.add_array(ArrayRecord::new(name, uri, kind, now_unix_ms()));
        self.arrays.add(definition);
        true
    }

    /// Looks once, which is the result, and goes on looking until the array is removed or the controller stops.
    pub async fn follow(&self, definition: ArrayDefinition) -> Result<(), ArrayError> {
        let name = definition.name.clone();
        let signals = self.arrays.signals(&name).ok_or(ArrayError::Unknown(name))?;
        let look =
            Look { looker: self.clone(), definition, signals: Arc::clone(&signals), facts: Mutex::new(None) };
        let first = look.once().await;
        let seen = if first.is_ok() { Seen::Changed } else { Seen::Failed };
        tokio::spawn(follow::follow(look, signals, seen));
        first.map(drop)
    }

    /// Lists an array that is not known, and keeps nothing of it.
    pub async fn try_out(&self, handle: &ArrayHandle) -> Result<ArrayState, ArrayError> {
        bounded(handle, list::list(handle, None)).await
    }

    /// Forgets the array with all that is known of it.
    pub async fn forget(&self, array: &ArrayId) {
        let changes = self.catalog.write().remove_array(array);
        self.events.changed(changes, |change| id_of(&self.catalog.read(), change)).await;
    }
}

/// One array as it is followed.
struct Look {
    looker: Looker,
    definition: ArrayDefinition,
    signals: Arc<Signals>,
    /// With the moment when they were learnt.
    facts: Mutex<Option<(Instant, Arc<ArrayFacts>)>>,
}

impl Look {
    /// True when something is different than it was.
    async fn once(&self) -> Result<bool, ArrayError> {
        let listing = self.list().await;
        if self.signals.is_gone() {
            return Ok(false);
        }
        let Looker { catalog, events, .. } = &self.looker;
        let name = &self.definition.name;
        let (listing, result) = match listing {
            Ok(state) => {
                let before = catalog.read().array(name).and_then(|array| array.state.clone());
                let differs = before.is_none_or(|before| state.differs_from(&before));
                (Ok(Arc::new(state)), Ok(differs))
            }
            Err(error) => {
                let trouble = Trouble { error: full_text(&error), hint: advice(&error, &self.definition) };
                (Err(trouble), Err(error))
            }
        };
        let changes = catalog.write().take_listing(name, listing, now_unix_ms());
        events.changed(changes, |change| id_of(&catalog.read(), change)).await;
        result
    }

    async fn list(&self) -> Result<ArrayState, ArrayError> {
        let handle = self.looker.arrays.get(&self.definition.name)?;
        let facts = self.known_facts();
        let fresh = facts.is_none();
        let listed = bounded(&handle, list::list(&handle, facts)).await;
        let mut known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        match &listed {
            Ok(state) if fresh => *known = Some((Instant::now(), Arc::clone(&state.facts))),
            Ok(_) => {}
            // Whatever comes back may be another version.
            Err(_) => *known = None,
        }
        listed
    }

    fn known_facts(&self) -> Option<Arc<ArrayFacts>> {
        let known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(learnt, _)| learnt.elapsed() < FACTS_AGE).map(|(_, facts)| Arc::clone(facts))
    }

    fn has_changes(&self) -> bool {
        let known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|(_, facts)| facts.extensions.iter().any(|name| name == "changes"))
    }

    async fn wait(&self, since: Option<String>) -> Told {
        if !self.has_changes() {
            // Without a listing nobody knows yet what the driver has.
            let known = self.facts.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            return if known { Told::Never } else { Told::Failed };
        }
        let Ok(handle) = self.looker.arrays.waiting(&self.definition.name) else { return Told::Failed };
        match handle.changes(since, WAIT_MS).await {
            Ok(changes) if changes.complete && changes.changed.is_empty() => {
                Told::Nothing { now: changes.token }
            }
            Ok(changes) => Told::Changed { now: changes.token },
            Err(error) => {
                let unsupported = |number| number == ErrorNumber::NoSupport;
                if error.by_array().is_some_and(|said| unsupported(said.number)) {
                    return Told::Never;
                }
                tracing::debug!(array = %self.definition.name, error = full_text(&error), "cannot wait for changes");
                Told::Failed
            }
        }
    }
}

impl Watched for Look {
    async fn look(&self) -> Seen {
        match self.once().await {
            Ok(true) => Seen::Changed,
            Ok(false) => Seen::Same,
            Err(error) => {
                tracing::warn!(array = %self.definition.name, error = full_text(&error), "array not listed");
                Seen::Failed
            }
        }
    }

    fn wait_for_change(&self, since: Option<String>) -> BoxFuture<'_, Told> {
        Box::pin(self.wait(since))
    }
}

async fn bounded(
    handle: &ArrayHandle,
    listing: impl Future<Output = Result<ArrayState, ArrayError>>,
) -> Result<ArrayState, ArrayError> {
    let late = |_| ArrayError::TooSlow { array: handle.name().clone(), after: LISTING };
    timeout(LISTING, listing).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}
