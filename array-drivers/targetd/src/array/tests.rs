//! The real daemon's own words, as it was heard to say them, behind the seam.

use sanfleet_driver::{ErrorNumber, InitiatorType, PoolId, VolumeKey};
use sanfleet_driver_http::{HttpError, Response};
use serde_json::{Value, json};

use super::*;

const RECORDED: &str = include_str!("../../tests/data/recorded-active-copies.jsonl");
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers each request as the real daemon last answered it until some request, and what nobody recorded as for a pool that is not
/// there.
#[derive(Debug)]
struct Recording {
    exchanges: Vec<(Value, Value)>,
}

impl Recording {
    fn until(last: u64) -> Self {
        let lines = RECORDED.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let exchanges = lines.filter(|line| line["req"]["id"].as_u64().is_some_and(|id| id <= last));
        let exchanges = exchanges.map(|line| {
            let answer = serde_json::from_str(line["resp"].as_str().unwrap()).unwrap();
            (line["req"].clone(), answer)
        });
        Self { exchanges: exchanges.collect() }
    }
}

impl Wire for Recording {
    fn exchange(&mut self, request: &[u8], _deadline: Deadline) -> Result<Response, HttpError> {
        let asked: Value = serde_json::from_slice(request).unwrap();
        let same = |known: &Value| known["method"] == asked["method"] && known["params"] == asked["params"];
        let found =
            self.exchanges.iter().rev().find(|(known, _)| same(known)).map(|(_, answer)| answer.clone());
        let nothing = json!({"error": {"code": -110, "message": "Invalid pool"}, "jsonrpc": "2.0"});
        let mut answer = found.unwrap_or(nothing);
        answer["id"] = asked["id"].clone();
        Ok(Response { status: 200, body: answer.to_string().into_bytes() })
    }
}

fn array_until(last: u64) -> Array {
    Array::open(Box::new(Recording::until(last)), "recorded:18700", PATIENCE).unwrap()
}

#[test]
fn pools_are_what_they_were() {
    let mut array = array_until(26);
    let pools = array.pools().unwrap();
    let told: Vec<_> =
        pools.iter().map(|pool| (pool.id.as_str(), pool.total_space, pool.free_space)).collect();
    let gib = Some(1 << 30);
    assert_eq!(
        told,
        [("vg-targetd/thin_pool", gib, Some(1_073_741_705)), ("/mnt/btrfs", gib, Some(948_568_064))]
    );
    assert!(array.lacks().is_empty());
}

#[test]
fn volumes_have_the_identity_that_the_kernel_makes_of_their_uuid() {
    let mut array = array_until(26);
    let volumes = array.volumes(None).unwrap();
    let names: Vec<_> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["c1", "c2", "huge", "odd", "v1"]);
    assert_eq!(volumes[0].id, VolumeKey::new("iTyWND-ZaNX-XcVh-iNT0-w4mT-TNBa-dYWBNe"));
    assert_eq!(volumes[0].vpd83, "6001405dac04badbe000000000000000");
    assert_eq!(volumes[3].size_bytes(), Some(4_194_304));
}

#[test]
fn groups_stand_alone_initiators_and_their_masks_are_told_each_once() {
    let mut array = array_until(50);
    let groups = array.access_groups().unwrap();
    let initiators: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.init_ids.len())).collect();
    assert_eq!(initiators, [("ghost", 1), ("ag1", 2), ("iqn.1994-05.com.example:solo", 1)]);
    let mappings = array.mappings_page(None, 100).unwrap().items;
    let seen: Vec<_> = mappings
        .iter()
        .map(|m| (m.access_group_id.as_ref().map(sanfleet_driver::AccessGroupId::as_str), m.lun))
        .collect();
    assert_eq!(seen.len(), 3);
    for told in [(Some("ag1"), Some(0)), (Some("ag1"), Some(5)), (None, Some(3))] {
        assert!(seen.contains(&told), "{told:?} in {seen:?}");
    }
}

#[test]
fn a_mask_that_is_there_is_no_change_and_a_masked_volume_is_not_deleted() {
    let mut array = array_until(50);
    let group = array.access_groups().unwrap()[1].id.clone();
    let masked = array.volumes_of(&group).unwrap()[0].id.clone();
    assert_eq!(array.volume_mask(&group, &masked).unwrap_err().number, ErrorNumber::NoStateChange);
    assert_eq!(array.volume_delete(&masked).unwrap_err().number, ErrorNumber::IsMasked);
}

#[test]
fn names_and_initiators_that_are_taken_are_refused() {
    let mut array = array_until(50);
    let thin = PoolId::new("vg-targetd/thin_pool");
    let made = array.volume_create(&thin, "v1", 1 << 20, sanfleet_driver::Provisioning::DEFAULT);
    assert_eq!(made.unwrap_err().number, ErrorNumber::NameConflict);
    let mut create = |name: &str, initiator: &str| {
        let made = array.access_group_create(name, initiator, InitiatorType::ISCSI, &system_id());
        made.unwrap_err().number
    };
    assert_eq!(create("ag1", "iqn.1994-05.com.example:i9"), ErrorNumber::NameConflict);
    assert_eq!(create("ag2", "iqn.1994-05.com.example:i1"), ErrorNumber::ExistsInitiator);
}

#[test]
fn file_systems_and_their_snapshots_are_what_they_were() {
    let mut array = array_until(77);
    let systems = array.file_systems().unwrap();
    let names: Vec<_> = systems.iter().map(|fs| fs.name.as_str()).collect();
    assert_eq!(names, ["f1", "f2", "f3"]);
    let snapshots = array.snapshots(&systems[0].id).unwrap();
    assert_eq!((snapshots.len(), snapshots[0].name.as_str(), snapshots[0].ts), (1, "s1", 1_795_385_804));
}
