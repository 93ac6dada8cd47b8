//! What an initiator would log in with. No initiator logs in here, so passwords are accepted and forgotten at once.

use rusqlite::params;
use sanfleet_driver::{ErrorNumber, InitiatorType};

use super::{Array, access_group};
use crate::error::{Result, SimError};

/// A user and the password that comes with it. Never printed.
pub(crate) struct Login<'a> {
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
}

impl<'a> Login<'a> {
    /// The user, if there is a whole login; none if there is nothing.
    fn user(&self) -> Result<Option<&'a str>> {
        let given = |text: Option<&'a str>| text.filter(|text| !text.is_empty());
        match (given(self.user), given(self.password)) {
            (None, None) => Ok(None),
            (Some(user), Some(_)) => Ok(Some(user)),
            _ => {
                let message = "a user without a password, or a password without a user";
                Err(SimError::refused(ErrorNumber::InvalidArgument, message))
            }
        }
    }
}

impl Array {
    /// Without any login the initiator needs none any more.
    pub fn iscsi_chap_auth(&self, initiator: &str, inbound: &Login, outbound: &Login) -> Result<()> {
        let initiator = access_group::canonical(initiator, InitiatorType::ISCSI)?;
        let (inbound, outbound) = (inbound.user()?, outbound.user()?);
        if outbound.is_some() && inbound.is_none() {
            let message = "the array does not prove itself to whom proves nothing";
            return Err(SimError::refused(ErrorNumber::InvalidArgument, message));
        }
        let change = self.begin()?;
        change.prepare_cached("DELETE FROM chap WHERE initiator = ?1")?.execute([&initiator])?;
        if inbound.is_some() {
            change
                .prepare_cached("INSERT INTO chap (initiator, in_user, out_user) VALUES (?1, ?2, ?3)")?
                .execute(params![initiator, inbound, outbound])?;
        }
        change.commit()?;
        Ok(())
    }
}
