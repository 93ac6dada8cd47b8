//! How the number of a unit is written where the kernel wants it.
//!
//! The kernel takes the eight bytes of a SCSI unit as one number: four pairs, each of its high byte first, the first pair
//! lowest. Past 255 an array may use another form than the plain one (SAM-5 §4.7), and then the kernel's number is not the
//! array's.

use sanfleet_protocol::Lun;

const PLAIN_END: u32 = 1 << 8;
const FLAT_END: u32 = 1 << 14;
/// The first byte of a flat number: its upper two bits.
const FLAT: u64 = 0x4000;
/// The first byte of an extended flat number with three bytes after it.
const EXTENDED: u64 = 0xd200;

/// The kernel's numbers for a unit, in the order in which they are tried. A target shows a unit under one of them.
pub fn forms(lun: Lun) -> Vec<u64> {
    let number = lun.number();
    let plain = u64::from(number);
    match number {
        ..PLAIN_END => vec![plain],
        // By the letter, a plain number of this size is a unit on one of several buses; many targets take it nevertheless.
        PLAIN_END..FLAT_END => vec![FLAT | plain, plain],
        FLAT_END.. => vec![EXTENDED | (plain >> 16) | ((plain & 0xffff) << 16)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eight bytes that the kernel makes of its number (`int_to_scsilun`).
    fn bytes(number: u64) -> [u8; 8] {
        let pair = |place: u32| u16::try_from((number >> (16 * place)) & 0xffff).unwrap().to_be_bytes();
        [pair(0), pair(1), pair(2), pair(3)].concat().try_into().unwrap()
    }

    fn sent(lun: u64) -> Vec<[u8; 8]> {
        forms(Lun::new(lun).unwrap()).into_iter().map(bytes).collect()
    }

    #[test]
    fn a_small_number_is_sent_as_it_is() {
        assert_eq!(sent(0), [[0; 8]]);
        assert_eq!(sent(255), [[0, 255, 0, 0, 0, 0, 0, 0]]);
    }

    #[test]
    fn a_number_past_a_byte_is_sent_flat_first_and_plain_then() {
        assert_eq!(sent(256), [[0x41, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(sent(16_383), [[0x7f, 0xff, 0, 0, 0, 0, 0, 0], [0x3f, 0xff, 0, 0, 0, 0, 0, 0]]);
    }

    #[test]
    fn a_number_past_fourteen_bits_is_sent_in_three_bytes() {
        assert_eq!(sent(16_384), [[0xd2, 0, 0x40, 0, 0, 0, 0, 0]]);
        assert_eq!(sent(0x12_3456), [[0xd2, 0x12, 0x34, 0x56, 0, 0, 0, 0]]);
    }
}
