//! The identity of a volume, as the volume itself tells it: SCSI VPD page 0x83 and NVMe identify data.
//!
//! Sources: SPC-5 §7.7.6 (device identification page), NVMe base 2.0 §4.5, and how Linux prints both in sysfs.
//! Equality is on bytes, never on text: arrays, udev and multipath all spell the same id differently.

use std::{fmt, str::FromStr};

mod vpd83;

pub use vpd83::{PageError, designators, page};

/// One identifier of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VolumeId {
    /// NAA 2, 3 or 5 (8 bytes).
    Naa8([u8; 8]),
    /// NAA 6, IEEE registered extended (16 bytes).
    Naa16([u8; 16]),
    /// EUI-64, alone or extended to 12 or 16 bytes.
    Eui8([u8; 8]),
    Eui12([u8; 12]),
    Eui16([u8; 16]),
    /// NVMe namespace globally unique identifier.
    Nguid([u8; 16]),
    /// NVMe namespace UUID, or SCSI designator type 0xA.
    Uuid([u8; 16]),
    /// T10 vendor identification, blanks collapsed: often not unique.
    T10(String),
    /// SCSI name string that is neither an NAA nor an EUI one.
    ScsiName(String),
    /// What Linux makes of an NVMe namespace with no id of its own: vendor, serial, model and namespace number.
    NvmeSerial(String),
    /// MD5 logical unit identifier.
    Md5([u8; 16]),
}

/// Why a text is no volume id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a volume id (naa., eui., nguid., uuid., t10., name., nvme. or md5. and its digits)")]
pub struct VolumeIdError(String);

impl VolumeId {
    /// An NAA designator from its bytes; the first half byte must fit the length (SPC-5 §7.7.6.6).
    pub fn naa(bytes: &[u8]) -> Option<Self> {
        let format = bytes.first()? >> 4;
        match format {
            2 | 3 | 5 => bytes.try_into().ok().map(Self::Naa8),
            6 => bytes.try_into().ok().map(Self::Naa16),
            _ => None,
        }
    }

    /// An EUI-64 based designator from its 8, 12 or 16 bytes.
    pub fn eui(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            8 => bytes.try_into().ok().map(Self::Eui8),
            12 => bytes.try_into().ok().map(Self::Eui12),
            16 => bytes.try_into().ok().map(Self::Eui16),
            _ => None,
        }
    }

    /// What libStorageMgmt's `Volume.vpd83` says: an NAA in hex without prefix, in either case.
    pub fn from_lsm_vpd83(text: &str) -> Option<Self> {
        Self::naa(&bytes_from_hex(text)?)
    }

    /// The `vpd83` text of libStorageMgmt for this id: only an NAA has one.
    pub fn lsm_vpd83(&self) -> Option<String> {
        match self {
            Self::Naa8(bytes) => Some(hex(bytes)),
            Self::Naa16(bytes) => Some(hex(bytes)),
            _ => None,
        }
    }

    /// The `wwid` of an NVMe namespace in sysfs, where 16 bytes after `eui.` are an NGUID (kernel: nvme_show_wwid).
    pub fn from_nvme_wwid(text: &str) -> Result<Self, VolumeIdError> {
        match text.trim().parse::<Self>()? {
            Self::Eui16(bytes) => Ok(Self::Nguid(bytes)),
            other => Ok(other),
        }
    }

    /// The WWID in the device-mapper UUID of a multipath map: a type digit and the value, or an NVMe wwid as it stands.
    pub fn from_multipath_wwid(text: &str) -> Result<Self, VolumeIdError> {
        let text = text.trim();
        let refuse = || VolumeIdError(shown(text));
        if text.contains('.')
            && (text.starts_with("uuid.") || text.starts_with("eui.") || text.starts_with("nvme."))
        {
            return Self::from_nvme_wwid(text);
        }
        let (kind, value) = text.split_at_checked(1).ok_or_else(refuse)?;
        match kind {
            "3" => bytes_from_hex(value).and_then(|bytes| Self::naa(&bytes)),
            "2" => bytes_from_hex(value).and_then(|bytes| Self::eui(&bytes)),
            "1" => t10(value.replace('_', " ").as_bytes()),
            "8" => scsi_name(value.as_bytes()),
            _ => None,
        }
        .ok_or_else(refuse)
    }

    /// True when this id alone proves which volume it is. A T10 text, a locally assigned NAA or an MD5 does not:
    /// all of a vendor's disks may share it.
    pub fn is_strong(&self) -> bool {
        match self {
            Self::Naa8(bytes) => bytes[0] >> 4 != 3,
            Self::Naa16(_)
            | Self::Eui8(_)
            | Self::Eui12(_)
            | Self::Eui16(_)
            | Self::Nguid(_)
            | Self::Uuid(_) => true,
            Self::T10(_) | Self::ScsiName(_) | Self::NvmeSerial(_) | Self::Md5(_) => false,
        }
    }
}

