//! `[fabric.fc]`: that the agent may have the kernel scan for units behind Fibre Channel ports.

use serde::Deserialize;

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fc {
    /// multipathd runs here. Off unless it is said, as over iSCSI: without multipathd a map would be waited for in vain.
    #[serde(default)]
    pub multipath: bool,
}
