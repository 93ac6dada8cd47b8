//! File systems served over NFS.

use sanfleet_driver::{AnonymousId, ErrorNumber};

use crate::lsm::{
    args::{FsExport, FsUnexport, Host},
    console::Console,
    stop::Stop,
};

pub async fn export(console: &mut Console<'_>, args: FsExport) -> Result<(), Stop> {
    let fs = console.file_system(&args.fs).await?;
    let (root, rw, ro) = (names(&args.root_hosts), names(&args.rw_hosts), names(&args.ro_hosts));
    if rw.is_empty() && ro.is_empty() {
        return Err(Stop::Usage(" please specify --ro-host or --rw-host".to_owned()));
    }
    if let Some(host) = rw.iter().find(|host| ro.contains(host)) {
        let why = format!("Host {host} is in both the read-write and the read-only list");
        return Err(Stop::refused(ErrorNumber::InvalidArgument, why));
    }
    let (anon_uid, anon_gid) = (anonymous(args.anon_uid)?, anonymous(args.anon_gid)?);
    let (path, auth) = (args.export_path.as_deref(), args.auth_type.as_deref());
    let export =
        console.session.export_fs(&fs.id, path, &root, &rw, &ro, anon_uid, anon_gid, auth, None).await?;
    console.out.show(&[export])
}

pub async fn unexport(console: &mut Console<'_>, args: FsUnexport) -> Result<(), Stop> {
    let export = console.export(&args.export).await?;
    Ok(console.session.export_remove(&export).await?)
}

fn names(hosts: &[Host]) -> Vec<String> {
    hosts.iter().map(|host| host.0.clone()).collect()
}

fn anonymous(id: Option<u64>) -> Result<AnonymousId, Stop> {
    let Some(id) = id else { return Ok(AnonymousId::NOT_AVAILABLE) };
    let refuse =
        |_| Stop::refused(ErrorNumber::InvalidArgument, format!("no user or group has the number {id}"));
    i64::try_from(id).map(AnonymousId).map_err(refuse)
}
