//! The systemd mount unit of a volume, as text. Pure: it touches no file.
//!
//! Source: systemd.unit(5), "String escaping for inclusion in unit names", and systemd.mount(5).

use std::fmt::Write;

use sanfleet_protocol::MountPoint;

use crate::host::{HostError, PersistentMount};

/// The first line of every unit of ours, by which it is known again.
pub const HEADER: &str = "# Made by sanfleet-agent, which overwrites and removes it.";
/// What starts it at boot: units of other targets would not wait for the network that a volume may come over.
pub const WANTED_BY: &str = "remote-fs.target";
/// Longest name of a unit (`UNIT_NAME_MAX`), and of a file.
const MAX_NAME_BYTES: usize = 255;

/// The name that systemd wants for a mount at this place: what `systemd-escape --path --suffix=mount` prints.
pub fn name(at: &MountPoint) -> Result<String, HostError> {
    let mut name = String::new();
    for (place, byte) in at.as_str().bytes().skip(1).enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if place == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(byte.into()),
            // Writing to a text cannot fail.
            other => drop(write!(name, "\\x{other:02x}")),
        }
    }
    name.push_str(".mount");
    match name.len() <= MAX_NAME_BYTES {
        true => Ok(name),
        false => Err(HostError::Invalid {
            what: at.to_string(),
            why: format!("is too long for a systemd unit, whose name may have {MAX_NAME_BYTES} bytes"),
        }),
    }
}

/// The unit. It mounts by the file system's UUID, whatever the device is called by then, and no boot waits for it in vain.
pub fn text(at: &MountPoint, mount: &PersistentMount, exec: bool) -> Result<String, HostError> {
    if at.as_str().ends_with('\\') {
        let why = "ends in a backslash, which would join it with the next line of its unit".to_owned();
        return Err(HostError::Invalid { what: at.to_string(), why });
    }
    let mode = if mount.read_write { "rw" } else { "ro" };
    let exec = if exec { "" } else { ",noexec" };
    Ok(format!(
        "{HEADER}\n\
         [Unit]\n\
         Description=Volume {volume}\n\
         \n\
         [Mount]\n\
         What=/dev/disk/by-uuid/{id}\n\
         Where={at}\n\
         Type={kind}\n\
         Options={mode},nofail,nodev,nosuid{exec},_netdev\n\
         \n\
         [Install]\n\
         WantedBy={WANTED_BY}\n",
        volume = plain(&mount.volume.to_string()),
        id = mount.id,
        at = plain(at.as_str()),
        kind = mount.kind,
    ))
}

/// A percent sign begins a specifier.
fn plain(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const PLACES: [&str; 7] =
        ["/srv", "/srv/copy", "/srv/a b-c", "/.hidden/.x", "/a.b:c_d/@e", "/ä/\\z", "/100%/$HOME"];

    fn at(text: &str) -> MountPoint {
        text.parse().unwrap()
    }

    #[test]
    fn units_are_named_as_systemd_names_them() {
        assert_eq!(name(&at("/srv/a b-c")).unwrap(), "srv-a\\x20b\\x2dc.mount");
        assert_eq!(name(&at("/.hidden/.x")).unwrap(), "\\x2ehidden-.x.mount");
        for place in PLACES {
            let escaped =
                Command::new("systemd-escape").args(["--path", "--suffix=mount", "--", place]).output();
            let Ok(escaped) = escaped else { continue };
            assert_eq!(name(&at(place)).unwrap(), String::from_utf8(escaped.stdout).unwrap().trim_end());
        }
    }

    #[test]
    fn a_place_that_no_unit_can_be_of_is_refused() {
        assert!(name(&at(&format!("/{}", "x".repeat(300)))).is_err());
        let mount = PersistentMount {
            volume: "naa.60014050000000000000000000000001".parse().unwrap(),
            kind: sanfleet_protocol::FileSystemKind::Xfs,
            id: "0fce5a3d-1122-4344-8566-778899aabbcc".parse().unwrap(),
            read_write: false,
        };
        assert!(text(&at("/srv/a\\"), &mount, false).is_err());
        let with = text(&at("/srv/a"), &mount, true).unwrap();
        assert!(with.contains("Options=ro,nofail,nodev,nosuid,_netdev\n"), "{with}");
        let text = text(&at("/srv/100%"), &mount, false).unwrap();
        assert!(text.starts_with(HEADER) && text.contains("Where=/srv/100%%\n"), "{text}");
        assert!(text.contains("Options=ro,nofail,nodev,nosuid,noexec,_netdev\n"), "{text}");
    }
}
