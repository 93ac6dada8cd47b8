//! The ids in NVMe identify data (NVMe base 2.0 §5.17.2.1 and §5.17.2.3). Pure: bytes in, ids out.

use sanfleet_protocol::VolumeId;

const NGUID_AT: usize = 104;
const EUI64_AT: usize = 120;

const TYPE_EUI64: u8 = 1;
const TYPE_NGUID: u8 = 2;
const TYPE_UUID: u8 = 3;

/// The ids of a namespace from its identify data and from its list of identification descriptors, each once.
pub fn ids(namespace: &[u8], descriptors: &[u8]) -> Vec<VolumeId> {
    let nguid = namespace.get(NGUID_AT..NGUID_AT + 16).and_then(|value| id(TYPE_NGUID, value));
    let eui = namespace.get(EUI64_AT..EUI64_AT + 8).and_then(|value| id(TYPE_EUI64, value));
    let mut ids = listed(descriptors);
    for id in [nguid, eui].into_iter().flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// A descriptor is its type, its length, two reserved bytes and the value; a length of 0 ends the list.
fn listed(descriptors: &[u8]) -> Vec<VolumeId> {
    let mut ids = Vec::new();
    let mut rest = descriptors;
    while let [kind, length, _, _, tail @ ..] = rest {
        let Some((value, after)) = tail.split_at_checked(usize::from(*length)) else { break };
        if value.is_empty() {
            break;
        }
        ids.extend(id(*kind, value).filter(|id| !ids.contains(id)));
        rest = after;
    }
    ids
}

/// A field of zeroes means that the namespace has no such id.
fn id(kind: u8, value: &[u8]) -> Option<VolumeId> {
    if value.iter().all(|byte| *byte == 0) {
        return None;
    }
    match kind {
        TYPE_EUI64 => value.try_into().ok().map(VolumeId::Eui8),
        TYPE_NGUID => value.try_into().ok().map(VolumeId::Nguid),
        TYPE_UUID => value.try_into().ok().map(VolumeId::Uuid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_both_structures_are_found_and_each_is_given_once() {
        let mut namespace = vec![0; 4096];
        namespace[104..120].copy_from_slice(&[7; 16]);
        let mut descriptors = vec![3, 16, 0, 0];
        descriptors.extend([9; 16]);
        descriptors.extend([2, 16, 0, 0]);
        descriptors.extend([7; 16]);
        descriptors.extend([0; 64]);
        assert_eq!(ids(&namespace, &descriptors), [VolumeId::Uuid([9; 16]), VolumeId::Nguid([7; 16])]);
    }

    #[test]
    fn an_old_controller_without_the_list_still_has_its_eui() {
        let mut namespace = vec![0; 4096];
        namespace[120..128].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ids(&namespace, &[]), [VolumeId::Eui8([1, 2, 3, 4, 5, 6, 7, 8])]);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(
            namespace in proptest::collection::vec(any::<u8>(), 0..200),
            descriptors in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = ids(&namespace, &descriptors);
        }
    }
}
