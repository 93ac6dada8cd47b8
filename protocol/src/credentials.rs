//! A NATS credentials file, as far as one has to know oneself: by whose inbox answers come.
//!
//! Each user has an inbox of its own and may listen to no other, so nobody reads what another was answered.

use nkeys::{KeyPair, KeyPairType};

/// The prefix of the inboxes of the user whose credentials these are; none where the text holds no user's seed.
pub fn inbox_prefix(credentials: &str) -> Option<String> {
    let seed = credentials.lines().map(str::trim).find(|line| line.starts_with("SU"))?;
    let user = KeyPair::from_seed(seed).ok().filter(|key| key.key_pair_type() == KeyPairType::User)?;
    Some(inbox_of(&user.public_key()))
}

/// The prefix of the inboxes of the user with this public key.
pub fn inbox_of(user: &str) -> String {
    format!("_INBOX_{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inbox_is_that_of_the_user_whose_seed_is_there() {
        let user = KeyPair::new_user();
        let text = format!("-----BEGIN USER NKEY SEED-----\n{}\n------END", user.seed().unwrap());
        assert_eq!(inbox_prefix(&text), Some(format!("_INBOX_{}", user.public_key())));
    }

    #[test]
    fn what_holds_no_users_seed_gives_none() {
        let account = KeyPair::new_account().seed().unwrap();
        for text in ["", "SUNOSEED", &account, "-----BEGIN NATS USER JWT-----"] {
            assert_eq!(inbox_prefix(text), None, "{text}");
        }
    }
}
