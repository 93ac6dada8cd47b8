//! VPD page 0x83, the device identification page (SPC-5 §7.7.6).
//!
//! A header of 4 bytes (qualifier and type, 0x83, big-endian length), then designators: code set, type and association,
//! length, value. Only designators of the logical unit (association 0) identify a volume; the others name ports.

use super::{VolumeId, scsi_name, t10};

const PAGE_CODE: u8 = 0x83;
const HEADER: usize = 4;
const ASSOCIATION_MASK: u8 = 0x30;
/// SCSI INQUIRY can return no more than this.
const MAX_PAGE: usize = u16::MAX as usize + HEADER;

const T10_VENDOR: u8 = 1;
const EUI64: u8 = 2;
const NAA: u8 = 3;
const MD5: u8 = 7;
const SCSI_NAME: u8 = 8;
const UUID: u8 = 0xa;

/// Why bytes are no device identification page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("page has {0} bytes, less than its header of 4")]
    Short(usize),
    #[error("page code is {0:#04x}, not 0x83")]
    Code(u8),
}

/// The ids of the logical unit that a page holds, in its order, each once.
/// A designator that runs past the end ends the page; one that is malformed is passed over.
pub fn designators(page: &[u8]) -> Result<Vec<VolumeId>, PageError> {
    let [_, code, high, low, body @ ..] = page else {
        return Err(PageError::Short(page.len()));
    };
    if *code != PAGE_CODE {
        return Err(PageError::Code(*code));
    }
    // Some sysfs files are longer than the page they hold: the page's own length counts, as far as there are bytes.
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let mut rest = body.get(..length).unwrap_or(body);

    let mut ids = Vec::new();
    while let [_code_set, kind, _reserved, size, tail @ ..] = rest {
        let Some((value, after)) = tail.split_at_checked(usize::from(*size)) else { break };
        rest = after;
        if kind & ASSOCIATION_MASK != 0 {
            continue;
        }
        if let Some(id) = designator(kind & 0xf, value)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn designator(kind: u8, value: &[u8]) -> Option<VolumeId> {
    match kind {
        T10_VENDOR => t10(value),
        EUI64 => VolumeId::eui(value),
        NAA => VolumeId::naa(value),
        MD5 => value.try_into().ok().map(VolumeId::Md5),
        SCSI_NAME => scsi_name(value),
        // SPC-5 table 507: 0x1n, a reserved byte, the UUID.
        UUID => match value {
            [0x10, _, uuid @ ..] => uuid.try_into().ok().map(VolumeId::Uuid),
            _ => None,
        },
        _ => None,
    }
}

/// The page that a device with these ids would return; ids that SCSI has no designator for are left out.
pub fn page(ids: &[VolumeId]) -> Vec<u8> {
    let mut body = Vec::new();
    for id in ids {
        let Some((code_set, kind, value)) = encode(id) else { continue };
        let Ok(size) = u8::try_from(value.len()) else { continue };
        if HEADER + body.len() + HEADER + value.len() > MAX_PAGE {
            break;
        }
        body.extend([code_set, kind, 0, size]);
        body.extend(value);
    }
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0, PAGE_CODE, length[0], length[1]], body.as_slice()].concat()
}

