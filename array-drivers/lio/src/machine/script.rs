//! The scripts that the machine's shell carries out, for any POSIX shell.
//!
//! Every text that is not ours is quoted here, in one place. Scripts that change something wait for each other.

use std::fmt::Write as _;

use super::{Login, New, PoolRow, Target, VolumeRow};
use crate::identity::Serial;

/// Ends a script when LVM is not there.
pub const NO_LVM: i32 = 40;
/// Ends a script when the file was changed by somebody else.
pub const CHANGED: i32 = 41;
/// Ends a script when the kernel has no iSCSI target.
pub const NO_TARGET: i32 = 42;
/// Ends a script when a volume has the name that a new one was to have.
pub const NAME_TAKEN: i32 = 43;
/// Ends a script when there is nothing to copy.
pub const NO_SOURCE: i32 = 44;
/// Between what a survey finds.
pub const MARK: &str = "=== sanfleet ===";
/// The tags of a logical volume of ours: that it is, and its name in hex, for a tag may hold few characters.
pub const TAG: &str = "sanfleet.volume";
pub const NAME_TAG: &str = "sanfleet.name.";

const FILE: &str = "/etc/sanfleet/lio.json";
const ALONE: &str = "set -eu
exec 9>/run/sanfleet-lio.lock
flock 9
export LVM_SUPPRESS_FD_WARNINGS=1
";

/// Hostname and id of the boot, addresses, and the file.
pub fn outline() -> String {
    format!(
        "set -eu
read -r name </proc/sys/kernel/hostname
read -r boot </proc/sys/kernel/random/boot_id
echo \"$name $boot\"
echo '{MARK}'
ip -json address show
echo '{MARK}'
if [ -e {FILE} ]; then cat {FILE}; fi
"
    )
}

/// Logical volumes, and the outline.
pub fn survey() -> String {
    format!(
        "set -eu
command -v lvm >/dev/null || exit {NO_LVM}
lvm lvs --reportformat json --units b --nosuffix --options \\
    vg_name,lv_name,lv_size,pool_lv,segtype,data_percent,lv_tags
echo '{MARK}'
{}",
        outline()
    )
}

pub fn make(new: New<'_>, pool: &PoolRow, size: u64) -> String {
    let pool = quoted(&format!("{}/{}", pool.group, pool.name));
    let find = find(new.name, None);
    format!("{ALONE}{find}lvm lvcreate --yes --virtualsize {size}b --thinpool {pool} {} >&2\n", made(new))
}

/// Prints group, pool and size of what was copied.
pub fn copy(new: New<'_>, source: &Serial) -> String {
    let find = find(new.name, Some(source));
    let (source, made) = (source.lv(), made(new));
    format!(
        "{ALONE}{find}[ -n \"$source\" ] || exit {NO_SOURCE}
lvm lvcreate --yes --snapshot {made} \"${{source%% *}}/{source}\" >&2
echo \"$source\"
"
    )
}

/// Ends the script when a volume is named so, and sets `source` to group, pool and size of the one with this serial number.
fn find(name: &str, source: Option<&Serial>) -> String {
    let (tag, source) = (name_tag(name), source.map(Serial::lv).unwrap_or_default());
    format!(
        "source=
rows=$(lvm lvs --noheadings --units b --nosuffix --separator '|' --options vg_name,lv_name,pool_lv,lv_size,lv_tags \\
    --select 'lv_tags={{\"{tag}\"}} || lv_name=\"{source}\"')
while IFS='| ' read -r group lv pool size tags; do
    case ,$tags, in *,{tag},*) exit {NAME_TAKEN} ;; esac
    if [ \"$lv\" = '{source}' ]; then source=\"$group $pool $size\"; fi
done <<END
$rows
END
"
    )
}

/// Name and tags. Without a word a snapshot would not be activated.
fn made(new: New<'_>) -> String {
    let (lv, name) = (quoted(&new.serial.lv()), name_tag(new.name));
    format!("--setactivationskip n --addtag {TAG} --addtag {name} --name {lv}")
}

fn name_tag(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{NAME_TAG}{digits}")
}

pub fn grow(volume: &VolumeRow, size: u64) -> String {
    format!("{ALONE}lvm lvextend --yes --size {size}b {}\n", full_name(volume))
}

pub fn remove(volume: &VolumeRow) -> String {
    format!("{ALONE}lvm lvremove --yes --force {}\n", full_name(volume))
}

fn full_name(volume: &VolumeRow) -> String {
    quoted(&format!("{}/{}", volume.group, volume.serial.lv()))
}

