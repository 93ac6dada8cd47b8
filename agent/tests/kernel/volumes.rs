//! Volumes come, are mounted, unmounted and go; wrong ones are refused.

use std::{fs, io::Write, os::unix::fs::symlink, process::Stdio};

use sanfleet_agent::{
    actions::{ActionError, Quiesced, await_volume, detach::detach, mount, rescan::rescan, unmount::unmount},
    fabric::Wanted,
    host::{Host, linux::LinuxHost},
};
use sanfleet_protocol::{Layers, MountPoint, QuiesceBy, VolumeId, v1};
use v1::command_error::Kind;

use crate::lab::{Lab, VOLUME_BYTES, must, soon, try_run, until, volume};

fn attach(lab: &Lab, host: &LinuxHost, id: &VolumeId) -> String {
    rescan(host, "loop", Wanted::anywhere(id), soon()).unwrap();
    match await_volume::wait_for(soon(), || await_volume::look(host, &lab.ledger, id)).unwrap().detail {
        Some(v1::command_done::Detail::Device(device)) => device.device,
        other => panic!("{other:?}"),
    }
}

fn request(id: &VolumeId, at: &MountPoint, kind: &str, read_write: bool) -> mount::Request {
    mount::Request {
        volume: id.clone(),
        at: at.clone(),
        read_write,
        file_system: kind.into(),
        layers: Layers::default(),
    }
}

fn options_of(at: &MountPoint) -> String {
    must("findmnt", &["--noheadings", "--output", "OPTIONS", at.as_str()])
}

fn assert_kind<T: std::fmt::Debug>(result: Result<T, ActionError>, kind: Kind) -> String {
    let error = result.unwrap_err().to_command_error();
    assert_eq!(error.kind(), kind, "{}", error.message);
    error.message
}

#[test]
fn a_volume_that_is_offered_is_attached_once_and_goes_without_a_trace() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(3, &lab.make("a", "ext4").unwrap(), &volume(1));
    lab.publish(4, &lab.make("b", "ext4").unwrap(), &volume(2));
    assert!(rescan(&host, "loop", Wanted::anywhere(&volume(1)), soon()).unwrap().changed);
    assert!(!rescan(&host, "loop", Wanted::anywhere(&volume(1)), soon()).unwrap().changed);
    assert_eq!(lab.loops().len(), 1, "only what was asked for");
    let name = attach(&lab, &host, &volume(1));
    assert_eq!(lab.loops(), [name]);
    assert!(detach(&host, &lab.ledger, &volume(1), soon()).unwrap().changed);
    assert!(lab.loops().is_empty());
    assert!(!detach(&host, &lab.ledger, &volume(1), soon()).unwrap().changed);
    assert_eq!(lab.ledger.attachment(&volume(1)), None);
}

#[test]
fn two_that_rescan_at_once_attach_the_volume_once() {
    let lab = Lab::new();
    lab.publish(3, &lab.make("a", "ext4").unwrap(), &volume(1));
    let changed = std::thread::scope(|scope| {
        let rescans: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| lab.host().rescan("loop", Wanted::anywhere(&volume(1)), soon()).unwrap()))
            .collect();
        rescans.into_iter().filter_map(|rescan| rescan.join().unwrap().then_some(())).count()
    });
    assert_eq!(changed, 1);
    assert_eq!(lab.loops().len(), 1);
}

#[test]
fn every_file_system_is_mounted_as_asked_and_unmounted_again() {
    for kind in ["ext2", "ext3", "ext4", "xfs", "btrfs"] {
        let lab = Lab::new();
        let host = lab.host();
        let Some(file) = lab.make("a", kind) else { continue };
        lab.publish(0, &file, &volume(1));
        attach(&lab, &host, &volume(1));
        for read_write in [false, true] {
            let at = lab.at("made/here");
            let request = request(&volume(1), &at, kind, read_write);
            let mounting =
                || mount::mount(&host, &lab.ledger, &request, soon()).map_err(|e| e.to_command_error());
            assert!(mounting().unwrap().changed, "{kind}");
            assert!(!mounting().unwrap().changed, "{kind}");
            let options = options_of(&at);
            for option in ["nodev", "nosuid", if read_write { "rw" } else { "ro" }] {
                assert!(options.split(',').any(|o| o == option), "{kind}: {option} in {options}");
            }
            assert_eq!(fs::write(at.as_path().join("file"), b"data").is_ok(), read_write, "{kind}");
            let other_mode = mount::Request { read_write: !read_write, ..request.clone() };
            assert_kind(mount::mount(&host, &lab.ledger, &other_mode, soon()), Kind::Busy);
            assert_kind(detach(&host, &lab.ledger, &volume(1), soon()), Kind::Busy);
            assert!(unmount(&host, &lab.ledger, &volume(1), &at, soon()).unwrap().changed, "{kind}");
            assert!(!unmount(&host, &lab.ledger, &volume(1), &at, soon()).unwrap().changed, "{kind}");
            assert!(!lab.path().join("made").exists(), "a directory that was made stays");
        }
        assert!(detach(&host, &lab.ledger, &volume(1), soon()).unwrap().changed);
    }
}

