//! What kind of machine this is, for people to read.

use std::path::Path;

use sanfleet_protocol::v1::HostFacts;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::attribute;

/// What cannot be found out is empty or 0.
pub fn facts(etc_root: &Path) -> HostFacts {
    let wanted = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted).ok();
    HostFacts {
        hostname: System::host_name().unwrap_or_default(),
        os_name: System::name().unwrap_or_default(),
        os_version: System::os_version().unwrap_or_default(),
        kernel: System::kernel_version().unwrap_or_default(),
        architecture: System::cpu_arch(),
        cpus: system.as_ref().map_or(0, |system| u32::try_from(system.cpus().len()).unwrap_or(u32::MAX)),
        memory_bytes: system.as_ref().map_or(0, System::total_memory),
        machine_id: attribute::text(&etc_root.join("machine-id")).unwrap_or_default(),
    }
}

/// A UUID that the kernel makes at each boot (random(4)); empty when procfs does not show it.
pub fn boot_id(proc_root: &Path) -> String {
    attribute::text(&proc_root.join("sys/kernel/random/boot_id")).unwrap_or_default()
}
