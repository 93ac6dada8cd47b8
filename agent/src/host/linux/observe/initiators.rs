//! The initiator ids that this host owns: how an array knows it.

use sanfleet_protocol::Initiator;

use super::attribute;
use crate::host::linux::LinuxHostOptions;

/// The configured ones; without any, those of iSCSI, Fibre Channel and NVMe that the system shows. Each once.
pub fn initiators(options: &LinuxHostOptions) -> Vec<Initiator> {
    let candidates = match options.initiators.is_empty() {
        true => of_system(options),
        false => options.initiators.clone(),
    };
    let mut initiators = Vec::new();
    for initiator in candidates {
        if !initiators.contains(&initiator) {
            initiators.push(initiator);
        }
    }
    initiators
}

fn of_system(options: &LinuxHostOptions) -> Vec<Initiator> {
    let iscsi = file_of(options, "iscsi/initiatorname.iscsi");
    let nvme = file_of(options, "nvme/hostnqn");
    let fc_hosts = options.sysfs_root.join("class/fc_host");
    let ports = attribute::names(&fc_hosts)
        .into_iter()
        .filter_map(|host| attribute::text(&fc_hosts.join(host).join("port_name"))?.parse().ok());
    iscsi_names(&iscsi).chain(ports).chain(nvme.trim().parse()).collect()
}

/// A file of `/etc`; empty when there is none, or when it is not ours to read.
fn file_of(options: &LinuxHostOptions, name: &str) -> String {
    let bytes = attribute::bytes(&options.etc_root.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// open-iscsi's file: `InitiatorName=` lines among comments and other settings.
fn iscsi_names(file: &str) -> impl Iterator<Item = Initiator> {
    file.lines().filter_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        (key.trim_end() == "InitiatorName").then(|| value.parse().ok()).flatten()
    })
}
