//! Searching a list by one property: exact equality, and no match is an empty list.

use crate::{
    error::{ErrorNumber, LsmError},
    model::{AccessGroup, Battery, Disk, FileSystem, NfsExport, Pool, TargetPort, Volume},
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

/// Which fields of which records one can search by.
macro_rules! searchable {
    ($($record:ident by $($key:ident),+;)*) => {
        $(impl Searchable for $record {
            const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];

            fn property(&self, key: &str) -> Option<&str> {
                $(if key == stringify!($key) {
                    return Some(self.$key.as_str());
                })+
                None
            }
        })*
    };
}

searchable! {
    Pool by id, system_id;
    Volume by id, system_id, pool_id;
    Disk by id, system_id;
    TargetPort by id, system_id;
    Battery by id, system_id;
    AccessGroup by id, system_id;
    FileSystem by id, system_id, pool_id;
    NfsExport by id, fs_id;
}
