//! Loop devices and mounts below a folder of ours: made, found again, and taken down, never any other.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::process::run;

/// The kernel's names of the loop devices whose backing file is below `folder`.
pub fn loops_below(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/sys/block") else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_below = |name: &String| {
        let backing = fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).unwrap_or_default();
        Path::new(backing.trim()).starts_with(folder)
    };
    names.filter(|name| name.starts_with("loop")).filter(is_below).collect()
}

/// Mount points below `folder` as a process sees them (`self`, or a pid), the deepest first.
pub fn mounts_below(process: &str, folder: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap_or_default();
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut found: Vec<PathBuf> =
        points.filter(|point| point.starts_with(folder) && point != folder).collect();
    found.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
    found
}

/// Takes down every mount and loop device below a folder that a run before us left behind.
pub fn clear(folder: &Path) -> anyhow::Result<()> {
    // Devices on a mounted store first, or the store would be busy.
    for name in loops_below(folder) {
        run("losetup", &["--detach", &format!("/dev/{name}")])?;
    }
    for mount in mounts_below("self", folder) {
        run("umount", &[&mount.to_string_lossy()])?;
    }
    Ok(())
}

/// An XFS with reflinks in a sparse file, mounted: what gives the simulated array clones that cost nothing.
pub fn make_reflink_store(image: &Path, at: &Path, size_bytes: u64) -> anyhow::Result<()> {
    fs::File::create(image)?.set_len(size_bytes)?;
    fs::create_dir_all(at)?;
    let (image, at) = (image.to_string_lossy(), at.to_string_lossy());
    run("mkfs.xfs", &["-q", "-f", "-m", "reflink=1", &image])?;
    run("mount", &["-o", "loop", &image, &at])?;
    Ok(())
}
