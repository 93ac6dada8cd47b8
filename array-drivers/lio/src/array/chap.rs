//! What an initiator logs in with.
//!
//! Linux' target asks either everybody or nobody. So as soon as one initiator that sees anything has a login, all need one.

use sanfleet_driver::{ErrorNumber, InitiatorType};

use super::{Answer, Array, access_group::canonical, refused};
use crate::machine::Login;

impl Array {
    /// Without a login the initiator needs none.
    pub fn chap(
        &mut self,
        initiator: &str,
        inbound: [Option<&str>; 2],
        outbound: [Option<&str>; 2],
    ) -> Answer<()> {
        let initiator = canonical(initiator, InitiatorType::ISCSI)?;
        let (inbound, back) = (pair(inbound)?, pair(outbound)?);
        if back.is_some() && inbound.is_none() {
            let message = "the array does not prove itself to whom proves nothing";
            return refused(ErrorNumber::InvalidArgument, message);
        }
        let login = inbound.map(|(user, password)| Login { user, password, back });
        self.change(|_, state| {
            match &login {
                Some(login) => drop(state.logins.insert(initiator.clone(), login.clone())),
                None => drop(state.logins.remove(&initiator)),
            }
            Ok(())
        })
    }
}

/// User and password, or neither.
fn pair([user, password]: [Option<&str>; 2]) -> Answer<Option<(String, String)>> {
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    match (given(user), given(password)) {
        (Some(user), Some(password)) => Ok(Some((user, password))),
        (None, None) => Ok(None),
        _ => refused(ErrorNumber::InvalidArgument, "a user without a password, or a password without a user"),
    }
}
