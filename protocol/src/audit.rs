//! The audit's chain: each record holds the hash of the one before it and the controller's signature. Pure.
//!
//! Whoever keeps the chain can cut its end off, and nothing else: a record that was changed, left out, put in or moved breaks it.
//! Who has noted a record's number and hash elsewhere can tell that the chain still leads through it.

use std::{fmt, str::FromStr};

use prost::Message;
use ring::digest;

use crate::{VERSION, limits, sign::CommandKey, sign::PublicKey, v1};

/// SHA-256 of a record's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHash([u8; 32]);

impl RecordHash {
    fn of(record: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, record).as_ref());
        Self(bytes)
    }
}

/// A record of the chain, known by its number and its hash: `17:9f86d0…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub number: u64,
    pub hash: RecordHash,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.number)?;
        self.hash.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record is noted as its number, a colon, and 64 hex digits")]
pub struct LinkError;

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (number, hash) = text.split_once(':').ok_or(LinkError)?;
        let hash = crate::volume_id::bytes_from_hex(hash).ok_or(LinkError)?;
        let hash = RecordHash(hash.try_into().map_err(|_| LinkError)?);
        Ok(Self { number: number.parse().map_err(|_| LinkError)?, hash })
    }
}

/// Why a record is not the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("it is no record of the audit")]
    Malformed,
    #[error("it has number {found}, and {wanted} would be next")]
    Number { wanted: u64, found: u64 },
    #[error("it does not follow the record before it: one of them was changed")]
    Hash,
    #[error("the controller did not sign it")]
    Signature,
}

/// Makes the record that comes after `last`, which is none at the beginning.
pub fn next(last: Option<Link>, record: v1::AuditRecord, key: &CommandKey) -> (v1::SignedAuditRecord, Link) {
    let number = last.map_or(0, |last| last.number).saturating_add(1);
    let previous = last.map(|last| last.hash.0.to_vec()).unwrap_or_default();
    let record = v1::AuditRecord { version: VERSION, number, previous, ..record }.encode_to_vec();
    let (signature, hash) = (key.sign_audit(&record), RecordHash::of(&record));
    (v1::SignedAuditRecord { record, signature }, Link { number, hash })
}

/// Reads a record that has to come after `last`, signed with one of these keys: a controller may have had several. Without any the
/// signature is not looked at.
pub fn follow(
    last: Option<Link>,
    bytes: &[u8],
    keys: &[PublicKey],
) -> Result<(v1::AuditRecord, Link), Broken> {
    let (record, link, signature) = open(bytes)?;
    let wanted = last.map_or(0, |last| last.number).saturating_add(1);
    if record.number != wanted {
        return Err(Broken::Number { wanted, found: record.number });
    }
    if record.previous != last.map(|last| last.hash.0.to_vec()).unwrap_or_default() {
        return Err(Broken::Hash);
    }
    let by = |key: &PublicKey| key.verify_audit(&signature.record, &signature.signature).is_ok();
    if !keys.is_empty() && !keys.iter().any(by) {
        return Err(Broken::Signature);
    }
    Ok((record, link))
}

/// Where a record stands that is believed, for it is the last one that was stored.
pub fn link_of(bytes: &[u8]) -> Result<Link, Broken> {
    open(bytes).map(|(_, link, _)| link)
}

fn open(bytes: &[u8]) -> Result<(v1::AuditRecord, Link, v1::SignedAuditRecord), Broken> {
    if bytes.len() > limits::AUDIT_BYTES {
        return Err(Broken::Malformed);
    }
    let signed = v1::SignedAuditRecord::decode(bytes).map_err(|_| Broken::Malformed)?;
    let record = v1::AuditRecord::decode(signed.record.as_slice()).map_err(|_| Broken::Malformed)?;
    let link = Link { number: record.number, hash: RecordHash::of(&signed.record) };
    Ok((record, link, signed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> CommandKey {
        CommandKey::from_bytes(&[7; 32])
    }

    fn chain(length: usize) -> Vec<Vec<u8>> {
        let mut last = None;
        let record = |n: usize| v1::AuditRecord { controller: format!("c{n}"), ..Default::default() };
        (0..length)
            .map(|n| {
                let (signed, link) = next(last, record(n), &key());
                last = Some(link);
                signed.encode_to_vec()
            })
            .collect()
    }

    fn verify(chain: &[Vec<u8>]) -> Result<Option<Link>, Broken> {
        let public = key().public();
        chain
            .iter()
            .try_fold(None, |last, bytes| Ok(Some(follow(last, bytes, std::slice::from_ref(&public))?.1)))
    }

    #[test]
    fn a_whole_chain_is_followed_and_its_last_record_can_be_noted() {
        let last = verify(&chain(4)).unwrap().unwrap();
        assert_eq!((last.number, last.to_string().parse()), (4, Ok(last)));
        assert_eq!(link_of(&chain(4)[3]), Ok(last));
        assert!("4:ab".parse::<Link>().is_err() && "x:".parse::<Link>().is_err());
    }

    #[test]
    fn another_key_does_not_do() {
        let other = CommandKey::from_bytes(&[8; 32]).public();
        assert_eq!(follow(None, &chain(1)[0], std::slice::from_ref(&other)), Err(Broken::Signature));
        assert!(follow(None, &chain(1)[0], &[other, key().public()]).is_ok());
        assert!(follow(None, &chain(1)[0], &[]).is_ok());
    }

    proptest! {
        #[test]
        fn what_was_left_out_put_in_or_moved_breaks_it(length in 2usize..8, at: prop::sample::Index, to: prop::sample::Index) {
            let whole = chain(length);
            let (at, to) = (at.index(length), to.index(length));
            let mut shorter = whole.clone();
            shorter.remove(at);
            prop_assert_eq!(verify(&shorter).is_ok(), at == length - 1, "only the end can be cut off");
            let mut longer = whole.clone();
            longer.insert(to, whole[at].clone());
            prop_assert!(verify(&longer).is_err());
            let mut moved = whole.clone();
            moved.swap(at, to);
            prop_assert_eq!(verify(&moved).is_ok(), at == to);
        }

        #[test]
        fn what_was_changed_breaks_it(at: prop::sample::Index, place: prop::sample::Index, by in 1u8..) {
            let mut chain = chain(5);
            let bytes = &mut chain[at.index(5)];
            let place = place.index(bytes.len());
            bytes[place] ^= by;
            // The length of a field may be written in more than one way; then it is the same record.
            prop_assert!(verify(&chain).is_err() || chain == self::chain(5));
        }

        #[test]
        fn foreign_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(follow(None, &bytes, &[key().public()]).is_err());
        }
    }
}
