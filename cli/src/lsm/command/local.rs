//! The disks and slots of this host: no array is asked.

use sanfleet_driver::ErrorNumber;

use crate::lsm::{
    args::{Command, LocalLedSlotSet},
    console::Out,
    lamp::{Lamp, Lamps, slots},
    local_disk,
    stop::Stop,
    sysfs::Folder,
};

/// Carries out a command that needs no array; none for one that does.
pub fn run_here(out: &Out, sysfs: &Folder, command: &Command) -> Option<Result<(), Stop>> {
    match command {
        Command::LocalDiskList(_) => Some(list(out, sysfs)),
        Command::LocalDiskIdentLedOn(args) => Some(set_disk(sysfs, &args.path, Lamp::Ident, true)),
        Command::LocalDiskIdentLedOff(args) => Some(set_disk(sysfs, &args.path, Lamp::Ident, false)),
        Command::LocalDiskFaultLedOn(args) => Some(set_disk(sysfs, &args.path, Lamp::Fault, true)),
        Command::LocalDiskFaultLedOff(args) => Some(set_disk(sysfs, &args.path, Lamp::Fault, false)),
        Command::LocalLedSlotList(_) => Some(list_slots(out, sysfs)),
        Command::LocalLedSlotSet(args) => Some(set_slot(sysfs, args)),
        _ => None,
    }
}

fn list(out: &Out, sysfs: &Folder) -> Result<(), Stop> {
    // A host without sysfs has no disks that we could tell.
    out.show(&local_disk::list(sysfs).unwrap_or_default())
}

fn set_disk(sysfs: &Folder, path: &str, lamp: Lamp, on: bool) -> Result<(), Stop> {
    // Without an enclosure there are no lamps, whatever disk is meant.
    if slots(sysfs).is_empty() {
        return Err(no_lamps(path));
    }
    let disk = local_disk::find(sysfs, path)
        .ok_or_else(|| Stop::refused(ErrorNumber::NotFoundDisk, format!("this host has no disk {path}")))?;
    let lamps = Lamps::of_disk(&disk).ok_or_else(|| no_lamps(path))?;
    Ok(lamps.set(lamp, on)?)
}

fn list_slots(out: &Out, sysfs: &Folder) -> Result<(), Stop> {
    match slots(sysfs).as_slice() {
        [] => Err(no_lamps("the slots of this host")),
        slots => out.show(slots),
    }
}

fn set_slot(sysfs: &Folder, args: &LocalLedSlotSet) -> Result<(), Stop> {
    let slots = slots(sysfs);
    if slots.is_empty() {
        return Err(no_lamps(&args.slot));
    }
    let slot = slots.iter().find(|slot| slot.id == args.slot);
    let slot = slot.ok_or_else(|| Stop::Usage(format!("LED slot with ID {} not found!", args.slot)))?;
    args.state.each().try_for_each(|(lamp, on)| Ok(slot.lamps.set(lamp, on)?))
}

fn no_lamps(of: &str) -> Stop {
    Stop::refused(ErrorNumber::NoSupport, format!("the lamps of {of} cannot be reached from here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::{
        args::{Request, parse},
        layout::Style,
        sysfs::fake::Sysfs,
    };

    const SLOT: &str = "class/enclosure/0:0:24:0/Slot 01";

    fn enclosure() -> Sysfs {
        Sysfs::new()
            .with(&format!("{SLOT}/locate"), b"0\n")
            .with(&format!("{SLOT}/fault"), b"0\n")
            .with("block/sda/size", b"8\n")
            .with("block/sdb/size", b"8\n")
            .linked("block/sda/device/enclosure_device:Slot 01", SLOT)
    }

    fn run(sysfs: &Sysfs, words: &[&str]) -> Result<(), Stop> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let Ok(Request::Run(invocation)) = parse("lsmcli", "lsmcli", &words) else { panic!("{words:?}") };
        let out = Out { style: Style::default(), json: false };
        run_here(&out, &sysfs.root(), &invocation.command).unwrap()
    }

    fn shine(sysfs: &Sysfs) -> (bool, bool) {
        let on = |lamp: &str| sysfs.text(&format!("{SLOT}/{lamp}")).starts_with('1');
        (on("locate"), on("fault"))
    }

    #[test]
    fn each_command_sets_its_lamp_and_no_other() {
        let sysfs = enclosure();
        for (words, lamps) in [
            (&["ldilon", "--path", "/dev/sda"][..], (true, false)),
            (&["ldflon", "--path", "/dev/sda"], (true, true)),
            (&["ldiloff", "--path", "/dev/sda"], (false, true)),
            (&["ldfloff", "--path", "/dev/sda"], (false, false)),
            (
                &["local-led-slot-set", "--slot", "0:0:24:0/Slot 01", "--state", "IDENT_ON:FAULT_ON"],
                (true, true),
            ),
            (&["local-led-slot-set", "--slot", "0:0:24:0/Slot 01", "--state", "FAULT_OFF"], (true, false)),
        ] {
            run(&sysfs, words).unwrap();
            assert_eq!(shine(&sysfs), lamps, "{words:?}");
        }
        run(&sysfs, &["local-led-slot-list"]).unwrap();
    }

    #[test]
    fn what_has_no_lamps_is_told_from_what_is_not_there() {
        let refusal = |sysfs: &Sysfs, words: &[&str]| {
            let stop = run(sysfs, words).unwrap_err();
            (stop.exit(), stop.to_string())
        };
        let slot = ["local-led-slot-set", "--slot", "none", "--state", "IDENT_ON"];
        for words in [&["ldilon", "--path", "/dev/none"][..], &slot, &["local-led-slot-list"]] {
            let (exit, said) = refusal(&Sysfs::new(), words);
            assert!(exit == 4 && said.starts_with("NO_SUPPORT(153): "), "{words:?}: {said}");
        }
        let (exit, said) = refusal(&enclosure(), &["ldilon", "--path", "/dev/sdb"]);
        assert!(exit == 4 && said.starts_with("NO_SUPPORT(153): "), "{said}");
        for path in ["/dev/sdz", "/dev/sda1", "sda", "/dev/../block/sda", "/dev/"] {
            let (exit, said) = refusal(&enclosure(), &["ldilon", "--path", path]);
            assert!(exit == 4 && said.starts_with("NOT_FOUND_DISK(209): "), "{path}: {said}");
        }
        assert_eq!(refusal(&enclosure(), &slot), (2, "LED slot with ID none not found!".to_owned()));
    }
}