#[test]
fn a_copy_is_mounted_beside_its_source_though_they_have_one_uuid() {
    for kind in ["ext4", "xfs"] {
        let lab = Lab::new();
        let host = lab.host();
        let Some(file) = lab.make("a", kind) else { continue };
        fs::copy(&file, lab.path().join("b")).unwrap();
        lab.publish(0, &file, &volume(1));
        lab.publish(1, &lab.path().join("b"), &volume(2));
        for (n, name) in [(1, "source"), (2, "copy")] {
            attach(&lab, &host, &volume(n));
            mount::mount(&host, &lab.ledger, &request(&volume(n), &lab.at(name), kind, true), soon())
                .unwrap();
        }
        assert_eq!(lab.mounts().len(), 2, "{kind}");
    }
}

#[test]
fn a_place_that_is_not_an_empty_directory_of_its_own_is_refused() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    attach(&lab, &host, &volume(1));
    for directory in ["full", "real", "taken"] {
        fs::create_dir(lab.path().join(directory)).unwrap();
    }
    fs::write(lab.path().join("full/file"), b"").unwrap();
    fs::write(lab.path().join("plain"), b"").unwrap();
    symlink(lab.path().join("real"), lab.path().join("link")).unwrap();
    must("mount", &["-t", "tmpfs", "tmpfs", lab.at("taken").as_str()]);
    for (place, kind) in [
        ("full", Kind::Invalid),
        ("plain", Kind::Invalid),
        ("link", Kind::Invalid),
        ("link/below", Kind::Invalid),
        ("taken", Kind::Busy),
    ] {
        let at = lab.at(place);
        assert_kind(host.check_mount_point(&at).map_err(ActionError::from), kind);
        assert_kind(mount::mount(&host, &lab.ledger, &request(&volume(1), &at, "ext4", true), soon()), kind);
    }
    for place in ["real", "new/below"] {
        host.check_mount_point(&lab.at(place)).unwrap();
    }
    assert!(!lab.path().join("new").exists(), "a check changes nothing");
    must("umount", &[lab.at("taken").as_str()]);
}

#[test]
fn another_file_system_than_the_one_asked_for_is_refused() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    attach(&lab, &host, &volume(1));
    for kind in ["xfs", "vfat", ""] {
        let request = request(&volume(1), &lab.at("here"), kind, false);
        assert_kind(mount::mount(&host, &lab.ledger, &request, soon()), Kind::Invalid);
    }
    assert!(!lab.path().join("here").exists());
}

#[test]
fn a_busy_file_system_is_not_unmounted_and_the_error_says_who_uses_it() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    attach(&lab, &host, &volume(1));
    let at = lab.at("here");
    mount::mount(&host, &lab.ledger, &request(&volume(1), &at, "ext4", true), soon()).unwrap();
    let file = fs::File::create(at.as_path().join("open")).unwrap();
    let message = assert_kind(unmount(&host, &lab.ledger, &volume(1), &at, soon()), Kind::Busy);
    assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
    drop(file);
    unmount(&host, &lab.ledger, &volume(1), &at, soon()).unwrap();
}

#[test]
fn a_device_that_is_mounted_where_we_cannot_see_it_is_not_detached() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    let name = attach(&lab, &host, &volume(1));
    fs::create_dir(lab.path().join("hidden")).unwrap();
    let script = format!("mount /dev/{name} {} && touch {} && read line", lab.at("hidden"), lab.at("ready"));
    let mut other = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    until("it is mounted in its own namespace", || lab.path().join("ready").exists());
    assert!(lab.mounts().is_empty());
    let refused = detach(&host, &lab.ledger, &volume(1), soon());
    let still_there = lab.loops();
    other.stdin.take().unwrap().write_all(b"\n").unwrap();
    other.wait().unwrap();
    assert_kind(refused, Kind::Busy);
    assert_eq!(still_there, [name]);
    until("it can be detached", || detach(&host, &lab.ledger, &volume(1), soon()).is_ok());
    assert!(lab.loops().is_empty());
}

