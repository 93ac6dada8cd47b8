//! Counts of bytes and blocks that an array may not know: −1 on the wire, or 2^64−1 from a C peer that wrote −1 back.

use std::fmt;

use serde::{Deserializer, Serializer, de};

pub fn serialize<S: Serializer>(count: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match count {
        Some(count) => serializer.serialize_u64(*count),
        None => serializer.serialize_i64(-1),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(Count)
}

struct Count;

impl de::Visitor<'_> for Count {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count, or -1 for unknown")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Self::Value, E> {
        Ok((count != u64::MAX).then_some(count))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Self::Value, E> {
        match count {
            -1 => Ok(None),
            _ => u64::try_from(count)
                .map(Some)
                .map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self)),
        }
    }
}
