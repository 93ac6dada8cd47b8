//! Operations on arrays and their volumes.

use std::collections::BTreeSet;

use sanfleet_driver::ErrorNumber;
use sanfleet_protocol::{
    ArrayId,
    v1::{self, api_error::Kind},
};

use super::{Api, Failure, fleet::count};
use crate::{
    arrays::{ArrayDefinition, ArrayError, DefinitionError},
    catalog::{ArrayRecord, Catalog, VolumeRecord},
};

impl From<DefinitionError> for Failure {
    fn from(error: DefinitionError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl Api {
    pub(super) async fn array_list(self, _: v1::ArrayListRequest) -> Result<v1::ArrayListReply, Failure> {
        let catalog = self.catalog.read();
        Ok(v1::ArrayListReply { arrays: catalog.arrays().map(summary).collect() })
    }

    /// Stores the array only after it has answered: a definition that does not work helps nobody.
    pub(super) async fn array_add(self, request: v1::ArrayAddRequest) -> Result<v1::ArrayAddReply, Failure> {
        let definition = ArrayDefinition::parse(&request.name, &request.uri)?;
        let name = definition.name.clone();
        let taken = || {
            Failure::new(
                Kind::Conflict,
                format!("an array is named {name} already"),
                "`sanfleet array list` shows it",
            )
        };
        if self.catalog.read().array(&name).is_some() {
            return Err(taken());
        }
        self.looker.arrays.unknown(definition.clone()).ask().await.map_err(|error| not_added(&error))?;

        let unavailable = |error: &dyn std::fmt::Display| {
            Failure::new(Kind::Unavailable, format!("cannot store the array: {error}"), "is JetStream up?")
        };
        let store = self.bus.arrays().await.map_err(|error| unavailable(&error))?;
        // Of two who add the same name at once, one wins.
        if let Err(error) = store.create(name.as_str(), definition.uri.clone().into()).await {
            let exists = error.kind() == async_nats::jetstream::kv::CreateErrorKind::AlreadyExists;
            return Err(if exists { taken() } else { unavailable(&error) });
        }
        let handle = self.looker.introduce(definition);
        self.looker.follow(handle).await?;
        let catalog = self.catalog.read();
        Ok(v1::ArrayAddReply { array: catalog.array(&name).map(summary) })
    }

    pub(super) async fn volume_list(
        self,
        request: v1::VolumeListRequest,
    ) -> Result<v1::VolumeListReply, Failure> {
        let catalog = self.catalog.read();
        let wanted: Option<ArrayId> = match request.array.as_str() {
            "" => None,
            name => Some(name.parse()?),
        };
        if let Some(name) = &wanted
            && catalog.array(name).is_none()
        {
            return Err(Failure::not_found("array", name.as_str(), "`sanfleet array list` shows the arrays"));
        }
        let arrays = catalog.arrays().filter(|array| wanted.as_ref().is_none_or(|name| array.name == *name));
        let volumes =
            arrays.filter_map(|array| array.state.as_ref()).flat_map(|state| state.volumes.values());
        Ok(v1::VolumeListReply { volumes: volumes.map(|volume| row(&catalog, volume)).collect() })
    }
}

/// An array that does not answer is not stored. Whether the URI or the array is at fault, the driver knows.
fn not_added(error: &ArrayError) -> Failure {
    let kind = match error.by_array().map(|said| said.number) {
        Some(ErrorNumber::InvalidArgument) => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    let hint =
        "nothing was stored; see that the URI is right, and that the controller's driver_dir has the driver";
    Failure { kind, hint: hint.to_owned(), ..Failure::from_array(error) }
}

fn row(catalog: &Catalog, volume: &VolumeRecord) -> v1::VolumeRow {
    let hosts: BTreeSet<String> =
        catalog.devices_of(&volume.key).map(|device| device.host.to_string()).collect();
    v1::VolumeRow {
        array: volume.key.array.to_string(),
        id: volume.key.volume.to_string(),
        name: volume.name.clone(),
        volume_id: volume.id.as_ref().map(ToString::to_string).unwrap_or_default(),
        size_bytes: volume.size_bytes,
        pool: volume.pool.clone(),
        hosts: hosts.into_iter().collect(),
    }
}

pub(super) fn summary(array: &ArrayRecord) -> v1::ArraySummary {
    let state = array.state.as_deref();
    let pools = state.map(|state| state.pools.as_slice()).unwrap_or_default();
    v1::ArraySummary {
        name: array.name.to_string(),
        uri: array.uri.clone(),
        kind: array.kind.clone(),
        reachable: state.is_some() && array.error.is_none(),
        error: array.error.clone().unwrap_or_default(),
        driver: state.map(|state| state.driver.clone()).unwrap_or_default(),
        systems: count(state.map_or(0, |state| state.systems)),
        pools: count(pools.len()),
        volumes: count(state.map_or(0, |state| state.volumes.len())),
        total_bytes: pools.iter().map(|pool| pool.total_bytes).fold(0, u64::saturating_add),
        free_bytes: pools.iter().map(|pool| pool.free_bytes).fold(0, u64::saturating_add),
        simulated: array.is_simulated(),
    }
}
