//! What lies between a volume and the file system on it: a partition of it, a logical volume of LVM on that, both, or nothing.
//!
//! A copy of a volume brings all of it along, names and ids too. [`Layers::on_copy`] says what a copy's own are called.

use core::num::NonZeroU32;
use std::{fmt, str::FromStr};

use uuid::{Builder, Uuid};

use crate::{VolumeId, hash::fnv1a, v1};

/// The longest name that LVM takes (`NAME_LEN` less its end, lvm2 `lib/datastruct/str_list.h`).
const MAX_NAME_BYTES: usize = 127;
/// GPT has room for 128 partitions unless somebody made a larger table (UEFI 2.10 §5.3.2), which Linux counts to 256.
const MAX_PARTITION: u32 = 256;

/// The name of a volume group or a logical volume (lvm(8), "VALID NAMES"): it can neither leave a directory nor be taken for
/// an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LvmName(String);

/// A logical volume, by the names that LVM has for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogicalVolume {
    pub group: LvmName,
    pub name: LvmName,
}

/// What the name of a device mapper's map says of LVM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LvmMap {
    pub group: LvmName,
    /// None for what LVM made for itself, below or above a logical volume.
    pub volume: Option<LvmName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Layers {
    /// The number of the partition, unless the whole volume is used.
    pub partition: Option<NonZeroU32>,
    pub lvm: Option<LogicalVolume>,
}

/// Why a message does not say what lies between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayersError {
    #[error("{0:?} is no name that LVM takes")]
    Name(String),
    #[error("{0} is no number of a partition")]
    Partition(u32),
}

impl LvmName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As device mapper has it: a hyphen stands between the names of group and volume, so that one within is doubled.
    fn in_map(&self) -> String {
        self.0.replace('-', "--")
    }
}

impl FromStr for LvmName {
    type Err = LayersError;

    fn from_str(text: &str) -> Result<Self, LayersError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte);
        let is_name = !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.bytes().all(allowed);
        match is_name && !text.starts_with('-') && ![".", ".."].contains(&text) {
            true => Ok(Self(text.to_owned())),
            false => Err(LayersError::Name(text.chars().take(MAX_NAME_BYTES).collect())),
        }
    }
}

impl fmt::Display for LvmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl LogicalVolume {
    /// The name of its map.
    pub fn map_name(&self) -> String {
        format!("{}-{}", self.group.in_map(), self.name.in_map())
    }
}

impl LvmMap {
    /// `group-volume`, or `group-volume-layer`; `None` for a name that LVM does not give.
    pub fn from_name(text: &str) -> Option<Self> {
        let whole = text.replace("--", "\0");
        let mut parts = whole.split('-').map(|part| part.replace('\0', "-").parse().ok());
        let (group, volume) = (parts.next()??, parts.next()??);
        let volume = parts.next().is_none().then_some(volume);
        Some(Self { group, volume })
    }

    pub fn is(&self, lvm: &LogicalVolume) -> bool {
        self.group == lvm.group && self.volume.as_ref() == Some(&lvm.name)
    }
}

impl fmt::Display for LogicalVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.name)
    }
}

impl Layers {
    /// True when the file system has the whole volume to itself.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// True for the name that this copy's group has from us.
    pub fn is_own_group(group: &LvmName, copy: &VolumeId) -> bool {
        group.0.ends_with(&mark(copy))
    }

    /// The same on a copy: its group has a name of its own, which follows from the name of the source's and from the copy's id.
    /// Asked twice it is the same, and of two copies it is not.
    pub fn on_copy(&self, copy: &VolumeId) -> Self {
        let lvm = self.lvm.as_ref().map(|of_source| LogicalVolume {
            group: own_group(&of_source.group, copy),
            name: of_source.name.clone(),
        });
        Self { partition: self.partition, lvm }
    }
}

/// The id that the partition table of a copy has for the whole (0), and for each of its partitions. As with the name of a group: asked
/// twice it is the same, and of two copies it is not.
pub fn table_id(copy: &VolumeId, partition: u32) -> Uuid {
    let half = |which: &str| fnv1a(format!("{copy} {partition} {which}").bytes()).to_be_bytes();
    let mut bytes = [0; 16];
    let halves = half("first").into_iter().chain(half("second"));
    bytes.iter_mut().zip(halves).for_each(|(byte, from)| *byte = from);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn mark(copy: &VolumeId) -> String {
    format!("_{:016x}", fnv1a(copy.to_string().bytes()))
}

fn own_group(of_source: &LvmName, copy: &VolumeId) -> LvmName {
    let mark = mark(copy);
    let kept = MAX_NAME_BYTES.saturating_sub(mark.len());
    // Names are ASCII, and what is cut off at their end leaves a name.
    let name: String = of_source.0.chars().take(kept).chain(mark.chars()).collect();
    LvmName(name)
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.partition, &self.lvm) {
            (None, None) => f.write_str("the whole volume"),
            (Some(number), None) => write!(f, "partition {number}"),
            (None, Some(lvm)) => write!(f, "logical volume {lvm}"),
            (Some(number), Some(lvm)) => write!(f, "logical volume {lvm} on partition {number}"),
        }
    }
}