pub fn keep(before: Option<&str>, after: &str) -> String {
    let (before, after) = (unless_changed(before.unwrap_or_default()), quoted(after));
    format!(
        "{ALONE}umask 077
mkdir -p /etc/sanfleet
{before}printf '%s\\n' {after} >{FILE}.new
sync {FILE}.new
mv {FILE}.new {FILE}
sync /etc/sanfleet
"
    )
}

fn unless_changed(file: &str) -> String {
    format!("[ \"$(cat {FILE} 2>/dev/null || true)\" = {} ] || exit {CHANGED}\n", quoted(file))
}

/// First all goes that must not be there, then comes what is missing.
pub fn show(file: &str, target: &Target) -> String {
    let mut script = format!("{ALONE}{}iqn={}\n{SHOW}", unless_changed(file), quoted(&target.name));
    let mut line = |text: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(script, "{text}");
    };
    let mapped: Vec<String> = target
        .shown
        .iter()
        .flat_map(|shown| shown.initiators.iter().map(|initiator| format!("{initiator}/lun_{}", shown.unit)))
        .collect();
    let units = target.shown.iter().map(|shown| format!("lun_{}={}", shown.unit, shown.serial.lv()));
    let volumes = target.shown.iter().map(|shown| shown.serial.lv());
    line(format!("only_mapped {}", listed(mapped)));
    line(format!("only_admitted {}", listed(target.admitted.keys().cloned())));
    line(format!("only_units {}", listed(units)));
    line(format!("only_volumes {}", listed(volumes)));
    for shown in &target.shown {
        let (device, serial) = (quoted(&shown.device), &shown.serial);
        line(format!("volume {} {serial} {device} {}", quoted(&serial.lv()), shown.unit));
    }
    for (initiator, login) in &target.admitted {
        line(format!("admit {} {}", quoted(initiator), login.as_ref().map(words).unwrap_or_default()));
    }
    for shown in &target.shown {
        for initiator in &shown.initiators {
            line(format!("map {} {}", quoted(initiator), shown.unit));
        }
    }
    let authentication = target.admitted.values().any(Option::is_some);
    line(format!(
        "listen {} {}",
        u8::from(authentication),
        listed(target.portals.iter().map(ToString::to_string))
    ));
    script
}

fn words(login: &Login) -> String {
    let back = login.back.as_ref();
    let back =
        back.map(|(user, password)| format!(" {} {}", quoted(user), quoted(password))).unwrap_or_default();
    format!("{} {}{back}", quoted(&login.user), quoted(&login.password))
}

