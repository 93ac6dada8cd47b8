//! The catalog, shared. Locks are held for moments and never across an `await`.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::catalog::Catalog;

#[derive(Debug, Clone, Default)]
pub struct SharedCatalog(Arc<RwLock<Catalog>>);

impl SharedCatalog {
    pub fn read(&self) -> RwLockReadGuard<'_, Catalog> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
