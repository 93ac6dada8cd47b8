//! How many parts of rollouts work on one array or one host at one time: an array that is asked for a thousand clones at once
//! gives them later than one that is asked for sixteen.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use sanfleet_protocol::{ArrayId, HostId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::AnyProcedure;

/// At one time, over all rollouts of this controller.
pub const PER_ARRAY: usize = 16;
pub const PER_HOST: usize = 4;

#[derive(Debug)]
pub struct Throttle {
    arrays: Doors<ArrayId>,
    hosts: Doors<HostId>,
}

#[derive(Debug)]
struct Doors<K> {
    width: usize,
    doors: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// Places inside, until it is dropped.
#[derive(Debug)]
pub struct Inside {
    _places: Vec<OwnedSemaphorePermit>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { arrays: Doors::new(PER_ARRAY), hosts: Doors::new(PER_HOST) }
    }
}

impl Throttle {
    /// Waits for its turn. Everybody asks for arrays by name first and then for hosts by name, so that nobody waits for somebody who
    /// waits for them.
    pub async fn enter(&self, procedure: &AnyProcedure) -> Inside {
        let mut places = Vec::new();
        let mut arrays = procedure.arrays();
        arrays.sort();
        for array in arrays {
            places.extend(self.arrays.enter(array).await);
        }
        let mut hosts: Vec<HostId> = procedure.places().into_iter().map(|place| place.host).collect();
        hosts.sort();
        hosts.dedup();
        for host in hosts {
            places.extend(self.hosts.enter(host).await);
        }
        Inside { _places: places }
    }
}

impl<K: Hash + Eq> Doors<K> {
    fn new(width: usize) -> Self {
        Self { width, doors: Mutex::default() }
    }

    /// None only for a door that was closed, which none ever is.
    async fn enter(&self, key: K) -> Option<OwnedSemaphorePermit> {
        let door = {
            let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(doors.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.width))))
        };
        door.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use sanfleet_protocol::{VolumeId, v1};

    use super::*;
    use crate::runs::BackupDetach;

    fn detach(host: &str, array: &str) -> AnyProcedure {
        let record = v1::Attachment {
            array: array.into(),
            host: host.into(),
            mount_point: "/m".into(),
            volume_id: VolumeId::naa(&[0x60; 16]).unwrap().to_string(),
            ..Default::default()
        };
        AnyProcedure::BackupDetach(BackupDetach { what: record.try_into().unwrap(), also: vec![] })
    }

    #[test]
    fn only_so_many_work_on_one_array_and_the_next_comes_in_when_one_leaves() {
        let throttle = Throttle::default();
        let enter = |n: usize| throttle.enter(&detach(&format!("h{n}"), "a")).now_or_never();
        let mut inside: Vec<Inside> = (0..PER_ARRAY).map(|n| enter(n).unwrap()).collect();
        assert!(enter(99).is_none());
        assert!(throttle.enter(&detach("h", "b")).now_or_never().is_some(), "another array is not concerned");
        inside.pop();
        assert!(enter(99).is_some());
    }

    #[test]
    fn only_so_many_work_on_one_host() {
        let throttle = Throttle::default();
        let enter = |n: usize| throttle.enter(&detach("h", &format!("a{n}"))).now_or_never();
        let _inside: Vec<Inside> = (0..PER_HOST).map(|n| enter(n).unwrap()).collect();
        assert!(enter(99).is_none());
    }
}