/// The order in which one of a device's ids is shown: the strongest and longest first.
pub fn preferred(ids: &[VolumeId]) -> Option<&VolumeId> {
    let rank = |id: &VolumeId| match id {
        VolumeId::Naa16(_) => 0,
        VolumeId::Uuid(_) => 1,
        VolumeId::Nguid(_) => 2,
        VolumeId::Eui16(_) => 3,
        VolumeId::Eui12(_) => 4,
        VolumeId::Eui8(_) => 5,
        VolumeId::Naa8(_) => 6,
        VolumeId::ScsiName(_) => 7,
        VolumeId::T10(_) => 8,
        VolumeId::NvmeSerial(_) => 9,
        VolumeId::Md5(_) => 10,
    };
    ids.iter().min_by_key(|id| (!id.is_strong(), rank(id)))
}

/// True when a device that gave `found` is the volume known by `wanted`: some strong id is in both.
/// Weak ids decide nothing, not even together.
pub fn same_volume(found: &[VolumeId], wanted: &[VolumeId]) -> bool {
    found.iter().any(|id| id.is_strong() && wanted.contains(id))
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naa8(bytes) => write!(f, "naa.{}", hex(bytes)),
            Self::Naa16(bytes) => write!(f, "naa.{}", hex(bytes)),
            Self::Eui8(bytes) => write!(f, "eui.{}", hex(bytes)),
            Self::Eui12(bytes) => write!(f, "eui.{}", hex(bytes)),
            Self::Eui16(bytes) => write!(f, "eui.{}", hex(bytes)),
            Self::Nguid(bytes) => write!(f, "nguid.{}", hex(bytes)),
            Self::Uuid(bytes) => write!(f, "uuid.{}", uuid::Uuid::from_bytes(*bytes).as_hyphenated()),
            Self::T10(text) => write!(f, "t10.{text}"),
            Self::ScsiName(text) => write!(f, "name.{text}"),
            Self::NvmeSerial(text) => write!(f, "nvme.{text}"),
            Self::Md5(bytes) => write!(f, "md5.{}", hex(bytes)),
        }
    }
}

impl FromStr for VolumeId {
    type Err = VolumeIdError;

    /// Reads the canonical text, and what people paste: `0x…`, `wwn-0x…`, `scsi-3…`, `dm-uuid-mpath-…`, digits with colons.
    fn from_str(text: &str) -> Result<Self, VolumeIdError> {
        let text = text.trim();
        parse(text).ok_or_else(|| VolumeIdError(shown(text)))
    }
}