fn encode(id: &VolumeId) -> Option<(u8, u8, Vec<u8>)> {
    const BINARY: u8 = 1;
    const ASCII: u8 = 2;
    const UTF8: u8 = 3;
    Some(match id {
        VolumeId::Naa8(bytes) => (BINARY, NAA, bytes.to_vec()),
        VolumeId::Naa16(bytes) => (BINARY, NAA, bytes.to_vec()),
        VolumeId::Eui8(bytes) => (BINARY, EUI64, bytes.to_vec()),
        VolumeId::Eui12(bytes) => (BINARY, EUI64, bytes.to_vec()),
        VolumeId::Eui16(bytes) => (BINARY, EUI64, bytes.to_vec()),
        VolumeId::Uuid(bytes) => (BINARY, UUID, [&[0x10, 0], bytes.as_slice()].concat()),
        VolumeId::T10(text) => (ASCII, T10_VENDOR, text.clone().into_bytes()),
        VolumeId::ScsiName(text) => (UTF8, SCSI_NAME, text.clone().into_bytes()),
        VolumeId::Md5(bytes) => (BINARY, MD5, bytes.to_vec()),
        VolumeId::Nguid(_) | VolumeId::NvmeSerial(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::volume_id::{bytes_from_hex, tests::any_id};

    fn ids_of(hex: &str) -> Vec<String> {
        let bytes = bytes_from_hex(&hex.replace([' ', '\n'], "")).unwrap();
        designators(&bytes).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_page_of_a_linux_scsi_debug_disk_gives_its_own_ids_and_not_those_of_its_ports() {
        let page = "0083 0070 0201 001c 4c69 6e75 7820 2020 7363 7369 5f64 6562 7567 2020 2020 2020
                    3230 3030 0103 0008 3333 3330 0000 07d0 6194 0004 0000 0001 6193 0008 3222 2220
                    0000 07ce 6195 0004 0000 0100 61a3 0008 3222 2220 0000 07cd 63a8 0018 6e61 612e
                    3332 3232 3232 3230 3030 3030 3037 4344 0000 0000";
        assert_eq!(ids_of(page), ["t10.Linux scsi_debug 2000", "naa.33333330000007d0"]);
    }

    #[test]
    fn the_page_of_a_lio_target_gives_its_naa_and_t10_ids() {
        let page = "008300d1 01030010 60014053fef180bf1000000000000000 0201003d
                    4c494f2d4f5247 20 76672d74617267657464 3a7631 3a334c5a766d4f2d4c6d74662d786845752d663177732d3873307a2d7a7362662d31766b6c544c 00
                    51940004 00000001 51950004 00000000 01060004 00000000";
        assert_eq!(
            ids_of(page),
            [
                "naa.60014053fef180bf1000000000000000",
                "t10.LIO-ORG vg-targetd:v1:3LZvmO-Lmtf-xhEu-f1ws-8s0z-zsbf-1vklTL",
            ]
        );
    }

    #[test]
    fn a_uuid_designator_is_found_though_linux_leaves_it_out_of_the_wwid() {
        assert_eq!(
            ids_of("00830016 010a0012 1000 fcc7601cd37447ef9b737b13a309d936"),
            ["uuid.fcc7601c-d374-47ef-9b73-7b13a309d936"]
        );
    }

    #[test]
    fn a_name_string_and_a_binary_designator_of_one_id_are_one() {
        let name = "naa.60014053FEF180BF1000000000000000\0\0\0\0";
        let mut page = vec![0, 0x83, 0, 64];
        page.extend([1, 3, 0, 16]);
        page.extend(bytes_from_hex("60014053fef180bf1000000000000000").unwrap());
        page.extend([3, 8, 0, 40]);
        page.extend(name.as_bytes());
        assert_eq!(designators(&page).unwrap().len(), 1);
    }

    #[test]
    fn a_page_that_lies_about_its_lengths_gives_what_is_whole() {
        assert_eq!(designators(&[]), Err(PageError::Short(0)));
        assert_eq!(designators(&[0, 0x80, 0, 0]), Err(PageError::Code(0x80)));
        assert_eq!(designators(&[0, 0x83, 0xff, 0xff]), Ok(vec![]));
        assert_eq!(designators(&[0, 0x83, 0, 8, 1, 3, 0, 200, 0x50, 0, 0, 0]), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = designators(&bytes);
            let _ = designators(&[&[0, 0x83, 2, 0], bytes.as_slice()].concat());
        }

        #[test]
        fn a_page_built_from_ids_gives_them_back(ids in proptest::collection::vec(any_id(), 0..8)) {
            let mut carried: Vec<_> = ids.iter().filter(|id| encode(id).is_some()).cloned().collect();
            let mut seen = Vec::new();
            carried.retain(|id| { let new = !seen.contains(id); seen.push(id.clone()); new });
            prop_assert_eq!(designators(&page(&ids)).unwrap(), carried);
        }
    }
}
