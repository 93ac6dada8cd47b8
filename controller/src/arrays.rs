//! Arrays: each with a pool of sessions with its driver, which runs and looking share.
//!
//! A driver that crashes, hangs or talks nonsense costs its own call and nothing else. The controller never speaks to an
//! array itself.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use sanfleet_driver::{
    LsmError,
    client::{ClientError, pool::PoolStatus, socket_folder},
};
use sanfleet_protocol::{ArrayId, Password, VolumeId};

mod access;
mod advice;
mod definition;
mod follow;
mod handle;
mod list;
mod look;
mod pace;
mod paths;
mod signals;
mod volumes;

pub use access::{AccessGroupName, Grant};
pub use advice::advice;
pub use definition::{ArrayDefinition, DefinitionError};
pub use handle::{ArrayHandle, Installed, Ways};
pub use look::Looker;
pub use signals::{InUse, Signals};
pub use volumes::MAKE;

use crate::secrets::{Found, Passwords, StoreError};
use handle::Drivers;

/// Why a call to an array has no good result.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    #[error("no array is named {0}")]
    Unknown(ArrayId),
    #[error("array {array}, {what}")]
    Driver {
        array: ArrayId,
        what: &'static str,
        #[source]
        source: ClientError,
    },
    /// The array's own id now stands for another volume than it did.
    #[error("array {array}: {volume} is volume {found}, not {wanted}")]
    WrongVolume { array: ArrayId, volume: String, wanted: VolumeId, found: String },
    #[error("array {array}: access group {group} has initiators of other hosts: {others}")]
    ForeignInitiators { array: ArrayId, group: String, others: String },
    #[error("array {array} did not do it: {what}")]
    NotVerified { array: ArrayId, what: String },
    /// Another controller may have taken the run over; its journal will tell.
    #[error("array {array} was not called: this controller was cut off from the bus for too long")]
    NotOurs { array: ArrayId },
    #[error("array {array} was not listed within {} s", after.as_secs())]
    TooSlow { array: ArrayId, after: Duration },
    #[error("array {array}: its list of {what} has no end")]
    Endless { array: ArrayId, what: &'static str },
    #[error("array {array}: its password cannot be had")]
    Password {
        array: ArrayId,
        #[source]
        source: StoreError,
    },
}

impl ArrayError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Driver { source, .. } => source.is_retryable(),
            Self::NotVerified { .. }
            | Self::NotOurs { .. }
            | Self::TooSlow { .. }
            | Self::Password { .. } => true,
            Self::Unknown(_)
            | Self::WrongVolume { .. }
            | Self::ForeignInitiators { .. }
            | Self::Endless { .. } => false,
        }
    }

    /// What the array itself said, when it was the array.
    pub fn by_array(&self) -> Option<&LsmError> {
        match self {
            Self::Driver { source: ClientError::Array(error), .. } => Some(error),
            _ => None,
        }
    }
}

/// All arrays of this controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Arrays {
    drivers: Drivers,
    passwords: Passwords,
    known: Arc<RwLock<BTreeMap<ArrayId, Known>>>,
}

#[derive(Debug)]
struct Known {
    definition: ArrayDefinition,
    signals: Arc<Signals>,
    /// None until the array's password could be read.
    handles: Option<Handles>,
}

#[derive(Debug, Clone)]
struct Handles {
    /// For runs and for looking.
    shared: ArrayHandle,
    /// For calls that wait until something happens: they keep nobody else waiting and say nothing about how quick the array is.
    waiting: ArrayHandle,
    password_from: Option<Found>,
}

/// Why an array stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    #[error("no array is named {0}")]
    Unknown(ArrayId),
    #[error("a run works on array {0}")]
    InUse(ArrayId),
}

impl Arrays {
    pub fn new(driver_dir: PathBuf, passwords: Passwords) -> Self {
        let ways = Installed { folder: driver_dir, sockets: socket_folder() };
        Self::reached_by(Arc::new(ways), passwords)
    }

