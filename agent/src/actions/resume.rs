//! Letting an application go on. Fine when nothing is held: the answer says who let it go.

use sanfleet_protocol::v1;

use super::Errand;
use crate::quiesce::Quiesces;

pub fn resume(quiesces: &Quiesces, errand: Errand) -> v1::CommandDone {
    let release = quiesces.resume(errand.run, errand.issued_at_unix_ms);
    let resumed = v1::Resumed { by: release.by, blocked_us: release.blocked_us, trouble: release.trouble };
    let changed = release.by == i32::from(v1::ResumedBy::Command);
    v1::CommandDone { changed, detail: Some(v1::command_done::Detail::Resumed(resumed)) }
}
