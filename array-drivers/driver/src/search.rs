//! Searching a list by one property: exact equality, and no match is an empty list.

use crate::{
    error::{ErrorNumber, LsmError},
    model::{AccessGroup, Pool, TargetPort, Volume},
};

/// One property and the value it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub key: String,
    pub value: String,
}

/// A record that can be searched for.
pub trait Searchable {
    /// The property of that name; none when one cannot search by it.
    fn property(&self, key: &str) -> Option<&str>;

    /// The properties that one can search by.
    const KEYS: &'static [&'static str];
}

impl Search {
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    pub(crate) fn check<T: Searchable>(&self) -> Result<(), LsmError> {
        if T::KEYS.contains(&self.key.as_str()) {
            return Ok(());
        }
        let key: String = self.key.chars().take(80).collect();
        Err(LsmError::new(ErrorNumber::UnsupportedSearchKey, format!("cannot search by {key}")))
    }

    pub(crate) fn matches<T: Searchable>(&self, record: &T) -> bool {
        record.property(&self.key) == Some(self.value.as_str())
    }
}

impl Searchable for Pool {
    const KEYS: &'static [&'static str] = &["id", "system_id"];

    fn property(&self, key: &str) -> Option<&str> {
        match key {
            "id" => Some(self.id.as_str()),
            "system_id" => Some(self.system_id.as_str()),
            _ => None,
        }
    }
}

impl Searchable for Volume {
    const KEYS: &'static [&'static str] = &["id", "system_id", "pool_id"];

    fn property(&self, key: &str) -> Option<&str> {
        match key {
            "id" => Some(self.id.as_str()),
            "system_id" => Some(self.system_id.as_str()),
            "pool_id" => Some(self.pool_id.as_str()),
            _ => None,
        }
    }
}

impl Searchable for AccessGroup {
    const KEYS: &'static [&'static str] = &["id", "system_id"];

    fn property(&self, key: &str) -> Option<&str> {
        match key {
            "id" => Some(self.id.as_str()),
            "system_id" => Some(self.system_id.as_str()),
            _ => None,
        }
    }
}

impl Searchable for TargetPort {
    const KEYS: &'static [&'static str] = &["id", "system_id"];

    fn property(&self, key: &str) -> Option<&str> {
        match key {
            "id" => Some(self.id.as_str()),
            "system_id" => Some(self.system_id.as_str()),
            _ => None,
        }
    }
}
