//! A password on the bus, legible to one controller and nobody else.
//!
//! The controller makes an X25519 key for one password and shows the public half, signed with the key that agents pin. The
//! sender makes one too; HKDF-SHA256 over what both agree on (RFC 7748, RFC 5869) gives the key of one ChaCha20-Poly1305 box
//! (RFC 8439). What the password is for is bound into the box, so that nobody can send it elsewhere. Every box has the same
//! length, whatever it holds.
//!
//! Randomness is an argument: nothing here asks the system for anything.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    hkdf::{HKDF_SHA256, Salt},
};
use zeroize::Zeroizing;

use crate::{
    password::{PASSWORD_BYTES, Password},
    v1,
};

pub use ring::rand::{SecureRandom, SystemRandom};

/// Two bytes of length, the password, and zeros.
const FRAME_BYTES: usize = PASSWORD_BYTES + 2;

/// What a sealed password is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// An array that is to be added under this name, at this URI and no other.
    AddArray { name: &'a str, uri: &'a str },
    /// An array that is known under this name.
    ReplacePassword { name: &'a str },
    /// A webhook that is to be added under this name, at this URL and no other.
    AddWebhook { name: &'a str, url: &'a str },
}

/// Why a password could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the system gives no random numbers")]
    Random,
    #[error("that is no key to seal to")]
    Key,
    /// Another key, another purpose, or a changed byte: which of them cannot be told.
    #[error("the sealed password cannot be opened")]
    Unopened,
}

/// The reader's half: opens one password, once.
#[derive(Debug)]
pub struct SealingKey {
    secret: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl SealingKey {
    pub fn new(random: &dyn SecureRandom) -> Result<Self, SealError> {
        let secret = EphemeralPrivateKey::generate(&X25519, random).map_err(|_| SealError::Random)?;
        let public = secret.compute_public_key().map_err(|_| SealError::Random)?.as_ref().to_vec();
        Ok(Self { secret, public })
    }

    pub fn public(&self) -> &[u8] {
        &self.public
    }

    pub fn open(self, sealed: &v1::SealedPassword, purpose: Purpose<'_>) -> Result<Password, SealError> {
        let key = box_key(self.secret, &sealed.sender_key, &self.public, &sealed.sender_key)?;
        let mut frame = Zeroizing::new(sealed.password.clone());
        let frame = key
            .open_in_place(zero(), Aad::from(purpose.bytes()), &mut frame)
            .map_err(|_| SealError::Unopened)?;
        unframe(frame).ok_or(SealError::Unopened)
    }
}

/// Seals a password to a [`SealingKey`]'s public half.
pub fn seal(
    password: &Password,
    to: &[u8],
    purpose: Purpose<'_>,
    random: &dyn SecureRandom,
) -> Result<v1::SealedPassword, SealError> {
    let SealingKey { secret, public } = SealingKey::new(random)?;
    let key = box_key(secret, to, to, &public)?;
    // With room for the tag: a box that grew would leave its first bytes behind in freed memory.
    let mut frame = Zeroizing::new(Vec::with_capacity(FRAME_BYTES + CHACHA20_POLY1305.tag_len()));
    let length = u16::try_from(password.expose().len()).map_err(|_| SealError::Key)?;
    frame.extend(length.to_be_bytes());
    frame.extend(password.expose().bytes());
    frame.resize(FRAME_BYTES, 0);
    key.seal_in_place_append_tag(zero(), Aad::from(purpose.bytes()), &mut *frame)
        .map_err(|_| SealError::Key)?;
    Ok(v1::SealedPassword { sealing_key: to.to_vec(), sender_key: public, password: frame.to_vec() })
}

impl Purpose<'_> {
    /// Names and URIs hold no control characters, so no two purposes have the same bytes.
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::AddArray { name, uri } => format!("add\0{name}\0{uri}"),
            Self::ReplacePassword { name } => format!("replace\0{name}"),
            Self::AddWebhook { name, url } => format!("webhook\0{name}\0{url}"),
        }
        .into_bytes()
    }
}

