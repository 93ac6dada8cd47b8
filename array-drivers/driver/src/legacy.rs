//! Records as a client sees them that asked for no extension.
//!
//! libStorageMgmt's Python client gives up on a whole list of access groups because of one initiator that is neither a WWPN nor
//! an iSCSI name. So those are left out for it.

use sanfleet_protocol::initiator::Initiator;

use crate::model::AccessGroup;

pub(crate) fn access_groups(groups: Vec<AccessGroup>) -> Vec<AccessGroup> {
    groups.into_iter().map(access_group).collect()
}

pub(crate) fn access_group(mut group: AccessGroup) -> AccessGroup {
    group.init_ids.retain(|text| !matches!(text.parse(), Ok(Initiator::Nqn(_))));
    group
}