impl From<&Layers> for v1::Layers {
    fn from(layers: &Layers) -> Self {
        let name = |of: fn(&LogicalVolume) -> &LvmName| {
            layers.lvm.as_ref().map(|lvm| of(lvm).to_string()).unwrap_or_default()
        };
        Self {
            partition: layers.partition.map(NonZeroU32::get).unwrap_or_default(),
            volume_group: name(|lvm| &lvm.group),
            logical_volume: name(|lvm| &lvm.name),
        }
    }
}

impl Layers {
    /// What a message says; one without it means the whole volume.
    pub fn from_message(message: Option<&v1::Layers>) -> Result<Self, LayersError> {
        let Some(message) = message else { return Ok(Self::default()) };
        let partition = NonZeroU32::new(message.partition);
        if message.partition > MAX_PARTITION {
            return Err(LayersError::Partition(message.partition));
        }
        let has_lvm = !message.volume_group.is_empty() || !message.logical_volume.is_empty();
        let lvm = || -> Result<_, LayersError> {
            Ok(LogicalVolume { group: message.volume_group.parse()?, name: message.logical_volume.parse()? })
        };
        Ok(Self { partition, lvm: has_lvm.then(lvm).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> LvmName {
        text.parse().unwrap()
    }

    fn names() -> impl Strategy<Value = LvmName> {
        "[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]{0,120}".prop_filter_map("no name", |text| text.parse().ok())
    }

    #[test]
    fn a_name_is_neither_an_option_nor_a_way_out_of_a_directory() {
        for bad in ["", "-y", ".", "..", "a/b", "a b", "a\0", "ä", &"x".repeat(128)] {
            assert!(bad.parse::<LvmName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn maps_of_lvms_own_layers_are_no_volumes() {
        let map = LvmMap::from_name("my--vg-data--1").unwrap();
        assert!(map.is(&LogicalVolume { group: name("my-vg"), name: name("data-1") }));
        for layer in ["vg-pool-tpool", "vg-data-real"] {
            assert_eq!(LvmMap::from_name(layer), Some(LvmMap { group: name("vg"), volume: None }), "{layer}");
        }
        for other in ["mpatha", "vg-", "-data"] {
            assert_eq!(LvmMap::from_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_copys_group_has_a_name_of_its_own_that_is_always_the_same() {
        let copies = ["naa.60014050000000000000000000000001", "naa.60014050000000000000000000000002"];
        let [one, other] = copies.map(|id| id.parse::<VolumeId>().unwrap());
        let lvm = LogicalVolume { group: name("vg"), name: name("data") };
        let source = Layers { partition: NonZeroU32::new(2), lvm: Some(lvm) };
        assert_eq!(source.on_copy(&one), source.on_copy(&one));
        assert_ne!(source.on_copy(&one), source.on_copy(&other));
        let group = source.on_copy(&one).lvm.unwrap().group;
        assert!(Layers::is_own_group(&group, &one) && !Layers::is_own_group(&group, &other));
        assert!(source.on_copy(&one).to_string().starts_with("logical volume vg_"));
        assert_eq!(Layers::default().on_copy(&one), Layers::default());
        assert_eq!(table_id(&one, 2), table_id(&one, 2));
        assert_ne!(table_id(&one, 2), table_id(&other, 2));
        assert_ne!(table_id(&one, 2), table_id(&one, 0));
    }

    proptest! {
        #[test]
        fn a_map_is_named_so_that_its_volume_is_known_again(group in names(), volume in names()) {
            let lvm = LogicalVolume { group, name: volume };
            prop_assert!(LvmMap::from_name(&lvm.map_name()).is_some_and(|map| map.is(&lvm)));
        }

        #[test]
        fn what_is_said_of_layers_is_understood(partition in 0..=MAX_PARTITION, lvm in proptest::option::of((names(), names()))) {
            let lvm = lvm.map(|(group, name)| LogicalVolume { group, name });
            let layers = Layers { partition: NonZeroU32::new(partition), lvm };
            prop_assert_eq!(Layers::from_message(Some(&v1::Layers::from(&layers))), Ok(layers));
        }

        #[test]
        fn a_copys_group_has_a_name_that_lvm_takes(group in names()) {
            let copy = "naa.60014050000000000000000000000001".parse().unwrap();
            prop_assert!(own_group(&group, &copy).as_str().parse::<LvmName>().is_ok());
        }
    }
}