/// The key of the box between two parties. Both public keys go into it, so that it belongs to this one exchange.
fn box_key(
    secret: EphemeralPrivateKey,
    peer: &[u8],
    reader: &[u8],
    sender: &[u8],
) -> Result<LessSafeKey, SealError> {
    let peer = UnparsedPublicKey::new(&X25519, peer);
    let agreed = agree_ephemeral(secret, &peer, |shared| {
        let info = [b"sanfleet sealed password".as_slice(), reader, sender];
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(shared);
        extracted.expand(&info, &CHACHA20_POLY1305).map(|key| LessSafeKey::new(UnboundKey::from(key)))
    });
    agreed.map_err(|_| SealError::Key)?.map_err(|_| SealError::Key)
}

/// A key seals one box, so its nonce never comes twice.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn unframe(frame: &[u8]) -> Option<Password> {
    let (length, rest) = frame.split_first_chunk::<2>()?;
    let text = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    Password::new(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADD: Purpose<'_> = Purpose::AddArray { name: "f1", uri: "ontap://root@filer/" };

    fn sealed(text: &str) -> (SealingKey, v1::SealedPassword) {
        let random = SystemRandom::new();
        let key = SealingKey::new(&random).unwrap();
        let sealed = seal(&Password::new(text).unwrap(), key.public(), ADD, &random).unwrap();
        (key, sealed)
    }

    #[test]
    fn a_password_opens_for_its_reader_and_its_purpose() {
        let (key, sealed) = sealed("hunter2");
        assert_eq!(key.open(&sealed, ADD).unwrap().expose(), "hunter2");
    }

    #[test]
    fn a_password_cannot_be_sent_to_another_address_or_name() {
        for purpose in [
            Purpose::AddArray { name: "f1", uri: "ontap://root@elsewhere/" },
            Purpose::AddArray { name: "f2", uri: "ontap://root@filer/" },
            Purpose::ReplacePassword { name: "f1" },
            Purpose::AddWebhook { name: "f1", url: "ontap://root@filer/" },
        ] {
            let (key, sealed) = sealed("hunter2");
            assert_eq!(key.open(&sealed, purpose), Err(SealError::Unopened), "{purpose:?}");
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        let (_, sealed) = sealed("hunter2");
        let other = SealingKey::new(&SystemRandom::new()).unwrap();
        assert_eq!(other.open(&sealed, ADD), Err(SealError::Unopened));
    }

    #[test]
    fn how_long_a_password_is_cannot_be_seen() {
        let lengths =
            ["x", "a longer one", &"y".repeat(PASSWORD_BYTES)].map(|text| sealed(text).1.password.len());
        assert_eq!(lengths, [FRAME_BYTES + 16; 3]);
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let password = Password::new("x").unwrap();
        // All zeros is a point of low order: everybody would agree on the same secret.
        for key in [[0u8; 32].as_slice(), b"short"] {
            assert_eq!(seal(&password, key, ADD, &SystemRandom::new()), Err(SealError::Key));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_password_comes_through(text in "[^\\p{Cc}]{1,200}") {
            let (key, sealed) = sealed(&text);
            let opened = key.open(&sealed, ADD).unwrap();
            prop_assert_eq!(opened.expose(), text);
        }

        #[test]
        fn no_changed_byte_goes_unnoticed(at in 0usize..FRAME_BYTES + 16, by in 1u8..=255) {
            let (key, mut sealed) = sealed("hunter2");
            sealed.password[at] ^= by;
            prop_assert_eq!(key.open(&sealed, ADD), Err(SealError::Unopened));
        }

        #[test]
        fn random_bytes_open_as_nothing(sender in proptest::collection::vec(any::<u8>(), 0..40),
                                        password in proptest::collection::vec(any::<u8>(), 0..80)) {
            let key = SealingKey::new(&SystemRandom::new()).unwrap();
            let sealed = v1::SealedPassword { sealing_key: vec![], sender_key: sender, password };
            prop_assert!(key.open(&sealed, ADD).is_err());
        }
    }
}
