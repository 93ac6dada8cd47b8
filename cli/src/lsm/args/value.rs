//! The values of options, read once.

use sanfleet_driver::{
    InitiatorType, PhysicalDiskCache, Provisioning, RaidType, ReadCache, ReplicateType, WriteCachePolicy,
};
use sanfleet_protocol::{initiator::Initiator as InitiatorId, size};

use super::scan::Given;
use crate::lsm::lamp::Lamp;

/// One value of an option. The error is for a person, and begins where "argument --x: " ends.
pub trait Value: Sized {
    /// Empty when there are others than these.
    const CHOICES: &'static [&'static str] = &[];

    fn read(text: &str) -> Result<Self, String>;
}

/// Whether the text is such a value.
pub fn check<T: Value>(text: &str) -> Result<(), String> {
    T::read(text).map(drop)
}

/// How often an option comes: exactly once, at most once, any number of times, or at least once.
pub trait Shape: Sized {
    const REQUIRED: bool;
    const CHOICES: &'static [&'static str];
    /// Of each single value.
    const CHECK: fn(&str) -> Result<(), String>;

    /// None where the option is missing, or has a value that is none.
    fn take(given: &Given, option: &'static str) -> Option<Self>;
}

impl<T: Value> Shape for T {
    const REQUIRED: bool = true;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const CHECK: fn(&str) -> Result<(), String> = check::<T>;

    fn take(given: &Given, option: &'static str) -> Option<Self> {
        T::read(given.value(option)?).ok()
    }
}

impl<T: Value> Shape for Option<T> {
    const REQUIRED: bool = false;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const CHECK: fn(&str) -> Result<(), String> = check::<T>;

    fn take(given: &Given, option: &'static str) -> Option<Self> {
        given.value(option).map(|text| T::read(text).ok()).map_or(Some(None), |read| read.map(Some))
    }
}

impl<T: Value> Shape for Vec<T> {
    const REQUIRED: bool = false;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const CHECK: fn(&str) -> Result<(), String> = check::<T>;

    fn take(given: &Given, option: &'static str) -> Option<Self> {
        given.values(option).map(|text| T::read(text).ok()).collect()
    }
}

/// At least one.
#[derive(Debug, PartialEq, Eq)]
pub struct AtLeastOne<T>(pub Vec<T>);

impl<T: Value> Shape for AtLeastOne<T> {
    const REQUIRED: bool = true;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const CHECK: fn(&str) -> Result<(), String> = check::<T>;

    fn take(given: &Given, option: &'static str) -> Option<Self> {
        Vec::take(given, option).filter(|values| !values.is_empty()).map(Self)
    }
}

impl Value for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// Not negative, whatever its message says: so does the original's.
impl Value for u64 {
    fn read(text: &str) -> Result<Self, String> {
        match text.trim().parse::<i128>() {
            Ok(number) => Self::try_from(number)
                .map_err(|_| format!("invalid: require positive integer value '{number}'")),
            Err(_) => Err(format!("invalid: not a positive integer value '{text}'")),
        }
    }
}

/// A password. It is never shown.
#[derive(PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Value for Secret {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// Bytes, more than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl Value for Size {
    fn read(text: &str) -> Result<Self, String> {
        match size::parse(text) {
            Ok(bytes @ 1..) => Ok(Self(bytes)),
            _ => Err(not_a_size(text)),
        }
    }
}

/// Bytes; none leave the choice to the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StripSize(pub u64);

impl Value for StripSize {
    fn read(text: &str) -> Result<Self, String> {
        size::parse(text).map(Self).map_err(|_| not_a_size(text))
    }
}

fn not_a_size(text: &str) -> String {
    format!("Incorrect size argument format: '{text}'")
}

/// An initiator as the protocol spells it, and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initiator {
    pub id: String,
    pub kind: InitiatorType,
}

impl Value for Initiator {
    fn read(text: &str) -> Result<Self, String> {
        let iscsi = ["iqn", "eui", "naa"].iter().any(|prefix| text.starts_with(prefix));
        if iscsi {
            return Ok(Self { id: text.to_owned(), kind: InitiatorType::ISCSI });
        }
        let wwpn = wwpn(text).ok_or_else(|| format!("\"{text}\" is invalid WWPN or iSCSI IQN"))?;
        Ok(Self { id: InitiatorId::Wwpn(wwpn.into()).to_string(), kind: InitiatorType::WWPN })
    }
}

