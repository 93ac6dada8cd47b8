//! Somebody who may rename a directory on the way to a mount point tries to lead mounts and unmounts to another place.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sanfleet_agent::{
    fabric::Wanted,
    host::{Host, HostError, MountOptions},
    verify::verify,
};

use crate::lab::{Lab, must, soon, volume};

const SWAPS: u32 = 100_000;
/// The directory is what it should be for so long after each pair of swaps, so that some mounts come through.
const CALM: Duration = Duration::from_micros(60);
const AT_MOST: Duration = Duration::from_secs(120);

/// Exchanges a directory and a symbolic link, there and back, until it is told to stop.
fn swap_until(stop: &AtomicBool, swaps: &AtomicU32, real: &Path, link: &Path) {
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..2 {
            renameat_with(CWD, real, CWD, link, RenameFlags::EXCHANGE).unwrap();
            swaps.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(CALM);
    }
}

fn mounts_at(lab: &Lab, place: &Path) -> usize {
    lab.mounts().iter().filter(|at| Path::new(at) == place).count()
}

#[test]
fn of_a_hundred_thousand_swaps_none_leads_a_mount_or_an_unmount_astray() {
    let lab = Lab::new();
    let host = lab.host();
    lab.publish(0, &lab.make("a", "ext4").unwrap(), &volume(1));
    host.rescan("loop", Wanted::anywhere(&volume(1)), soon()).unwrap();

    let [real, link, victim] = ["way", "trap", "victim"].map(|name| lab.path().join(name));
    fs::create_dir_all(real.join("here")).unwrap();
    fs::create_dir_all(victim.join("here")).unwrap();
    symlink(&victim, &link).unwrap();
    let theirs = victim.join("here");
    must("mount", &["-t", "tmpfs", "theirs", theirs.to_str().unwrap()]);

    let (stop, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    let (at, options) = (lab.at("way/here"), MountOptions { file_system: "ext4".into(), read_write: true });
    let mut came_through = [0u32; 2];
    std::thread::scope(|scope| {
        scope.spawn(|| swap_until(&stop, &swaps, &real, &link));
        let since = Instant::now();
        while swaps.load(Ordering::Relaxed) < SWAPS && since.elapsed() < AT_MOST {
            let device = verify(&host, &volume(1)).unwrap();
            came_through[0] += u32::from(host.mount(&device, &at, &options).is_ok());
            drop(device);
            came_through[1] += u32::from(host.unmount(&at).is_ok());
            if mounts_at(&lab, &theirs) != 1 {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        mounts_at(&lab, &theirs),
        1,
        "a mount went astray, or another's was taken away: {:?}",
        lab.mounts()
    );
    assert!(swaps.into_inner() >= SWAPS, "too slow: {came_through:?} came through");
    assert!(came_through.iter().all(|count| *count > 0), "{came_through:?}");
}

#[test]
fn a_mount_point_below_a_directory_that_others_may_change_is_refused() {
    let lab = Lab::new();
    let host = lab.host();
    let (shared, theirs) = (lab.path().join("shared"), lab.path().join("theirs"));
    for directory in [&shared, &theirs] {
        fs::create_dir_all(directory.join("here")).unwrap();
    }
    let refused = |at: &str, why: &str| match host.check_mount_point(&lab.at(at)) {
        Err(HostError::Invalid { why: said, .. }) => assert!(said.contains(why), "{said}"),
        other => panic!("{other:?}"),
    };
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    refused("shared/here", "written to by others");
    refused("shared/made", "written to by others");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    host.check_mount_point(&lab.at("shared/here")).unwrap();
    // In a directory that all write to, the mount point itself has to be ours.
    chown(shared.join("here"), Some(65534), None).unwrap();
    refused("shared/here", "belongs to user 65534");

    // Whoever owns the mount point alone cannot lead it anywhere.
    chown(theirs.join("here"), Some(65534), None).unwrap();
    host.check_mount_point(&lab.at("theirs/here")).unwrap();
    chown(&theirs, Some(65534), None).unwrap();
    refused("theirs/here", "belongs to user 65534");
}
