//! The records of the protocol, field by field.

use sanfleet_protocol::{initiator::Initiator, volume_id::VolumeId};
use serde_json::Value;

pub struct Class {
    name: &'static str,
    pub fields: &'static [Field],
}

pub struct Field {
    pub key: &'static str,
    pub kind: Of,
    /// The Python client raises when it is not there.
    pub mandatory: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    Text,
    /// A text, or null where neither client minds.
    TextOrNull,
    Number,
    /// Nothing below zero.
    Bits,
    /// Bytes or blocks; −1 for unknown.
    Count,
    /// An NAA id in hex: without one the C client gives up the list.
    Naa,
    /// An NAA id in hex, or an empty text.
    NaaOrEmpty,
    Texts,
    /// Spelled so that both clients take them.
    Initiators,
}

impl Of {
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::TextOrNull => value.is_string() || value.is_null(),
            Self::Number => value.is_i64() || value.is_u64(),
            Self::Bits => value.is_u64(),
            Self::Count => value.is_u64() || value.as_i64() == Some(-1),
            Self::Naa => value.as_str().is_some_and(is_naa),
            Self::NaaOrEmpty => value.as_str().is_some_and(|text| text.is_empty() || is_naa(text)),
            Self::Texts => texts(value, |_| true),
            Self::Initiators => texts(value, is_initiator),
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::TextOrNull => "a text or null",
            Self::Number => "a whole number",
            Self::Bits => "a set of bits",
            Self::Count => "a count or -1",
            Self::Naa => "an NAA id in hex",
            Self::NaaOrEmpty => "an NAA id in hex or an empty text",
            Self::Texts => "a list of texts",
            Self::Initiators => "a list of iSCSI names and WWPNs as aa:bb:…",
        }
    }
}

fn is_naa(text: &str) -> bool {
    VolumeId::from_lsm_vpd83(text).is_some()
}

fn texts(value: &Value, each: impl Fn(&str) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(|item| item.as_str().is_some_and(&each)))
}

/// A WWPN only in the spelling that the C client leaves alone.
fn is_initiator(text: &str) -> bool {
    match text.parse::<Initiator>() {
        Ok(wwpn @ Initiator::Wwpn(_)) => wwpn.to_string() == text,
        Ok(Initiator::Nqn(_)) => false,
        Ok(_) => true,
        // Both clients look at the first letters alone.
        Err(_) => ["iqn", "eui", "naa"].iter().any(|start| text.starts_with(start)) && text.len() > 4,
    }
}

impl Class {
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

pub fn named(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}

/// `name { mandatory fields } may { optional fields }`.
macro_rules! classes {
    ($($name:ident { $($key:ident: $kind:ident),* } may { $($optional:ident: $optional_kind:ident),* })*) => {
        const CLASSES: &[Class] = &[$(Class {
            name: stringify!($name),
            fields: &[
                $(Field { key: stringify!($key), kind: Of::$kind, mandatory: true },)*
                $(Field { key: stringify!($optional), kind: Of::$optional_kind, mandatory: false },)*
            ],
        },)*];
    };
}

classes! {
    System { id: Text, name: Text, status: Bits, status_info: Text }
        may { plugin_data: TextOrNull, fw_version: Text, mode: Number, read_cache_pct: Number }
    Pool {
        id: Text, name: Text, element_type: Bits, unsupported_actions: Bits, total_space: Count, free_space: Count,
        status: Bits, status_info: Text, system_id: Text
    } may { plugin_data: TextOrNull }
    Volume {
        id: Text, name: Text, vpd83: Naa, block_size: Count, num_of_blocks: Count, admin_state: Number, system_id: Text,
        pool_id: Text
    } may { plugin_data: TextOrNull }
    Disk {
        id: Text, name: Text, disk_type: Number, block_size: Count, num_of_blocks: Count, status: Bits, system_id: Text
    } may { plugin_data: TextOrNull, vpd83: NaaOrEmpty, location: Text, rpm: Number, link_type: Number }
    AccessGroup { id: Text, name: Text, init_ids: Initiators, init_type: Number, system_id: Text }
        may { plugin_data: TextOrNull }
    TargetPort {
        id: Text, port_type: Number, service_address: Text, network_address: Text, physical_address: Text,
        physical_name: Text, system_id: Text
    } may { plugin_data: TextOrNull }
    FileSystem { id: Text, name: Text, total_space: Count, free_space: Count, pool_id: Text, system_id: Text }
        may { plugin_data: TextOrNull }
    FsSnapshot { id: Text, name: Text, ts: Number } may { plugin_data: TextOrNull }
    NfsExport {
        id: Text, fs_id: Text, export_path: Text, auth: TextOrNull, root: Texts, rw: Texts, ro: Texts, anonuid: Number,
        anongid: Number, options: TextOrNull
    } may { plugin_data: TextOrNull }
    BlockRange { src_block: Bits, dest_block: Bits, block_count: Bits } may {}
    Battery { id: Text, name: Text, type: Number, status: Bits, system_id: Text } may { plugin_data: TextOrNull }
    Capabilities { cap: Text } may {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wwpn_has_one_spelling_that_both_clients_leave_alone() {
        assert!(Of::Initiators.fits(&json!(["10:00:00:00:c9:95:2f:de", "iqn.2026-01.example:a"])));
        for bad in ["10000000C9952FDE", "10:00:00:00:C9:95:2F:DE", "0x10000000c9952fde", "db1", ""] {
            assert!(!Of::Initiators.fits(&json!([bad])), "{bad}");
        }
    }

    #[test]
    fn an_unknown_count_is_minus_one_or_what_a_c_client_makes_of_it() {
        assert!(Of::Count.fits(&json!(-1)) && Of::Count.fits(&json!(u64::MAX)) && Of::Count.fits(&json!(0)));
        assert!(!Of::Count.fits(&json!(-2)) && !Of::Count.fits(&json!("5")) && !Of::Count.fits(&Value::Null));
    }
}
