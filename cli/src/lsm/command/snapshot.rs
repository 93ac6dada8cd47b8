//! Snapshots of file systems.

use crate::lsm::{
    args::{FsSnapCreate, FsSnapDelete, FsSnapRestore},
    console::Console,
    stop::Stop,
};

pub async fn create(console: &mut Console<'_>, args: FsSnapCreate) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let answer = console.session.fs_snapshot_create(&fs, &args.name).await?;
    let snapshot = console.made("snapshot-create", answer).await?;
    console.out.show(&[snapshot])
}

pub async fn delete(console: &mut Console<'_>, args: FsSnapDelete) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let snapshot = console.snapshot(&fs, &args.snap).await?;
    if !console.may_lose_data(true)? {
        return Ok(());
    }
    let job = console.session.fs_snapshot_delete(&fs, &snapshot).await?;
    console.done("fs_snap_delete", job).await
}

/// All files, unless some are named.
pub async fn restore(console: &mut Console<'_>, args: FsSnapRestore) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let snapshot = console.snapshot(&fs, &args.snap).await?;
    let all = args.files.is_empty();
    if !all && !args.new_names.is_empty() && args.files.len() != args.new_names.len() {
        return Err(Stop::Usage("number of --file not equal to --fileas".to_owned()));
    }
    if !console.may_lose_data(true)? {
        return Ok(());
    }
    let job = console.session.fs_snapshot_restore(&fs, &snapshot, &args.files, &args.new_names, all).await?;
    console.done("fs-snap-restore", job).await
}
