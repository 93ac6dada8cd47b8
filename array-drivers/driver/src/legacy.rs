//! Records as a client sees them that asked for no extension: what libStorageMgmt's own clients can bear.
//!
//! This is the one place that decides about what a driver hands over and a strict client would choke on:
//!
//! - One volume without a valid NAA id makes the C client lose the whole list. It gets a stand-in: a locally assigned NAA
//!   (type 3) made from the volume's own id, which no host ever sees in band.
//! - One initiator that is neither a WWPN nor an iSCSI name makes the Python client lose the whole list of access groups. It is
//!   left out.
//! - The C client undoes no JSON escapes, and writes none. Names and ids are escaped all the same, for then every client hands
//!   back what the driver gave; only an error's text, which nobody hands back, is made plain (see `message`).
//! - Nulls where the C client would follow them cannot be written: the records' types have no room for them.
//!
//! A client that asked which extensions there are gets the records as they are.

use sanfleet_protocol::{hash::fnv1a, initiator::Initiator};

use crate::{
    job::{JobItem, JobOr, JobStatus},
    model::{AccessGroup, STAND_IN, Volume},
};

/// Digits of a stand-in that tell volumes apart: 44 bits.
const OWN_DIGITS: usize = 11;

pub(crate) fn access_groups(groups: Vec<AccessGroup>) -> Vec<AccessGroup> {
    groups.into_iter().map(access_group).collect()
}

pub(crate) fn access_group(mut group: AccessGroup) -> AccessGroup {
    group.init_ids.retain(|text| is_borne(text));
    group
}

/// What the Python client takes, and the C client too.
fn is_borne(initiator: &str) -> bool {
    match initiator.parse() {
        Ok(Initiator::Nqn(_)) => false,
        Ok(_) => true,
        Err(_) => initiator.len() > 4 && ["iqn", "eui", "naa"].iter().any(|form| initiator.starts_with(form)),
    }
}

pub(crate) fn volumes(volumes: Vec<Volume>) -> Vec<Volume> {
    volumes.into_iter().map(volume).collect()
}

pub(crate) fn volume(mut volume: Volume) -> Volume {
    if volume.volume_id().is_none() {
        volume.vpd83 = stand_in(&volume);
    }
    volume
}

pub(crate) fn volume_or_job(outcome: JobOr<Volume>) -> JobOr<Volume> {
    match outcome {
        JobOr::Done(made) => JobOr::Done(volume(made)),
        job => job,
    }
}

pub(crate) fn job_status(mut status: JobStatus) -> JobStatus {
    status.item = status.item.map(|item| match item {
        JobItem::Volume(made) => JobItem::Volume(volume(made)),
        other => other,
    });
    status
}

/// The same for the same volume for ever: FNV-1a over the system's id and the volume's.
fn stand_in(volume: &Volume) -> String {
    let bytes = volume.system_id.as_str().bytes().chain([0]).chain(volume.id.as_str().bytes());
    let hash = fnv1a(bytes);
    // The upper bits depend on every byte of the ids.
    format!("{STAND_IN}{:0OWN_DIGITS$x}", hash >> (64 - 4 * OWN_DIGITS))
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::VolumeId;
    use serde_json::{from_value, json};

    use super::*;

    fn made(id: &str, vpd83: &str) -> Volume {
        from_value(json!({"class": "Volume", "id": id, "name": "v", "vpd83": vpd83, "block_size": 512,
            "num_of_blocks": 8, "admin_state": 1, "system_id": "s", "pool_id": "p"}))
        .unwrap()
    }

    #[test]
    fn a_volume_without_an_identity_gets_one_that_is_valid_and_stands_for_none() {
        let shown = volume(made("V1", ""));
        assert!(VolumeId::from_lsm_vpd83(&shown.vpd83).is_some(), "{}", shown.vpd83);
        assert_eq!((shown.vpd83.len(), shown.volume_id()), (16, None));
        assert_eq!(volume(made("V1", "eui.0011")).vpd83, shown.vpd83);
        assert_ne!(volume(made("V2", "")).vpd83, shown.vpd83);
    }

    #[test]
    fn a_volume_with_an_identity_keeps_it() {
        let id = "60014053fef180bf1000000000000000";
        assert_eq!(volume(made("V", id)).vpd83, id);
    }

    #[test]
    fn only_initiators_that_every_client_bears_are_shown() {
        for borne in ["iqn.2026-01.example:a", "10:00:00:00:c9:95:2f:de", "eui.0123456789abcdef", "iqn+odd"] {
            assert!(is_borne(borne), "{borne}");
        }
        for not in ["nqn.2014-08.example:x", "", "iqn", "host one", "10:00"] {
            assert!(!is_borne(not), "{not}");
        }
    }
}