fn parse(text: &str) -> Option<VolumeId> {
    // T10 and SCSI name designators are at most 252 and 256 bytes; nothing longer is an id.
    if text.len() > 600 {
        return None;
    }
    if let Some((kind, value)) = text.split_once('.') {
        match kind.to_ascii_lowercase().as_str() {
            "naa" => return VolumeId::naa(&bytes_from_hex(&bare(value))?),
            "eui" => return VolumeId::eui(&bytes_from_hex(&bare(value))?),
            "nguid" => return bytes_from_hex(&bare(value))?.try_into().ok().map(VolumeId::Nguid),
            "md5" => return bytes_from_hex(&bare(value))?.try_into().ok().map(VolumeId::Md5),
            "uuid" => return uuid::Uuid::try_parse(value).ok().map(|id| VolumeId::Uuid(id.into_bytes())),
            "t10" => return t10(value.as_bytes()),
            "name" => return scsi_name(value.as_bytes()),
            "nvme" => return legible(value).map(VolumeId::NvmeSerial),
            _ => {}
        }
    }
    let lower = text.to_ascii_lowercase();
    if let Some(wwid) = lower.strip_prefix("dm-uuid-mpath-").or_else(|| lower.strip_prefix("mpath-")) {
        return VolumeId::from_multipath_wwid(wwid).ok();
    }
    if let Some(wwid) = lower.strip_prefix("nvme-") {
        return VolumeId::from_nvme_wwid(wwid).ok();
    }
    let digits = ["wwn-0x", "scsi-", "0x"].iter().find_map(|p| lower.strip_prefix(p)).unwrap_or(&lower);
    pasted_digits(&bare(digits))
}

/// Digits without a prefix: an NAA, or the type digit of scsi_id and multipath with an NAA or EUI-64 after it.
fn pasted_digits(digits: &str) -> Option<VolumeId> {
    match (digits.len(), digits.as_bytes()) {
        (33, [b'3', b'6', ..]) | (17, [b'3', b'2' | b'3' | b'5', ..]) => pasted_digits(digits.get(1..)?),
        (17, [b'2', ..]) => VolumeId::eui(&bytes_from_hex(digits.get(1..)?)?),
        (16 | 32, _) => VolumeId::naa(&bytes_from_hex(digits)?),
        _ => None,
    }
}

/// Drops the separators that people and tools put between hex digits.
fn bare(text: &str) -> String {
    let text = text.strip_prefix("0x").unwrap_or(text);
    text.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')).collect()
}

/// T10 vendor id: text padded with blanks; two that differ only in padding are one.
fn t10(bytes: &[u8]) -> Option<VolumeId> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\0', ' ']);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    legible(&words.join(" ")).map(VolumeId::T10)
}

/// SCSI name string: an NAA or EUI one is the same id as the binary form (SPC-5 §7.7.6.11).
fn scsi_name(bytes: &[u8]) -> Option<VolumeId> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches(['\0', ' ']).trim_start();
    let lower = text.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("naa.") {
        return VolumeId::naa(&bytes_from_hex(digits)?);
    }
    if let Some(digits) = lower.strip_prefix("eui.") {
        return VolumeId::eui(&bytes_from_hex(digits)?);
    }
    legible(text).map(VolumeId::ScsiName)
}

