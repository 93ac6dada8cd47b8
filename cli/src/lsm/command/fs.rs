//! File systems that the array serves, and files in them.

use sanfleet_driver::ErrorNumber;

use super::volume::truth;
use crate::lsm::{
    args::{FileClone, FsClone, FsCreate, FsDelete, FsDependants, FsDependantsRm, FsResize},
    console::Console,
    stop::Stop,
};

pub async fn create(console: &mut Console<'_>, args: FsCreate) -> Result<(), Stop> {
    let pool = console.pool(&args.pool).await?;
    let answer = console.session.fs_create(&pool, &args.name, args.size.0).await?;
    let fs = console.made("fs-create", answer).await?;
    console.out.show(&[fs])
}

pub async fn delete(console: &mut Console<'_>, args: FsDelete) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    if !console.may_lose_data(true)? {
        return Ok(());
    }
    let job = console.session.fs_delete(&fs).await?;
    console.done("fs-delete", job).await
}

pub async fn resize(console: &mut Console<'_>, args: FsResize) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    if fs.total_space == Some(args.size.0) {
        return Err(Stop::refused(ErrorNumber::NoStateChange, "Specified size same as current"));
    }
    if !console.may_lose_data(false)? {
        return Ok(());
    }
    let answer = console.session.fs_resize(&fs, args.size.0).await?;
    let fs = console.made("fs-resize", answer).await?;
    console.out.show(&[fs])
}

pub async fn clone(console: &mut Console<'_>, args: FsClone) -> Result<(), Stop> {
    let source = console.file_system_called("Source File System", &args.src_fs).await?;
    let snapshot = console.snapshot_if_wanted(&source, args.backing_snapshot.as_deref()).await?;
    let answer = console.session.fs_clone(&source, &args.dst_name, snapshot.as_ref()).await?;
    let fs = console.made("fs_clone", answer).await?;
    console.out.show(&[fs])
}

pub async fn clone_file(console: &mut Console<'_>, args: FileClone) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let snapshot = console.snapshot_if_wanted(&fs, args.backing_snapshot.as_deref()).await?;
    let job = console.session.fs_file_clone(&fs, &args.src, &args.dst, snapshot.as_ref()).await?;
    console.done("fs_file_clone", job).await
}

pub async fn dependants(console: &mut Console<'_>, args: FsDependants) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let has = console.session.fs_child_dependency(&fs, &args.files).await?;
    console.out.say(truth(has), has)
}

pub async fn dependants_rm(console: &mut Console<'_>, args: FsDependantsRm) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let job = console.session.fs_child_dependency_rm(&fs, &args.files).await?;
    console.done("fs-dependants-rm", job).await
}