#[test]
fn a_unit_that_was_given_to_another_volume_is_refused_with_both_ids() {
    let lab = Lab::new();
    let host = lab.host();
    let (a, b) = (lab.make("a", "ext4").unwrap(), lab.make("b", "ext4").unwrap());
    // Behind the agent's back the array gives the unit to another volume, and the device follows.
    let name = std::iter::repeat_with(|| {
        lab.publish(0, &a, &volume(1));
        let name = attach(&lab, &host, &volume(1));
        lab.unpublish(0);
        lab.publish(0, &b, &volume(2));
        let device = format!("/dev/{name}");
        must("losetup", &["--detach", &device]);
        until("it is unbound", || lab.loops().is_empty());
        let bound = try_run("losetup", &[&device, lab.unit(0).join("disk").to_str().unwrap()]);
        // In between, another test may take a device that is free.
        bound.map(|_| name).inspect_err(|_| lab.unpublish(0)).ok()
    });
    let name = name.take(20).flatten().next().unwrap();

    let request = request(&volume(1), &lab.at("here"), "ext4", false);
    let messages = [
        assert_kind(mount::mount(&host, &lab.ledger, &request, soon()), Kind::WrongVolume),
        assert_kind(detach(&host, &lab.ledger, &volume(1), soon()), Kind::WrongVolume),
        assert_kind(
            await_volume::wait_for(soon(), || await_volume::look(&host, &lab.ledger, &volume(1))),
            Kind::WrongVolume,
        ),
    ];
    for message in messages {
        for id in [volume(1), volume(2)] {
            assert!(message.contains(&id.to_string()), "{message}");
        }
    }
    assert!(lab.mounts().is_empty());
    assert_eq!(lab.loops(), [name], "the other volume's device is left alone");
}

#[test]
fn a_unit_whose_file_was_replaced_below_its_device_is_neither_volume() {
    let lab = Lab::new();
    let host = lab.host();
    let (a, b) = (lab.make("a", "ext4").unwrap(), lab.make("b", "ext4").unwrap());
    lab.publish(0, &a, &volume(1));
    attach(&lab, &host, &volume(1));
    // The device still reads the first volume, while the path behind it belongs to the second one.
    lab.unpublish(0);
    lab.publish(0, &b, &volume(2));
    for wanted in [volume(1), volume(2)] {
        let request = request(&wanted, &lab.at("here"), "ext4", false);
        let error = mount::mount(&host, &lab.ledger, &request, soon()).unwrap_err();
        assert!(matches!(error.kind(), Kind::WrongVolume | Kind::NotFound), "{error}");
    }
    assert!(lab.mounts().is_empty());
}

#[test]
fn what_is_mounted_but_not_the_volume_is_not_unmounted() {
    let lab = Lab::new();
    let host = lab.host();
    for n in [1, 2] {
        lab.publish(n.into(), &lab.make(&format!("v{n}"), "ext4").unwrap(), &volume(n));
        attach(&lab, &host, &volume(n));
    }
    let at = lab.at("here");
    mount::mount(&host, &lab.ledger, &request(&volume(1), &at, "ext4", false), soon()).unwrap();
    let message = assert_kind(unmount(&host, &lab.ledger, &volume(2), &at, soon()), Kind::WrongVolume);
    for id in [volume(1), volume(2)] {
        assert!(message.contains(&id.to_string()), "{message}");
    }
    assert_eq!(lab.mounts().len(), 1);
}

#[test]
fn a_mount_whose_volume_was_taken_back_by_the_array_can_still_be_unmounted() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    attach(&lab, &host, &volume(1));
    let at = lab.at("here");
    mount::mount(&host, &lab.ledger, &request(&volume(1), &at, "ext4", false), soon()).unwrap();
    lab.unpublish(0);
    assert!(unmount(&host, &lab.ledger, &volume(1), &at, soon()).unwrap().changed);
    assert_kind(detach(&host, &lab.ledger, &volume(1), soon()), Kind::WrongVolume);
}

#[test]
fn a_source_is_told_by_its_mount_point_and_a_part_of_one_is_refused() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    let name = attach(&lab, &host, &volume(1));
    let at = lab.at("here");
    mount::mount(&host, &lab.ledger, &request(&volume(1), &at, "ext4", true), soon()).unwrap();
    let quiesced = Quiesced::default();
    let check = |at: &MountPoint| lab.check_source(at, QuiesceBy::Fsfreeze, &quiesced);
    let Some(v1::command_done::Detail::Source(source)) = check(&at).unwrap().detail else { panic!() };
    assert_eq!(source.volume_ids, [volume(1).to_string()]);
    assert_eq!((source.device, source.size_bytes), (name, VOLUME_BYTES));
    assert_eq!(source.file_system.unwrap().r#type, "ext4");

    fs::create_dir(at.as_path().join("sub")).unwrap();
    fs::create_dir(lab.path().join("bound")).unwrap();
    must("mount", &["--bind", lab.at("here/sub").as_str(), lab.at("bound").as_str()]);
    for bad in ["bound", "nowhere", "state"] {
        assert_kind(check(&lab.at(bad)), Kind::Invalid);
    }
}
