//! Keys to which operators seal passwords: each for one password, and for a short time.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sanfleet_protocol::{
    Password,
    seal::{Purpose, SealError, SealingKey, SystemRandom},
    sign::CommandKey,
    v1::{self, api_error::Kind},
};

use super::{Api, Failure};

/// How long a key waits for its password: as long as a person may need to type it.
const LIFETIME: Duration = Duration::from_secs(300);
/// Keys that wait at one time. The oldest goes when there are more.
const KEYS: usize = 256;

/// The keys that wait, and what signs them.
#[derive(Debug)]
pub struct Sealing {
    signer: CommandKey,
    waiting: Mutex<VecDeque<(Instant, SealingKey)>>,
}

impl Sealing {
    pub fn new(signer: CommandKey) -> Self {
        Self { signer, waiting: Mutex::default() }
    }

    fn offer(&self, now: Instant) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        let key = SealingKey::new(&SystemRandom::new())?;
        let public = key.public().to_vec();
        let signature = self.signer.sign_sealing_key(&public);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(made, _)| now.saturating_duration_since(*made) < LIFETIME);
        if waiting.len() == KEYS {
            waiting.pop_front();
        }
        waiting.push_back((now, key));
        Ok((public, signature))
    }

    /// The password, if its key still waits: it does not after this.
    fn open(
        &self,
        sealed: &v1::SealedPassword,
        purpose: Purpose<'_>,
        now: Instant,
    ) -> Option<Result<Password, SealError>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(_, key)| key.public() == sealed.sealing_key)?;
        let (made, key) = waiting.remove(at)?;
        drop(waiting);
        (now.saturating_duration_since(made) < LIFETIME).then(|| key.open(sealed, purpose))
    }
}

impl Api {
    pub(super) async fn sealing_key(self, _: v1::SealingKeyRequest) -> Result<v1::SealingKeyReply, Failure> {
        let offered = self.sealing.offer(Instant::now());
        let (key, signature) = offered.map_err(|error| Failure::new(Kind::Internal, error, ""))?;
        Ok(v1::SealingKeyReply { key, signature, controller: self.name })
    }

    pub(super) fn unseal(
        &self,
        sealed: &v1::SealedPassword,
        purpose: Purpose<'_>,
    ) -> Result<Password, Failure> {
        match self.sealing.open(sealed, purpose, Instant::now()) {
            Some(Ok(password)) => Ok(password),
            Some(Err(error)) => Err(Failure::new(
                Kind::Invalid,
                error,
                "was the request changed on its way? give the password again",
            )),
            None => Err(Failure::new(
                Kind::Conflict,
                "the key to which the password was sealed is not here, or no longer",
                "give the password again; of several controllers another one may have answered",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_protocol::seal::seal;

    use super::*;

    const PURPOSE: Purpose<'_> = Purpose::ReplacePassword { name: "f1" };

    fn sealing() -> Sealing {
        Sealing::new(CommandKey::from_bytes(&[7; 32]))
    }

    fn sealed(sealing: &Sealing, now: Instant) -> v1::SealedPassword {
        let (key, signature) = sealing.offer(now).unwrap();
        assert_eq!(sealing.signer.public().verify_sealing_key(&key, &signature), Ok(()));
        let password = Password::new("hunter2").unwrap();
        seal(&password, &key, PURPOSE, &SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_password_is_opened_once() {
        let (sealing, now) = (sealing(), Instant::now());
        let sealed = sealed(&sealing, now);
        assert_eq!(sealing.open(&sealed, PURPOSE, now).unwrap().unwrap().expose(), "hunter2");
        assert!(sealing.open(&sealed, PURPOSE, now).is_none());
    }

    #[test]
    fn a_key_that_waited_for_too_long_opens_nothing() {
        let (sealing, now) = (sealing(), Instant::now());
        let sealed = sealed(&sealing, now);
        assert!(sealing.open(&sealed, PURPOSE, now + LIFETIME).is_none());
    }

    #[test]
    fn however_many_ask_for_keys_only_so_many_wait() {
        let (sealing, now) = (sealing(), Instant::now());
        let first = sealed(&sealing, now);
        (0..KEYS).for_each(|_| drop(sealing.offer(now).unwrap()));
        assert_eq!(sealing.waiting.lock().unwrap().len(), KEYS);
        assert!(sealing.open(&first, PURPOSE, now).is_none());
    }
}
