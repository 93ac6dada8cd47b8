//! What an initiator logs in with.

use sanfleet_driver::{ErrorNumber, InitiatorType};

use super::{Answer, Array, access_group::canonical, outcome::Outcome, refused};
use crate::daemon::Login;

impl Array {
    /// Without a login the initiator needs none. The daemon takes an initiator that it does not know into its list.
    pub fn chap(
        &mut self,
        initiator: &str,
        inbound: [Option<&str>; 2],
        outbound: [Option<&str>; 2],
    ) -> Answer<()> {
        let initiator = canonical(initiator, InitiatorType::ISCSI)?;
        let (inbound, outbound) = (login(inbound)?, login(outbound)?);
        if outbound.is_some() && inbound.is_none() {
            let message = "the array does not prove itself to whom proves nothing";
            return refused(ErrorNumber::InvalidArgument, message);
        }
        let _alone = self.alone()?;
        match Outcome::of(self.daemon.initiator_set_auth(&initiator, inbound, outbound))? {
            Outcome::Done => Ok(()),
            // Nobody can look what is set; set once more it is the same.
            Outcome::Open(_) => Ok(self.daemon.initiator_set_auth(&initiator, inbound, outbound)?),
        }
    }
}

/// A whole login, or none.
fn login([user, password]: [Option<&str>; 2]) -> Answer<Option<Login<'_>>> {
    let given = |text: Option<&'_ str>| text.is_some_and(|text| !text.is_empty());
    match (user, password) {
        (Some(user), Some(password)) if given(Some(user)) && given(Some(password)) => {
            Ok(Some(Login { user, password }))
        }
        (user, password) if given(user) || given(password) => {
            let message = "a user without a password, or a password without a user";
            refused(ErrorNumber::InvalidArgument, message)
        }
        _ => Ok(None),
    }
}
