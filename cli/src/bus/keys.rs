//! The keys that sign, a file each, which only its owner may read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nkeys::{KeyPair, KeyPairType};
use sanfleet_protocol::rights::Role;

use super::{BusError, folder};

/// All keys of one bus.
#[derive(Debug)]
pub struct Keys {
    pub operator: KeyPair,
    /// The account of everything of ours.
    pub account: KeyPair,
    /// The account in which servers are told of changes.
    pub system: KeyPair,
    /// One key for each role: a user that is signed with it has the rights of that role, and no others.
    roles: BTreeMap<Role, KeyPair>,
}

impl Keys {
    pub fn new() -> Self {
        Self {
            operator: KeyPair::new_operator(),
            account: KeyPair::new_account(),
            system: KeyPair::new_account(),
            roles: Role::ALL.map(|role| (role, KeyPair::new_account())).into(),
        }
    }

    pub fn write(&self, folder: &Path) -> Result<(), BusError> {
        let roles = self.roles().map(|(role, key)| (of_role(role), key));
        let named = [("operator", &self.operator), ("account", &self.account), ("system", &self.system)];
        for (name, key) in named.map(|(name, key)| (name.to_owned(), key)).into_iter().chain(roles) {
            folder::write_new(&file(folder, &name), &format!("{}\n", key.seed()?))?;
        }
        Ok(())
    }

    pub fn read(folder: &Path) -> Result<Self, BusError> {
        let key = |name: &str, kind| read_key(&file(folder, name), kind);
        let role = |role: Role| Ok((role, of_role_or_new(folder, role)?));
        Ok(Self {
            operator: key("operator", KeyPairType::Operator)?,
            account: key("account", KeyPairType::Account)?,
            system: key("system", KeyPairType::Account)?,
            roles: Role::ALL.into_iter().map(role).collect::<Result<_, BusError>>()?,
        })
    }

    pub fn roles(&self) -> impl Iterator<Item = (Role, &KeyPair)> {
        self.roles.iter().map(|(role, key)| (*role, key))
    }

    /// What signs users of this role. Nothing else may in its place: what the account's own key signs may do everything.
    pub fn of(&self, role: Role) -> Result<&KeyPair, BusError> {
        self.roles.get(&role).ok_or(BusError::NoKey(role))
    }
}

/// A folder that an earlier version made has no key for a role that was not there yet.
fn of_role_or_new(folder: &Path, role: Role) -> Result<KeyPair, BusError> {
    let path = file(folder, &of_role(role));
    if path.symlink_metadata().is_err() {
        let key = KeyPair::new_account();
        folder::write_new(&path, &format!("{}\n", key.seed()?))?;
    }
    read_key(&path, KeyPairType::Account)
}

/// A role may be called as another key is.
fn of_role(role: Role) -> String {
    format!("role-{role}")
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.nk"))
}

fn read_key(path: &Path, kind: KeyPairType) -> Result<KeyPair, BusError> {
    let seed = folder::read(path)?;
    let key = KeyPair::from_seed(seed.trim()).ok().filter(|key| key.key_pair_type() == kind);
    // Never the reason: it could show a part of the seed.
    key.ok_or_else(|| BusError::Content { path: path.to_owned(), why: "holds no such key".to_owned() })
}
