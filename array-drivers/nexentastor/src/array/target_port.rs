//! Where the appliance's iSCSI targets listen.

use sanfleet_driver::{PortType, TargetPort, TargetPortId};

use super::{Answer, Array};

impl Array {
    pub fn target_ports(&mut self) -> Answer<Vec<TargetPort>> {
        let targets = self.appliance.targets()?;
        let ports = targets
            .iter()
            .flat_map(|target| target.portals.iter().map(|portal| self.port_record(&target.name, portal)));
        Ok(ports.collect())
    }

    fn port_record(&self, target: &str, portal: &str) -> TargetPort {
        TargetPort {
            id: TargetPortId::new(format!("{target},{portal}")),
            port_type: PortType::ISCSI,
            service_address: target.to_owned(),
            network_address: portal.to_owned(),
            physical_address: String::new(),
            physical_name: String::new(),
            system_id: self.system_id(),
            plugin_data: None,
        }
    }
}
