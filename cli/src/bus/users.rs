//! The users that were issued, and which of them have lost their rights.

use std::collections::BTreeMap;

use nkeys::KeyPair;
use sanfleet_protocol::{BusUser, credentials, rights::Role};
use serde::{Deserialize, Serialize};

use super::{
    BusError,
    keys::Keys,
    token::{self, Seconds},
};

/// Who is to be a user.
#[derive(Debug)]
pub struct Wanted {
    pub name: BusUser,
    pub role: Role,
    /// Patterns of events, for a subscriber.
    pub events: Vec<String>,
    pub now: Seconds,
    pub until: Seconds,
}

/// One that was made. It can be told again from this, but not used: its seed is not here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Issued {
    pub name: String,
    pub role: String,
    pub public_key: String,
    pub issued_at: i64,
    pub expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<i64>,
}

/// All of them, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Users {
    users: Vec<Issued>,
}

impl Users {
    pub fn all(&self) -> &[Issued] {
        &self.users
    }

    /// Makes a key and credentials for somebody.
    pub fn issue(&mut self, keys: &Keys, wanted: &Wanted) -> Result<String, BusError> {
        let key = KeyPair::new_user();
        let token = self.admit(keys, wanted, &key.public_key())?;
        Ok(credentials::file(&token, &key.seed()?))
    }

    /// Makes a user of who holds this key, and gives the text that says so.
    pub fn admit(&mut self, keys: &Keys, wanted: &Wanted, public_key: &str) -> Result<String, BusError> {
        match (wanted.role == Role::Subscriber, wanted.events.is_empty()) {
            (true, true) => return Err(BusError::NoEvents),
            (false, false) => return Err(BusError::EventsOfOthers),
            _ => {}
        }
        let Wanted { name, role, events, now, until } = wanted;
        // Those that last as long as one enrolment need not be told for ever.
        self.users.retain(|user| user.role.parse::<Role>().is_ok() || user.expires_at > now.0);
        self.refuse_taken(name, *role, *now)?;
        let token = token::user(keys, (name.as_str(), *role), public_key, events, (*now, *until))?;
        self.users.push(Issued {
            name: name.to_string(),
            role: role.to_string(),
            public_key: public_key.to_owned(),
            issued_at: now.0,
            expires_at: until.0,
            revoked_at: None,
        });
        Ok(token)
    }

    /// One name is one user to whoever reads the audit; it may have several keys one after the other.
    fn refuse_taken(&self, name: &BusUser, role: Role, now: Seconds) -> Result<(), BusError> {
        let lives = |user: &&Issued| user.revoked_at.is_none() && user.expires_at > now.0;
        let mut named = self.users.iter().filter(|user| user.name == name.as_str()).filter(lives);
        match named.find(|user| user.role != role.as_str()) {
            None => Ok(()),
            Some(other) => Err(BusError::Taken { name: name.clone(), role: other.role.clone() }),
        }
    }

    /// Takes the rights of everybody with this name. Fine when they are gone already.
    pub fn revoke(&mut self, name: &BusUser, now: Seconds) -> Result<(), BusError> {
        let mut found = false;
        for user in self.users.iter_mut().filter(|user| user.name == name.as_str()) {
            found = true;
            user.revoked_at.get_or_insert(now.0);
        }
        if found { Ok(()) } else { Err(BusError::Unknown(name.clone())) }
    }

    /// The keys that count no more. Those that have expired anyway are left out.
    pub fn revoked(&self, now: Seconds) -> BTreeMap<String, Seconds> {
        let live = self.users.iter().filter(|user| user.expires_at > now.0);
        live.filter_map(|user| Some((user.public_key.clone(), Seconds(user.revoked_at?)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = Seconds(1_700_000_000);

    fn wanted(role: Role, events: &[&str]) -> Wanted {
        let events = events.iter().map(|&event| event.to_owned()).collect();
        Wanted { name: "one".parse().unwrap(), role, events, now: NOW, until: Seconds(NOW.0 + 60) }
    }

    #[test]
    fn everybody_with_a_name_is_revoked_until_they_would_have_expired() {
        let (keys, mut users) = (Keys::new(), Users::default());
        users.issue(&keys, &wanted(Role::Host, &[])).unwrap();
        users.issue(&keys, &wanted(Role::Host, &[])).unwrap();
        users.revoke(&"one".parse().unwrap(), Seconds(NOW.0 + 1)).unwrap();
        assert_eq!(users.revoked(NOW).len(), 2);
        assert_eq!(users.revoked(Seconds(NOW.0 + 60)).len(), 0);
        assert!(matches!(users.revoke(&"two".parse().unwrap(), NOW), Err(BusError::Unknown(_))));
    }

    #[test]
    fn a_name_is_of_one_role_until_it_is_revoked() {
        let (keys, mut users) = (Keys::new(), Users::default());
        users.issue(&keys, &wanted(Role::Host, &[])).unwrap();
        assert!(matches!(users.issue(&keys, &wanted(Role::Reader, &[])), Err(BusError::Taken { .. })));
        users.revoke(&"one".parse().unwrap(), NOW).unwrap();
        users.issue(&keys, &wanted(Role::Reader, &[])).unwrap();
    }

    #[test]
    fn a_subscriber_names_events_and_nobody_else_does() {
        let (keys, mut users) = (Keys::new(), Users::default());
        let refused = |issued: Result<String, BusError>| issued.unwrap_err().exit();
        assert_eq!(refused(users.issue(&keys, &wanted(Role::Subscriber, &[]))), crate::exit::Exit::Usage);
        assert_eq!(refused(users.issue(&keys, &wanted(Role::Reader, &["run.>"]))), crate::exit::Exit::Usage);
        assert!(users.issue(&keys, &wanted(Role::Subscriber, &["run.>"])).is_ok());
        assert_eq!(users.all().len(), 1);
    }
}
