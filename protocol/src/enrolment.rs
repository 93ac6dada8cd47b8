//! How a host becomes a user of the bus: an invitation that is good once and for minutes, the host's own key, the operator's consent.
//!
//! The host makes its key itself, and the half that proves who it is never leaves it. The invitation lets its holder say one thing to one
//! listener, and nothing else: who steals it can ask, and is seen.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{HostId, by_text, delegation::OperatorPublicKey};

/// No invitation is good for longer.
pub const INVITED_FOR_AT_MOST: Duration = Duration::from_secs(15 * 60);

/// What a host is handed, in a file. It holds all that an agent has to be told.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    #[serde(with = "by_text")]
    pub host: HostId,
    pub servers: Vec<String>,
    /// The certificates that servers are trusted by, as PEM.
    pub authority: String,
    /// The key that the agent pins.
    #[serde(with = "by_text")]
    pub operator_key: OperatorPublicKey,
    /// Of a user who may ask to be let in.
    pub credentials: String,
}

/// Not what makes the holder somebody.
impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("host", &self.host)
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

/// True of the public key of a NATS user: `U` and 55 characters of base 32.
pub fn is_user_key(text: &str) -> bool {
    let base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    text.len() == 56 && text.starts_with('U') && text.bytes().all(base32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_key_is_told_from_other_keys_and_from_subjects() {
        assert!(is_user_key(&format!("U{}", "A".repeat(55))));
        for other in
            [format!("A{}", "A".repeat(55)), "U.>".to_owned(), format!("U{}", "1".repeat(55)), String::new()]
        {
            assert!(!is_user_key(&other), "{other}");
        }
    }

    #[test]
    fn what_lets_in_is_not_shown() {
        let invitation = Invitation {
            host: "db1".parse().unwrap(),
            servers: vec!["nats://bus:4222".to_owned()],
            authority: "pem".to_owned(),
            operator_key: crate::delegation::OperatorKey::from_bytes(&[1; 32]).public(),
            credentials: "SUSECRET".to_owned(),
        };
        assert!(!format!("{invitation:?}").contains("SUSECRET"));
        let again: Invitation = serde_json::from_str(&serde_json::to_string(&invitation).unwrap()).unwrap();
        assert_eq!((again.host, again.credentials), (invitation.host, invitation.credentials));
    }
}