/// Eight pairs of hex digits; `0x` may stand before them, and `:`, `-` or `.` between any two.
fn wwpn(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut number = 0;
    for pair in 0..8 {
        if pair > 0 {
            rest = rest.strip_prefix([':', '-', '.']).unwrap_or(rest);
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let both_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| both_hex)?;
        number = number << 8 | u64::from(byte);
        rest = after;
    }
    rest.is_empty().then_some(number)
}

/// An address or the name of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(pub String);

impl Value for Host {
    fn read(text: &str) -> Result<Self, String> {
        let address = text.parse::<std::net::IpAddr>().is_ok();
        match address || is_host_name(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text} is invalid IP or hostname")),
        }
    }
}

/// RFC 1123 §2.1; digits and dots alone would be an address.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let legal = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && legal && !label.starts_with('-') && !label.ends_with('-')
    };
    let only_digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.len() <= 255 && !only_digits && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// Values of which one must be chosen; `folded` ones in either case.
macro_rules! choices {
    ($type:ty, $fold:expr, { $($word:literal => $value:expr,)* }) => {
        impl Value for $type {
            const CHOICES: &'static [&'static str] = &[$($word),*];

            fn read(text: &str) -> Result<Self, String> {
                let word = $fold(text);
                match word.as_str() {
                    $($word => Ok($value),)*
                    _ => Err(format!("invalid choice: '{word}' (choose from '{}')", <Self as Value>::CHOICES.join("', '"))),
                }
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    Volumes,
    Pools,
    Fs,
    Snapshots,
    Exports,
    NfsClientAuth,
    AccessGroups,
    Systems,
    Disks,
    Plugins,
    TargetPorts,
    Batteries,
}

choices!(ListType, str::to_uppercase, {
    "VOLUMES" => Self::Volumes,
    "POOLS" => Self::Pools,
    "FS" => Self::Fs,
    "SNAPSHOTS" => Self::Snapshots,
    "EXPORTS" => Self::Exports,
    "NFS_CLIENT_AUTH" => Self::NfsClientAuth,
    "ACCESS_GROUPS" => Self::AccessGroups,
    "SYSTEMS" => Self::Systems,
    "DISKS" => Self::Disks,
    "PLUGINS" => Self::Plugins,
    "TARGET_PORTS" => Self::TargetPorts,
    "BATTERIES" => Self::Batteries,
});

choices!(Provisioning, str::to_uppercase, {
    "DEFAULT" => Self::DEFAULT,
    "THIN" => Self::THIN,
    "FULL" => Self::FULL,
});

choices!(ReplicateType, str::to_owned, {
    "CLONE" => Self::CLONE,
    "COPY" => Self::COPY,
    "MIRROR_ASYNC" => Self::MIRROR_ASYNC,
    "MIRROR_SYNC" => Self::MIRROR_SYNC,
});

/// How pieces of a volume are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeType(pub ReplicateType);

choices!(RangeType, str::to_owned, {
    "CLONE" => Self(ReplicateType::CLONE),
    "COPY" => Self(ReplicateType::COPY),
});

choices!(RaidType, str::to_uppercase, {
    "RAID0" => Self::RAID0,
    "RAID1" => Self::RAID1,
    "RAID5" => Self::RAID5,
    "RAID6" => Self::RAID6,
    "RAID10" => Self::RAID10,
    "RAID50" => Self::RAID50,
    "RAID60" => Self::RAID60,
});

choices!(PhysicalDiskCache, str::to_uppercase, {
    "ENABLE" => Self::ENABLED,
    "DISABLE" => Self::DISABLED,
});

choices!(ReadCache, str::to_uppercase, {
    "ENABLE" => Self::ENABLED,
    "DISABLE" => Self::DISABLED,
});

choices!(WriteCachePolicy, str::to_uppercase, {
    "WB" => Self::WRITE_BACK,
    "AUTO" => Self::AUTO,
    "WT" => Self::WRITE_THROUGH,
});

/// What is to become of the lamps of a slot: each at most once, and one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotState {
    ident: Option<bool>,
    fault: Option<bool>,
}

impl SlotState {
    /// The lamps that are to be set, and whether they are to shine.
    pub fn each(self) -> impl Iterator<Item = (Lamp, bool)> {
        let lamps = [(Lamp::Ident, self.ident), (Lamp::Fault, self.fault)];
        lamps.into_iter().filter_map(|(lamp, on)| Some((lamp, on?)))
    }
}

impl Value for SlotState {
    const CHOICES: &'static [&'static str] = &["IDENT_ON", "IDENT_OFF", "FAULT_ON", "FAULT_OFF"];

    /// One word, or one for each lamp with a colon between them.
    fn read(text: &str) -> Result<Self, String> {
        let mut state = Self { ident: None, fault: None };
        for word in text.to_uppercase().split(':') {
            let (lamp, on) = match word {
                "IDENT_ON" => (&mut state.ident, true),
                "IDENT_OFF" => (&mut state.ident, false),
                "FAULT_ON" => (&mut state.fault, true),
                "FAULT_OFF" => (&mut state.fault, false),
                other => {
                    let choices = <Self as Value>::CHOICES.join("', '");
                    return Err(format!("invalid choice: '{other}' (choose from '{choices}')"));
                }
            };
            if lamp.replace(on).is_some() {
                return Err(format!("one lamp twice: '{text}'"));
            }
        }
        Ok(state)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

choices!(Format, str::to_owned, {
    "text" => Self::Text,
    "json" => Self::Json,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wwpn_is_spelt_as_the_protocol_spells_it() {
        for text in [
            "0x100000000000ABCD",
            "10:00:00:00:00:00:ab:cd",
            "10-00-00-00-00-00-AB-CD",
            "100000000000abcd",
            "10.00.00.00.00.00.ab.cd",
            "0X1000:0000-0000.abcd",
        ] {
            let read = Initiator::read(text).unwrap();
            assert_eq!(
                (read.id.as_str(), read.kind),
                ("10:00:00:00:00:00:ab:cd", InitiatorType::WWPN),
                "{text}"
            );
        }
        let iqn = Initiator::read("iqn.1994-05.com.domain:01.89bd01").unwrap();
        assert_eq!((iqn.id.as_str(), iqn.kind), ("iqn.1994-05.com.domain:01.89bd01", InitiatorType::ISCSI));
        for wrong in [
            "host1",
            "",
            "100000000000abc",
            "100000000000abcde",
            ":100000000000abcd",
            "10::0000000000abcd",
            "+1000000000000ab",
            "1000000000000\u{fc}a",
            "0x",
        ] {
            let why = format!("\"{wrong}\" is invalid WWPN or iSCSI IQN");
            assert_eq!(Initiator::read(wrong).unwrap_err(), why);
        }
    }

    #[test]
    fn a_number_is_whole_and_not_negative() {
        assert_eq!(u64::read("5"), Ok(5));
        assert_eq!(u64::read("-5").unwrap_err(), "invalid: require positive integer value '-5'");
        assert_eq!(u64::read("5x").unwrap_err(), "invalid: not a positive integer value '5x'");
    }

    #[test]
    fn a_volume_has_a_size_and_strips_may_have_the_one_that_the_array_likes() {
        assert_eq!(Size::read("0").unwrap_err(), "Incorrect size argument format: '0'");
        assert_eq!((StripSize::read("0"), StripSize::read("64K")), (Ok(StripSize(0)), Ok(StripSize(65536))));
        assert_eq!(StripSize::read("big").unwrap_err(), "Incorrect size argument format: 'big'");
    }

    #[test]
    fn a_choice_is_read_in_either_case_where_the_original_does() {
        assert_eq!(ListType::read("volumes"), Ok(ListType::Volumes));
        assert_eq!(Provisioning::read("thin"), Ok(Provisioning::THIN));
        assert_eq!(
            ReplicateType::read("clone").unwrap_err(),
            "invalid choice: 'clone' (choose from 'CLONE', 'COPY', 'MIRROR_ASYNC', 'MIRROR_SYNC')"
        );
    }

    #[test]
    fn the_lamps_of_a_slot_are_named_each_once_at_most() {
        let read = |text: &str| SlotState::read(text).map(|state| state.each().collect::<Vec<_>>());
        assert_eq!(read("IDENT_ON"), Ok(vec![(Lamp::Ident, true)]));
        let both = vec![(Lamp::Ident, false), (Lamp::Fault, true)];
        assert_eq!((read("ident_off:FAULT_ON"), read("FAULT_ON:IDENT_OFF")), (Ok(both.clone()), Ok(both)));
        for wrong in
            ["", "ON", "IDENT_ON:", "IDENT_ON:IDENT_OFF", "FAULT_ON:IDENT_ON:FAULT_ON", "IDENT_ON,FAULT_ON"]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        for host in ["10.0.0.1", "fe80::1", "nfs-1.example.com", "host.", "a1"] {
            assert!(Host::read(host).is_ok(), "{host}");
        }
        for host in ["", "10.0.0.256", "1.2", "-a", "a b", "a..b", "a_b"] {
            assert!(Host::read(host).is_err(), "{host}");
        }
    }
}
