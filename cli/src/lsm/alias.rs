//! Short names of commands.
//!
//! One is replaced only where the command stands: a volume may be called `vd`.

/// Each alias with what it stands for.
pub const ALIASES: [(&str, &[&str]); 37] = [
    ("aa", &["access-group-add"]),
    ("ac", &["access-group-create"]),
    ("ad", &["access-group-delete"]),
    ("ar", &["access-group-remove"]),
    ("c", &["capabilities"]),
    ("la", &["list", "--type", "access_groups"]),
    ("lb", &["list", "--type", "batteries"]),
    ("ld", &["list", "--type", "disks"]),
    ("ldfloff", &["local-disk-fault-led-off"]),
    ("ldflon", &["local-disk-fault-led-on"]),
    ("ldiloff", &["local-disk-ident-led-off"]),
    ("ldilon", &["local-disk-ident-led-on"]),
    ("ldl", &["local-disk-list"]),
    ("lf", &["list", "--type", "fs"]),
    ("lp", &["list", "--type", "pools"]),
    ("ls", &["list", "--type", "systems"]),
    ("lt", &["list", "--type", "target_ports"]),
    ("lv", &["list", "--type", "volumes"]),
    ("p", &["plugin-info"]),
    ("pmi", &["pool-member-info"]),
    ("srcpu", &["system-read-cache-pct-update"]),
    ("vc", &["volume-create"]),
    ("vci", &["volume-cache-info"]),
    ("vd", &["volume-delete"]),
    ("ve", &["volume-enable"]),
    ("vi", &["volume-disable"]),
    ("viloff", &["volume-ident-led-off"]),
    ("vilon", &["volume-ident-led-on"]),
    ("vm", &["volume-mask"]),
    ("vpdcu", &["volume-phy-disk-cache-update"]),
    ("vr", &["volume-resize"]),
    ("vrc", &["volume-raid-create"]),
    ("vrcc", &["volume-raid-create-cap"]),
    ("vrcpu", &["volume-read-cache-policy-update"]),
    ("vri", &["volume-raid-info"]),
    ("vu", &["volume-unmask"]),
    ("vwcpu", &["volume-write-cache-policy-update"]),
];

/// The words that the alias stands for; none for a word that is no alias.
pub fn expand(word: &str) -> Option<&'static [&'static str]> {
    ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, words)| *words)
}
