//! Where an array shows a volume to a host: what the host is told, so that it brings in this one and no other.

use sanfleet_driver::{AccessGroup, AccessGroupId, Mapping, PortType, TargetPort, Volume};
use sanfleet_protocol::{FcPath, Initiator, IscsiPath, Lun, TargetPath};

use super::{
    ArrayError, ArrayHandle,
    access::{holds, is},
    list::unless_unsupported,
};

impl ArrayHandle {
    /// The paths of a fabric over which this initiator sees the volume. None where the array tells neither ports nor the unit's
    /// number, which only drivers with our extension do.
    pub async fn paths(
        &self,
        fabric: &str,
        initiator: &Initiator,
        volume: &Volume,
    ) -> Result<Vec<TargetPath>, ArrayError> {
        let groups = self.access_groups().await?;
        let volume = volume.clone();
        let (ports, mappings) = self
            .call("asking where it shows a volume", |session| {
                Box::pin(async move {
                    let ports = unless_unsupported(session.target_ports(None).await)?;
                    let mappings = unless_unsupported(session.volume_mappings(&volume).await)?;
                    Ok((ports, mappings))
                })
            })
            .await?;
        let mut paths = paths(&ports, &groups, &mappings, initiator);
        paths.retain(|path| path.fabric() == fabric);
        Ok(paths)
    }
}

/// Every port that shows the volume to this initiator, with the unit's number there.
fn paths(
    ports: &[TargetPort],
    groups: &[AccessGroup],
    mappings: &[Mapping],
    initiator: &Initiator,
) -> Vec<TargetPath> {
    let is_own = |mapping: &&Mapping| mapping.initiator.as_ref().is_some_and(|one| is(one, initiator));
    let in_group = |id: &AccessGroupId| groups.iter().any(|group| group.id == *id && holds(group, initiator));
    let is_groups = |mapping: &&Mapping| {
        mapping.initiator.is_none() && mapping.access_group_id.as_ref().is_some_and(in_group)
    };
    // An initiator's own number counts, and not that of its group.
    let own: Vec<&Mapping> = mappings.iter().filter(is_own).collect();
    let ours = if own.is_empty() { mappings.iter().filter(is_groups).collect() } else { own };
    let units = ours.into_iter().filter_map(|mapping| Some((mapping, Lun::new(mapping.lun?).ok()?)));
    let mut paths: Vec<TargetPath> = units
        .flat_map(|(mapping, lun)| {
            let shows = |port: &&TargetPort| {
                mapping.target_ports.is_empty() || mapping.target_ports.contains(&port.id)
            };
            ports.iter().filter(shows).filter_map(move |port| path(port, lun))
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// `None` for a port of another kind, and for one that has no address at the moment.
fn path(port: &TargetPort, lun: Lun) -> Option<TargetPath> {
    match port.port_type {
        PortType::ISCSI => {
            let (portal, target) = (port.network_address.parse().ok()?, port.service_address.parse().ok()?);
            Some(TargetPath::Iscsi(IscsiPath { portal, target, lun }))
        }
        // A host sees both in the same way.
        PortType::FC | PortType::FCOE => {
            Some(TargetPath::Fc(FcPath { port: port.service_address.parse().ok()?, lun }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_driver::{InitiatorType, SystemId, TargetPortId, VolumeKey};

    use super::*;

    const OURS: &str = "iqn.2026-01.example:host1";
    const OTHERS: &str = "iqn.2026-01.example:host2";

    fn port(id: &str, kind: PortType, address: &str) -> TargetPort {
        TargetPort {
            id: TargetPortId::new(id),
            port_type: kind,
            service_address: "iqn.2026-01.example:array".to_owned(),
            network_address: address.to_owned(),
            physical_address: String::new(),
            physical_name: String::new(),
            system_id: SystemId::new("s"),
            plugin_data: None,
        }
    }

    fn group(id: &str, initiator: &str) -> AccessGroup {
        AccessGroup {
            id: AccessGroupId::new(id),
            name: id.to_owned(),
            init_ids: vec![initiator.to_owned()],
            init_type: InitiatorType::ISCSI,
            system_id: SystemId::new("s"),
            plugin_data: None,
        }
    }

    fn mapping(group: &str, lun: Option<u64>, ports: &[&str]) -> Mapping {
        Mapping {
            volume_id: VolumeKey::new("v"),
            access_group_id: Some(AccessGroupId::new(group)),
            initiator: None,
            lun,
            target_ports: ports.iter().copied().map(TargetPortId::new).collect(),
        }
    }

    fn port_by_name(id: &str, kind: PortType, name: &str) -> TargetPort {
        TargetPort { service_address: name.to_owned(), ..port(id, kind, name) }
    }

    fn told(mappings: &[Mapping]) -> Vec<String> {
        let ports = [
            port("b", PortType::ISCSI, "192.0.2.2:3260"),
            port("a", PortType::ISCSI, "192.0.2.1:3260"),
            port("down", PortType::ISCSI, ""),
            port("fc", PortType::FC, "192.0.2.3:3260"),
        ];
        let groups = [group("ours", OURS), group("others", OTHERS)];
        paths(&ports, &groups, mappings, &OURS.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_volume_is_behind_every_iscsi_port_that_has_an_address() {
        let both =
            ["192.0.2.1:3260,iqn.2026-01.example:array,7", "192.0.2.2:3260,iqn.2026-01.example:array,7"];
        assert_eq!(told(&[mapping("ours", Some(7), &[])]), both);
        assert_eq!(told(&[mapping("ours", Some(7), &["b"])]), both[1..]);
    }

    #[test]
    fn a_volume_is_behind_every_fibre_channel_port_by_its_name() {
        let ports = [
            port_by_name("a", PortType::FC, "50:0A:09:81:8D:12:34:56"),
            port_by_name("b", PortType::FCOE, "0x500a09828d123456"),
            port_by_name("bad", PortType::FC, "nonsense"),
            port_by_name("nvme", PortType::OTHER, "50:0a:09:83:8d:12:34:56"),
        ];
        let (host, groups) = ("10:00:00:00:c9:95:2f:de", [group("ours", "10:00:00:00:C9:95:2F:DE")]);
        let told = paths(&ports, &groups, &[mapping("ours", Some(7), &[])], &host.parse().unwrap());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["50:0a:09:81:8d:12:34:56,7", "50:0a:09:82:8d:12:34:56,7"]);
    }

    #[test]
    fn the_number_is_the_one_that_this_host_sees() {
        let own = Mapping { initiator: Some(OURS.to_owned()), ..mapping("others", Some(3), &["a"]) };
        let foreign = Mapping { initiator: Some(OTHERS.to_owned()), ..mapping("ours", Some(4), &["a"]) };
        let told = told(&[mapping("ours", Some(9), &[]), own, foreign]);
        assert_eq!(told, ["192.0.2.1:3260,iqn.2026-01.example:array,3"]);
    }

    #[test]
    fn an_array_that_does_not_tell_the_number_tells_no_path() {
        assert!(told(&[mapping("ours", None, &[])]).is_empty());
        assert!(told(&[mapping("ours", Some(1 << 24), &[])]).is_empty());
    }
}
