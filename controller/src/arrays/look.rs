//! Looks at every array at an interval, and at once after a change of our own, and tells the catalog.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{Initiator, limits::full_text};
use tokio::time::timeout;

use super::{ArrayDefinition, ArrayError, ArrayHandle, Arrays};
use crate::{
    catalog::{ArrayRecord, ArrayState, PoolRecord},
    events::{Events, id_of},
    state::SharedCatalog,
};

/// How often an array is listed when nothing is known to have changed.
const INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct Looker {
    pub arrays: Arrays,
    pub catalog: SharedCatalog,
    pub events: Events,
}

impl Looker {
    /// Makes the array known to runs and catalog, without starting anything.
    pub fn introduce(&self, definition: ArrayDefinition) -> ArrayHandle {
        let handle = self.arrays.separate(definition.clone());
        self.catalog.write().add_array(ArrayRecord {
            name: definition.name.clone(),
            uri: definition.uri.clone(),
            kind: definition.kind.clone(),
            state: None,
            error: None,
        });
        self.arrays.add(definition);
        handle
    }

    /// Looks once, which is the result, and goes on looking until the controller stops.
    pub async fn follow(&self, handle: ArrayHandle) -> Result<(), ArrayError> {
        let first = self.look(&handle).await;
        tokio::spawn(self.clone().keep_looking(handle));
        first
    }

    async fn keep_looking(self, handle: ArrayHandle) {
        let again = self.arrays.look_again_signal();
        loop {
            // Either the interval is over or somebody changed something: both mean to look.
            let _ = timeout(INTERVAL, again.notified()).await;
            if let Err(error) = self.look(&handle).await {
                tracing::warn!(array = %handle.name(), error = &error as &dyn std::error::Error, "array not listed");
            }
        }
    }

    async fn look(&self, handle: &ArrayHandle) -> Result<(), ArrayError> {
        let listing = list(handle).await;
        let (listing, result) = match listing {
            Ok(state) => (Ok(state), Ok(())),
            Err(error) => (Err(full_text(&error)), Err(error)),
        };
        let changes = self.catalog.write().take_listing(handle.name(), listing);
        self.events.changed(changes, |change| id_of(&self.catalog.read(), change)).await;
        result
    }
}

async fn list(handle: &ArrayHandle) -> Result<ArrayState, ArrayError> {
    let (info, systems, pools) = handle
        .call("listing pools", |session| {
            Box::pin(async move {
                Ok((session.plugin_info().await?, session.systems().await?, session.pools(None).await?))
            })
        })
        .await?;
    let masked = masked(handle).await?;
    let volumes = handle.volumes().await?.into_iter().map(|volume| {
        let masked_to = masked.get(&volume.id).cloned().unwrap_or_default();
        (volume.id.clone(), handle.record(volume, masked_to))
    });
    Ok(ArrayState {
        driver: format!("{} {}", info.description, info.version),
        systems: systems.len(),
        volumes: volumes.collect(),
        pools: pools
            .into_iter()
            .map(|pool| PoolRecord {
                id: pool.id,
                name: pool.name,
                total_bytes: pool.total_space.unwrap_or_default(),
                free_bytes: pool.free_space.unwrap_or_default(),
            })
            .collect(),
    })
}

/// Which initiators see which volume.
async fn masked(handle: &ArrayHandle) -> Result<BTreeMap<VolumeKey, BTreeSet<Initiator>>, ArrayError> {
    let mut masked: BTreeMap<VolumeKey, BTreeSet<Initiator>> = BTreeMap::new();
    for group in handle.access_groups().await? {
        let initiators: BTreeSet<Initiator> =
            group.init_ids.iter().filter_map(|text| text.parse().ok()).collect();
        let seen = handle
            .call("listing what a group sees", |session| {
                Box::pin(async move { session.volumes_accessible_by_access_group(&group).await })
            })
            .await?;
        for volume in seen {
            masked.entry(volume.id).or_default().extend(initiators.iter().cloned());
        }
    }
    Ok(masked)
}
