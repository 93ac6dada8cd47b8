//! The signed texts by which a NATS server knows an operator, its accounts and their users.
//!
//! Source: NATS documentation, "JWT" (version 2, `ed25519-nkey`), and nats-io/jwt's field names.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use ring::digest;
use sanfleet_protocol::rights::{Rights, Role};
use serde::Serialize;
use serde_json::{Value, json};

use super::{BusError, keys::Keys};

const HEADER: &str = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;
/// A client subscribes its own inbox and a few subjects; the bus drops whoever wants more.
const MAX_SUBSCRIPTIONS: i32 = 64;

/// Moments in seconds since 1970, as these texts have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub i64);

impl Seconds {
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    jti: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iss: String,
    name: &'a str,
    sub: &'a str,
    nats: Value,
}

/// Whom the servers trust.
pub fn operator(keys: &Keys, now: Seconds) -> Result<String, BusError> {
    let nats = json!({
        "type": "operator", "version": 2,
        "system_account": keys.system.public_key(),
    });
    sign(&keys.operator, "sanfleet", &keys.operator.public_key(), nats, now, None)
}

/// The account of the fleet, with the rights of each role, and the users who have lost theirs.
pub fn account(keys: &Keys, revoked: &BTreeMap<String, Seconds>, now: Seconds) -> Result<String, BusError> {
    let roles: Vec<_> = keys.roles().map(|(role, key)| scope(role, key)).collect();
    let revoked: BTreeMap<_, _> = revoked.iter().map(|(key, at)| (key, at.0)).collect();
    let nats = json!({
        "type": "account", "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": 0,
            "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        },
        "signing_keys": roles,
        "revocations": revoked,
    });
    sign(&keys.operator, "sanfleet", &keys.account.public_key(), nats, now, None)
}

/// The account in which the servers are told of changes.
pub fn system(keys: &Keys, now: Seconds) -> Result<String, BusError> {
    let nats = json!({
        "type": "account", "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": 0,
        },
    });
    sign(&keys.operator, "system", &keys.system.public_key(), nats, now, None)
}

fn scope(role: Role, key: &KeyPair) -> Value {
    let Rights { publish, subscribe, answers } = Rights::of(role);
    // A list that is empty would allow everything.
    let allow = |subjects: Vec<String>| match subjects.is_empty() {
        true => json!({ "deny": [">"] }),
        false => json!({ "allow": subjects }),
    };
    let subscriptions = if role == Role::Controller { -1 } else { MAX_SUBSCRIPTIONS };
    let answers = answers.map(
        |(max, within)| json!({ "max": max, "ttl": u64::try_from(within.as_nanos()).unwrap_or(u64::MAX) }),
    );
    let template = json!({
        "pub": allow(publish), "sub": allow(subscribe), "resp": answers,
        "subs": subscriptions, "data": -1, "payload": -1,
    });
    json!({ "kind": "user_scope", "key": key.public_key(), "role": role.as_str(), "template": template })
}

/// A user of a role. Its rights are in the account, so that they can be changed for all at once.
pub fn user(
    keys: &Keys,
    (name, role): (&str, Role),
    public_key: &str,
    events: &[String],
    (now, until): (Seconds, Seconds),
) -> Result<String, BusError> {
    let tags: Vec<_> = events.iter().map(|event| format!("event:{event}")).collect();
    let nats = json!({
        "type": "user", "version": 2, "issuer_account": keys.account.public_key(), "tags": tags,
    });
    sign(keys.of(role)?, name, public_key, nats, now, Some(until))
}

/// The user who tells servers of changes, and can do nothing else.
pub fn pusher(keys: &Keys, public_key: &str, inbox: &str, now: Seconds) -> Result<String, BusError> {
    let nats = json!({
        "type": "user", "version": 2,
        "pub": { "allow": [super::push::UPDATE] },
        "sub": { "allow": [format!("{inbox}.>")] },
        "subs": MAX_SUBSCRIPTIONS, "data": -1, "payload": -1,
    });
    sign(&keys.system, "push", public_key, nats, now, None)
}

fn sign(
    by: &KeyPair,
    name: &str,
    subject: &str,
    nats: Value,
    now: Seconds,
    until: Option<Seconds>,
) -> Result<String, BusError> {
    let claims = Claims {
        jti: String::new(),
        iat: now.0,
        exp: until.map(|until| until.0),
        iss: by.public_key(),
        name,
        sub: subject,
        nats,
    };
    let digest = digest::digest(&digest::SHA512_256, &to_json(&claims));
    let claims = Claims { jti: BASE64_URL_SAFE_NO_PAD.encode(digest), ..claims };
    let text = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(HEADER),
        BASE64_URL_SAFE_NO_PAD.encode(to_json(&claims))
    );
    let signature = by.sign(text.as_bytes())?;
    Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// Texts, numbers and lists of them always have a form in JSON.
fn to_json(claims: &Claims<'_>) -> Vec<u8> {
    serde_json::to_vec(claims).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(token: &str, by: &KeyPair) -> Value {
        let (text, signature) = token.rsplit_once('.').unwrap();
        by.verify(text.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap();
        serde_json::from_slice(&claims).unwrap()
    }

    #[test]
    fn each_text_is_signed_by_whom_it_names() {
        let keys = Keys::new();
        let now = Seconds(1_700_000_000);
        for (token, by) in [
            (operator(&keys, now).unwrap(), &keys.operator),
            (account(&keys, &BTreeMap::new(), now).unwrap(), &keys.operator),
            (system(&keys, now).unwrap(), &keys.operator),
        ] {
            assert_eq!(claims(&token, by)["iss"], by.public_key());
        }
    }

    #[test]
    fn a_users_rights_are_in_the_account_and_its_end_in_its_own_text() {
        let keys = Keys::new();
        let (now, until) = (Seconds(1_700_000_000), Seconds(1_700_000_060));
        let token = user(&keys, ("db1", Role::Host), "UKEY", &[], (now, until)).unwrap();
        let user = claims(&token, keys.of(Role::Host).unwrap());
        assert_eq!((&user["exp"], &user["name"]), (&json!(1_700_000_060), &json!("db1")));
        assert!(user["nats"].get("pub").is_none());
        let account = claims(&account(&keys, &BTreeMap::new(), now).unwrap(), &keys.operator);
        let scopes = account["nats"]["signing_keys"].as_array().unwrap();
        let host = scopes.iter().find(|scope| scope["key"] == user["iss"]).unwrap();
        assert_eq!(host["role"], "host");
    }

    #[test]
    fn a_role_that_publishes_nothing_is_denied_everything() {
        let scope = scope(Role::Subscriber, &KeyPair::new_account());
        assert_eq!(scope["template"]["pub"], json!({ "deny": [">"] }));
    }
}