fn listed(words: impl IntoIterator<Item = String>) -> String {
    words.into_iter().map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// One word of the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Linux' target by its directories (kernel, Documentation/target/scripts.rst and drivers/target). A directory of links is taken down
/// from its links; each `only_…` is given what may stay. What is so already costs no process: there may be thousands of volumes.
const SHOW: &str = r#"
core=/sys/kernel/config/target/core/iblock_7070
fabric=/sys/kernel/config/target/iscsi
tpg=$fabric/$iqn/tpgt_1
if [ ! -d "$fabric" ]; then
    modprobe --quiet --all target_core_mod target_core_iblock iscsi_target_mod || true
    grep -q ' /sys/kernel/config ' /proc/mounts || mount -t configfs configfs /sys/kernel/config
    [ -d /sys/kernel/config/target ] || exit 42
    mkdir "$fabric"
fi
[ -d "$core" ] || mkdir "$core"
[ -d "$tpg" ] || mkdir -p "$tpg"
echo 0 >"$tpg/attrib/generate_node_acls"
echo 0 >"$tpg/attrib/cache_dynamic_acls"

# No name has a space.
is_among() {
    case $2 in *" $1 "*) return 0 ;; esac
    return 1
}
take_down() {
    for link in "$1"/*; do if [ -L "$link" ]; then rm "$link"; fi; done
    rmdir "$1"
}
only_mapped() {
    for unit in "$tpg"/acls/*/lun_*; do
        [ -d "$unit" ] || continue
        is_among "${unit#"$tpg/acls/"}" " $* " || take_down "$unit"
    done
}
only_admitted() {
    for acl in "$tpg"/acls/*; do
        [ -d "$acl" ] || continue
        is_among "${acl##*/}" " $* " || rmdir "$acl"
    done
}
# UNIT=VOLUME …
only_units() {
    for unit in "$tpg"/lun/lun_*; do
        [ -d "$unit" ] || continue
        after=" $* "
        after=${after#*" ${unit##*/}="}
        [ "$unit/of" -ef "$core/${after%% *}" ] || take_down "$unit"
    done
}
only_volumes() {
    for volume in "$core"/sanfleet-*; do
        [ -d "$volume" ] || continue
        is_among "${volume##*/}" " $* " || rmdir "$volume"
    done
}
# volume NAME SERIAL DEVICE UNIT
volume() {
    [ -d "$core/$1" ] || mkdir "$core/$1"
    read -r enabled <"$core/$1/enable"
    if [ "$enabled" != 1 ]; then
        [ -b "$3" ] || lvm lvchange --activate y --ignoreactivationskip "${3#/dev/}"
        echo "udev_path=$3" >"$core/$1/control"
        echo "$2" >"$core/$1/wwn/vpd_unit_serial"
        echo 1 >"$core/$1/enable"
    fi
    [ -d "$tpg/lun/lun_$4" ] || mkdir "$tpg/lun/lun_$4"
    [ -L "$tpg/lun/lun_$4/of" ] || ln -s "$core/$1" "$tpg/lun/lun_$4/of"
}
# admit INITIATOR [USER PASSWORD [USER PASSWORD]]
admit() {
    [ -d "$tpg/acls/$1" ] || mkdir "$tpg/acls/$1"
    printf %s "${2:-NULL}" >"$tpg/acls/$1/auth/userid"
    printf %s "${3:-NULL}" >"$tpg/acls/$1/auth/password"
    printf %s "${4:-NULL}" >"$tpg/acls/$1/auth/userid_mutual"
    printf %s "${5:-NULL}" >"$tpg/acls/$1/auth/password_mutual"
}
# map INITIATOR UNIT
map() {
    [ -d "$tpg/acls/$1/lun_$2" ] || mkdir "$tpg/acls/$1/lun_$2"
    [ -L "$tpg/acls/$1/lun_$2/of" ] || ln -s "$tpg/lun/lun_$2" "$tpg/acls/$1/lun_$2/of"
}
# listen AUTHENTICATION PORTAL…
listen() {
    echo "$1" >"$tpg/attrib/authentication"
    shift
    for portal; do [ -d "$tpg/np/$portal" ] || mkdir "$tpg/np/$portal"; done
    read -r enabled <"$tpg/enable"
    [ "$enabled" = 1 ] || echo 1 >"$tpg/enable"
}
"#;

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Write, process::Command};

    use proptest::prelude::*;

    use super::*;

    /// What the shell makes of a word.
    fn read_by_shell(word: &str) -> Vec<u8> {
        let script = format!("printf %s {}", quoted(word));
        Command::new("sh").args(["-c", &script]).output().unwrap().stdout
    }

    #[test]
    fn every_script_is_one_that_a_shell_can_read() {
        let serial = Serial::mint();
        let pool = PoolRow { group: "vg".into(), name: "pool".into(), size: 1 << 40, free: 0 };
        let new = New { serial: &serial, name: "it's a \"name\"; rm -rf $HOME" };
        let row = VolumeRow {
            group: "vg".into(),
            pool: "p".into(),
            serial: serial.clone(),
            name: "n".into(),
            size: 1,
        };
        let login =
            Login { user: "u's".into(), password: "p`w$".into(), back: Some(("t".into(), "b".into())) };
        let shown = super::super::Shown {
            serial: serial.clone(),
            device: "/dev/vg/x".into(),
            unit: 7,
            initiators: ["iqn.2026-01.example:a".to_owned()].into(),
        };
        let target = Target {
            name: "iqn.2003-01.org.linux-iscsi.h:x".into(),
            portals: vec!["192.0.2.1:3260".parse().unwrap(), "[2001:db8::1]:3260".parse().unwrap()],
            shown: vec![shown],
            admitted: BTreeMap::from([("iqn.2026-01.example:a".to_owned(), Some(login))]),
        };
        let all = [
            outline(),
            survey(),
            make(new, &pool, 1 << 30),
            copy(new, &serial),
            grow(&row, 5),
            remove(&row),
            keep(Some("{}"), "{\"a\":'b'}"),
            show("{}", &target),
        ];
        for script in all {
            let mut shell =
                Command::new("sh").args(["-n", "-s"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
            shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(shell.wait().unwrap().success(), "{script}");
        }
    }

    #[test]
    fn a_name_is_a_tag_of_harmless_characters() {
        let serial = Serial::mint();
        let pool = PoolRow { group: "vg".into(), name: "pool".into(), size: 1, free: 0 };
        let script = make(New { serial: &serial, name: "größe '1'" }, &pool, 1);
        assert!(
            script.contains(" sanfleet.name.6772c3b6c39f6520273127 ") && !script.contains("größe"),
            "{script}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_word_is_one_word_whatever_is_in_it(word in "[^\0]{0,40}") {
            prop_assert_eq!(read_by_shell(&word), word.as_bytes());
        }
    }
}
