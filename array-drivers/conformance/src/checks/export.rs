//! File systems served over NFS.

use sanfleet_driver::{AnonymousId, Capability, ErrorNumber, FileSystem, NfsExport};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, refused, that},
    ghost,
    stage::Stage,
};

const HOST: &str = "192.0.2.77";
const OTHER_HOST: &str = "192.0.2.78";

checks!("export", reads [
    the_kinds_of_authentication_are_told,
], changes [
    an_exported_file_system_is_listed_with_its_hosts,
    a_path_of_our_own_is_kept_where_that_is_claimed,
    exporting_the_same_path_again_changes_the_export,
    what_is_not_there_is_not_exported,
    a_removed_export_is_no_longer_listed,
]);

async fn the_kinds_of_authentication_are_told(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::EXPORT_AUTH])?;
    let kinds = array.session.export_auth().await?;
    that(!kinds.is_empty(), "the kinds of authentication", "at least one", &kinds)
}

async fn an_exported_file_system_is_listed_with_its_hosts(stage: &Stage) -> Verdict {
    let (mut array, fs) = exportable(stage).await?;
    let made = export(&mut array, &fs, None, HOST).await?;
    equal("its file system", &made.fs_id, &fs.id)?;
    that(made.export_path.starts_with('/'), "its path", "one from the root", &made)?;
    that(made.rw.iter().any(|host| host == HOST), "the hosts that write", HOST, &made)?;
    until_listed(&mut array, &made, true).await
}

async fn a_path_of_our_own_is_kept_where_that_is_claimed(stage: &Stage) -> Verdict {
    let (mut array, fs) = exportable(stage).await?;
    array.needs(&[Capability::EXPORT_CUSTOM_PATH])?;
    let path = format!("/{}", stage.name());
    let made = export(&mut array, &fs, Some(&path), HOST).await?;
    equal("its path", made.export_path.as_str(), path.as_str())
}

async fn exporting_the_same_path_again_changes_the_export(stage: &Stage) -> Verdict {
    let (mut array, fs) = exportable(stage).await?;
    array.needs(&[Capability::EXPORT_CUSTOM_PATH])?;
    let path = format!("/{}", stage.name());
    let first = export(&mut array, &fs, Some(&path), HOST).await?;
    let second = export(&mut array, &fs, Some(&path), OTHER_HOST).await?;
    that(second.rw.iter().any(|host| host == OTHER_HOST), "the hosts that write", OTHER_HOST, &second)?;
    let paths = array.session.exports(None).await?.iter().filter(|export| export.export_path == path).count();
    equal("the exports of one path", paths, 1)?;
    equal("its id", second.id, first.id)
}

async fn what_is_not_there_is_not_exported(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::EXPORT_FS])?;
    let nothing = ghost::file_system(&array.system);
    let hosts = [HOST.to_owned()];
    let none = AnonymousId::NOT_AVAILABLE;
    let outcome = array.session.export_fs(&nothing.id, None, &[], &hosts, &[], none, none, None, None).await;
    refused("an export of no file system", outcome, &[ErrorNumber::NotFoundFileSystem])
}

async fn a_removed_export_is_no_longer_listed(stage: &Stage) -> Verdict {
    let (mut array, fs) = exportable(stage).await?;
    let made = export(&mut array, &fs, None, HOST).await?;
    array.session.export_remove(&made).await?;
    until_listed(&mut array, &made, false).await?;
    refused("removing it again", array.session.export_remove(&made).await, &[ErrorNumber::NotFoundNfsExport])
}

async fn exportable(stage: &Stage) -> Verdict<(Array<'_>, FileSystem)> {
    let mut array = stage.array().await?;
    array.needs(&[Capability::EXPORTS, Capability::EXPORT_FS, Capability::EXPORT_REMOVE])?;
    let fs = array.file_system().await?;
    Ok((array, fs))
}

async fn export(
    array: &mut Array<'_>,
    fs: &FileSystem,
    path: Option<&str>,
    host: &str,
) -> Verdict<NfsExport> {
    let (hosts, none) = ([host.to_owned()], AnonymousId::NOT_AVAILABLE);
    Ok(array.session.export_fs(&fs.id, path, &[], &hosts, &[], none, none, None, None).await?)
}

async fn until_listed(array: &mut Array<'_>, export: &NfsExport, listed: bool) -> Verdict {
    let expected = if listed { format!("with {export:?}") } else { format!("without {export:?}") };
    let export = export.clone();
    array
        .until("the exports", &expected, async |array| {
            let seen = array.session.exports(None).await?;
            Ok(Look::at(seen.iter().any(|seen| seen.id == export.id) == listed, seen))
        })
        .await
}
