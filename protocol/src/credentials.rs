//! A NATS credentials file, as far as one has to know oneself: under which name one asks, and by whose inbox answers come.
//!
//! Each user has an inbox of its own and may listen to no other, so nobody reads what another was answered; and may ask under no
//! other name. Nothing is believed because it is in such a file: the server decides by the signature.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::BusUser;

/// Who a credentials file makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: BusUser,
    /// Its public key.
    pub key: String,
    /// The prefix of its inboxes.
    pub inbox: String,
}

#[derive(Deserialize)]
struct Claims {
    name: String,
    sub: String,
}

/// The user whose credentials these are; none where the text holds no user's token.
pub fn identity(credentials: &str) -> Option<Identity> {
    let token = credentials.lines().map(str::trim).find(|line| line.starts_with("ey"))?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { name, sub } = serde_json::from_slice(&claims).ok()?;
    let is_user = sub.starts_with('U') && sub.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_user.then_some(())?;
    Some(Identity { name: name.parse().ok()?, inbox: inbox_of(&sub), key: sub })
}

/// The file: who somebody is, as the operator has signed it, and the seed by which that is proven.
pub fn file(token: &str, seed: &str) -> String {
    let line = |word: &str, what: &str| format!("{word}{what}{word}\n");
    let (begin, end) = ("-----", "------");
    [
        line(begin, "BEGIN NATS USER JWT"),
        format!("{token}\n"),
        line(end, "END NATS USER JWT"),
        "\nWhoever has the following line is this user.\n".to_owned(),
        line(begin, "BEGIN USER NKEY SEED"),
        format!("{seed}\n"),
        line(end, "END USER NKEY SEED"),
    ]
    .concat()
}

/// The prefix of the inboxes of the user with this public key.
pub fn inbox_of(user: &str) -> String {
    format!("_INBOX_{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_claims(claims: &str) -> String {
        let token = format!("eyJ0.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        file(&token, "SUSEED")
    }

    #[test]
    fn one_is_whom_the_token_names() {
        let found = identity(&with_claims(r#"{"name":"alice","sub":"UABC","nats":{}}"#)).unwrap();
        assert_eq!((found.name.as_str(), found.inbox.as_str()), ("alice", "_INBOX_UABC"));
    }

    #[test]
    fn what_is_no_users_token_gives_nobody() {
        for claims in [
            r#"{"name":"alice"}"#,
            r#"{"name":"alice","sub":"AABC"}"#,
            r#"{"name":"a.b","sub":"UABC"}"#,
            r#"{"name":"alice","sub":"U.>"}"#,
            "no json",
        ] {
            assert_eq!(identity(&with_claims(claims)), None, "{claims}");
        }
        assert_eq!(identity(""), None);
        assert_eq!(identity("ey"), None);
    }
}
