//! Ids of events that several controllers tell: made of what the event is about, so that each of them makes the same.

use ring::digest;
use sanfleet_protocol::{Generation, HostId};
use uuid::{Builder, Uuid};

use super::EventKind;

/// The id of what one report of a host changed. What hosts and arrays call their things may hold anything and have any
/// length: it is hashed, not copied.
pub fn of_change(host: &HostId, generation: Generation, kind: EventKind, what: &[&str]) -> Uuid {
    let mut hash = digest::Context::new(&digest::SHA256);
    let generation = generation.0.to_string();
    for part in [host.as_str(), &generation, kind.as_str()].iter().chain(what) {
        // With its length, so that no two lists of parts have the same bytes.
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finish().as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(generation: u64, what: &[&str]) -> Uuid {
        of_change(&"db1".parse().unwrap(), Generation(generation), EventKind::DeviceGone, what)
    }

    #[test]
    fn the_same_change_has_the_same_id_and_another_has_another() {
        assert_eq!(id(7, &["sda", "x"]), id(7, &["sda", "x"]));
        let others = [id(8, &["sda", "x"]), id(7, &["sd", "ax"]), id(7, &["sdax"]), id(7, &[])];
        assert!(others.iter().all(|other| *other != id(7, &["sda", "x"])));
    }

    #[test]
    fn a_name_that_would_break_a_header_is_in_no_id() {
        assert!(!id(7, &["a\r\nce-type: x"]).to_string().contains(['\r', '\n']));
    }
}