/// Text that may be an id: something is there, and it neither breaks a line nor drives a terminal.
fn legible(text: &str) -> Option<String> {
    (!text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Pairs of hex digits to bytes; nothing else is accepted.
pub(crate) fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> VolumeId {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Any id that a device can give.
    pub fn any_id() -> impl Strategy<Value = VolumeId> {
        prop_oneof![
            (prop_oneof![Just(2u8), Just(3), Just(5)], any::<[u8; 8]>()).prop_map(|(naa, mut bytes)| {
                bytes[0] = naa << 4 | bytes[0] & 0xf;
                VolumeId::Naa8(bytes)
            }),
            any::<[u8; 16]>().prop_map(|mut bytes| {
                bytes[0] = 0x60 | bytes[0] & 0xf;
                VolumeId::Naa16(bytes)
            }),
            any::<[u8; 8]>().prop_map(VolumeId::Eui8),
            any::<[u8; 12]>().prop_map(VolumeId::Eui12),
            any::<[u8; 16]>().prop_map(VolumeId::Eui16),
            any::<[u8; 16]>().prop_map(VolumeId::Nguid),
            any::<[u8; 16]>().prop_map(VolumeId::Uuid),
            any::<[u8; 16]>().prop_map(VolumeId::Md5),
            "[A-Z]{1,8} [A-Z0-9]{1,16}".prop_map(VolumeId::T10),
            "iqn\\.[a-z0-9]{1,20},L,0x[0-9a-f]{1,16}".prop_map(VolumeId::ScsiName),
            "[0-9a-f]{4}-[0-9a-f]{4,20}-[0-9a-f]{4,20}-[0-9a-f]{8}".prop_map(VolumeId::NvmeSerial),
        ]
    }

    #[test]
    fn one_volume_pasted_in_many_spellings_is_one() {
        let wanted = id("naa.60014053fef180bf1000000000000000");
        for spelling in [
            "60014053FEF180BF1000000000000000",
            "0x60014053fef180bf1000000000000000",
            "wwn-0x60014053fef180bf1000000000000000",
            "scsi-360014053fef180bf1000000000000000",
            "360014053fef180bf1000000000000000",
            "mpath-360014053fef180bf1000000000000000",
            "dm-uuid-mpath-360014053fef180bf1000000000000000",
            " 60:01:40:53:fe:f1:80:bf:10:00:00:00:00:00:00:00 ",
        ] {
            assert_eq!(id(spelling), wanted, "{spelling}");
        }
        assert_eq!(id("3500a09818d123456"), id("naa.500a09818d123456"));
        assert_eq!(id("2001b4d2300000001"), id("eui.001b4d2300000001"));
    }

    #[test]
    fn sixteen_digits_that_begin_with_three_are_a_local_naa_and_no_prefix() {
        assert_eq!(id("33333330000007d0"), VolumeId::Naa8([0x33, 0x33, 0x33, 0x30, 0, 0, 0x07, 0xd0]));
    }

    #[test]
    fn an_nguid_is_not_the_eui_that_has_the_same_digits() {
        let text = "eui.00112233445566778899aabbccddeeff";
        assert_eq!(
            VolumeId::from_nvme_wwid(text).unwrap().to_string(),
            "nguid.00112233445566778899aabbccddeeff"
        );
        assert_ne!(VolumeId::from_nvme_wwid(text).unwrap(), id(text));
    }

    #[test]
    fn a_weak_id_in_common_is_no_match() {
        let t10 = id("t10.Linux scsi_debug 2000");
        let local = id("naa.33333330000007d0");
        assert!(!same_volume(&[t10.clone(), local.clone()], &[t10, local]));
        let strong = id("naa.60014053fef180bf1000000000000000");
        assert!(same_volume(&[id("md5.00112233445566778899aabbccddeeff"), strong.clone()], &[strong]));
    }

    #[test]
    fn an_naa_whose_format_and_length_differ_is_refused() {
        for bad in [
            "naa.6001405",
            "naa.60014053fef180bf",
            "naa.50014053fef180bf1000000000000000",
            "naa.10014053fef180bf",
        ] {
            assert!(bad.parse::<VolumeId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn multipath_wwids_of_every_type_are_read() {
        let read = |text: &str| VolumeId::from_multipath_wwid(text).unwrap().to_string();
        assert_eq!(read("360014053fef180bf1000000000000000"), "naa.60014053fef180bf1000000000000000");
        assert_eq!(read("2001b4d2300000001"), "eui.001b4d2300000001");
        assert_eq!(read("1ATA_QEMU_HARDDISK_QM00001"), "t10.ATA QEMU HARDDISK QM00001");
        assert_eq!(read("eui.00112233445566778899aabbccddeeff"), "nguid.00112233445566778899aabbccddeeff");
        assert!(VolumeId::from_multipath_wwid("SQEMU_disk_1").is_err());
    }

    proptest! {
        #[test]
        fn every_id_reads_back_from_its_text(id in any_id()) {
            prop_assert_eq!(id.to_string().parse::<VolumeId>(), Ok(id));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,80}") {
            let _ = text.parse::<VolumeId>();
            let _ = VolumeId::from_multipath_wwid(&text);
            let _ = VolumeId::from_nvme_wwid(&text);
            let _ = VolumeId::from_lsm_vpd83(&text);
        }
    }
}