    /// Arrays whose drivers are reached in these ways.
    pub fn reached_by(ways: Arc<dyn Ways>, passwords: Passwords) -> Self {
        let environment = passwords.hidden_variables();
        Self { drivers: Drivers { ways, environment }, passwords, known: Arc::default() }
    }

    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Makes an array known. Nothing is started before it is used.
    pub fn add(&self, definition: ArrayDefinition) {
        let known = Known { definition, signals: Arc::default(), handles: None };
        self.write().insert(known.definition.name.clone(), known);
    }

    /// Has the array's password read again: what is started from now on uses it.
    pub fn password_changed(&self, array: &ArrayId) {
        if let Some(known) = self.write().get_mut(array) {
            known.handles = None;
            known.signals.look_again();
        }
    }

    /// Forgets an array that nobody uses. Who follows it stops.
    pub fn remove(&self, array: &ArrayId) -> Result<(), Stays> {
        let mut all = self.write();
        let known = all.get(array).ok_or_else(|| Stays::Unknown(array.clone()))?;
        if known.signals.is_in_use() {
            return Err(Stays::InUse(array.clone()));
        }
        known.signals.say_gone();
        all.remove(array);
        Ok(())
    }

    pub fn get(&self, array: &ArrayId) -> Result<ArrayHandle, ArrayError> {
        Ok(self.handles(array)?.shared)
    }

    /// The array, for calls that wait until something happens.
    pub fn waiting(&self, array: &ArrayId) -> Result<ArrayHandle, ArrayError> {
        Ok(self.handles(array)?.waiting)
    }

    /// Where its password comes from, once it was needed.
    pub fn password_from(&self, array: &ArrayId) -> Option<Found> {
        self.read().get(array)?.handles.as_ref()?.password_from.clone()
    }

    /// A handle that nobody shares, to try an array that is not known or a password that is not kept.
    pub fn separate(&self, definition: ArrayDefinition, password: Option<Password>) -> ArrayHandle {
        self.drivers.handle(definition, password)
    }

    /// Says that a run works on the array, until the result is dropped. None for an array that is not known.
    pub fn begin_use(&self, array: &ArrayId) -> Option<InUse> {
        Some(self.read().get(array)?.signals.begin_use())
    }

    /// Has the array listed soon, because we changed something.
    pub fn look_again(&self, array: &ArrayId) {
        if let Some(known) = self.read().get(array) {
            known.signals.look_again();
        }
    }

    pub fn signals(&self, array: &ArrayId) -> Option<Arc<Signals>> {
        Some(Arc::clone(&self.read().get(array)?.signals))
    }

    /// How its calls went, and whether any are let through. None before the first.
    pub fn status(&self, array: &ArrayId) -> Option<PoolStatus> {
        Some(self.read().get(array)?.handles.as_ref()?.shared.status())
    }

    fn handles(&self, array: &ArrayId) -> Result<Handles, ArrayError> {
        let unknown = || ArrayError::Unknown(array.clone());
        if let Some(handles) = &self.read().get(array).ok_or_else(unknown)?.handles {
            return Ok(handles.clone());
        }
        let password = self.passwords.find(array);
        let password = password.map_err(|source| ArrayError::Password { array: array.clone(), source })?;
        let mut all = self.write();
        let Known { definition, handles, .. } = all.get_mut(array).ok_or_else(unknown)?;
        Ok(handles.get_or_insert_with(|| Handles::new(&self.drivers, definition, password)).clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ArrayId, Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<ArrayId, Known>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handles {
    fn new(drivers: &Drivers, definition: &ArrayDefinition, password: Option<(Password, Found)>) -> Self {
        let (password, password_from) = password.unzip();
        let handle = || drivers.handle(definition.clone(), password.clone());
        Self { shared: handle(), waiting: handle(), password_from }
    }
}
