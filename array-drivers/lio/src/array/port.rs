//! Where the target listens.

use std::net::SocketAddr;

use sanfleet_driver::{PortType, TargetPort, TargetPortId};

use super::{Answer, Array, system_id};

impl Array {
    pub fn target_ports(&mut self) -> Answer<Vec<TargetPort>> {
        let (outline, state) = self.glance()?;
        // A target whose name is not written down yet may get another one.
        let portals = if outline.file.is_some() { self.listening(&outline) } else { Vec::new() };
        Ok(portals.into_iter().map(|portal| record(portal, &state.target)).collect())
    }
}

fn record(portal: SocketAddr, target: &str) -> TargetPort {
    TargetPort {
        id: TargetPortId::new(portal.to_string()),
        port_type: PortType::ISCSI,
        service_address: target.to_owned(),
        network_address: portal.to_string(),
        physical_address: String::new(),
        physical_name: String::new(),
        system_id: system_id(),
        plugin_data: None,
    }
}
