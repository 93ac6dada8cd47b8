//! `list`: the records of one type, all or those that a filter picks.

use sanfleet_driver::{
    AccessGroup, Battery, Disk, FileSystem, NfsExport, Pool, Search, Searchable, TargetPort, Volume,
};

use crate::lsm::{
    args::{List, ListType},
    console::Console,
    stop::Stop,
};

pub async fn list(console: &mut Console<'_>, args: List) -> Result<(), Stop> {
    let filter = filter(&args)?;
    match args.kind {
        ListType::Volumes => volumes(console, filter).await,
        ListType::Pools => {
            let search = search::<Pool>(filter, "pool_id", "pool listing.")?;
            let pools = console.session.pools(search.as_ref()).await?;
            console.out.show(&pools)
        }
        ListType::Fs => {
            let search = search::<FileSystem>(filter, "fs_id", "volume listing.")?;
            let systems = console.session.fs(search.as_ref()).await?;
            console.out.show(&systems)
        }
        ListType::Snapshots => snapshots(console, filter).await,
        ListType::Exports => {
            let search = search::<NfsExport>(filter, "nfs_export_id", "NFS Export listing")?;
            let exports = console.session.exports(search.as_ref()).await?;
            console.out.show(&exports)
        }
        ListType::NfsClientAuth => nfs_client_auth(console, filter).await,
        ListType::AccessGroups => access_groups(console, filter).await,
        ListType::Systems => {
            unfiltered(filter, "System listing with search is not supported")?;
            let systems = console.session.systems().await?;
            console.out.show(&systems)
        }
        ListType::Disks => {
            let search = search::<Disk>(filter, "disk_id", "disk listing")?;
            let disks = console.session.disks(search.as_ref()).await?;
            console.show_disks(disks)
        }
        ListType::TargetPorts => {
            let search = search::<TargetPort>(filter, "tgt_port_id", "target port listing")?;
            let ports = console.session.target_ports(search.as_ref()).await?;
            console.out.show(&ports)
        }
        ListType::Batteries => {
            let search = search::<Battery>(filter, "battery_id", "battery listing")?;
            let batteries = console.session.batteries(search.as_ref()).await?;
            console.out.show(&batteries)
        }
        ListType::Plugins => Err(Stop::Usage("plug-ins are listed without an array".to_owned())),
    }
}

/// A property and the value that it is to have.
type Filter<'a> = Option<(&'static str, &'a str)>;

/// One filter at most.
pub fn filter(args: &List) -> Result<Filter<'_>, Stop> {
    let all = [
        ("system_id", &args.sys),
        ("pool_id", &args.pool),
        ("volume_id", &args.vol),
        ("disk_id", &args.disk),
        ("access_group_id", &args.ag),
        ("fs_id", &args.fs),
        ("nfs_export_id", &args.nfs_export),
        ("tgt_port_id", &args.tgt),
    ];
    let given =
        all.iter().filter_map(|(key, value)| value.as_deref().filter(|v| !v.is_empty()).map(|v| (*key, v)));
    let given: Vec<_> = given.collect();
    match given.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        [(first, _), (second, _), ..] => {
            Err(Stop::Usage(format!("Search key specified more than once ({first}, {second})")))
        }
    }
}

pub fn unfiltered(filter: Filter, refusal: &str) -> Result<(), Stop> {
    filter.map_or(Ok(()), |_| Err(Stop::Usage(refusal.to_owned())))
}

/// The filter as the protocol's search; `own` is the filter that means the record's own id.
fn search<T: Searchable>(filter: Filter, own: &str, listing: &str) -> Result<Option<Search>, Stop> {
    let Some((key, value)) = filter else { return Ok(None) };
    let key = if key == own { "id" } else { key };
    if !T::KEYS.contains(&key) {
        return Err(Stop::Usage(format!("Search key '{key}' is not supported by {listing}")));
    }
    Ok(Some(Search::new(key, value)))
}

async fn volumes(console: &mut Console<'_>, filter: Filter<'_>) -> Result<(), Stop> {
    let volumes = match filter {
        Some(("access_group_id", id)) => match console.access_group_if_any(id).await? {
            Some(group) => console.session.volumes_accessible_by_access_group(&group).await?,
            None => Vec::new(),
        },
        other => {
            let search = search::<Volume>(other, "volume_id", "volume listing.")?;
            console.session.volumes(search.as_ref()).await?
        }
    };
    console.show_volumes(volumes)
}

async fn access_groups(console: &mut Console<'_>, filter: Filter<'_>) -> Result<(), Stop> {
    let groups = match filter {
        Some(("volume_id", id)) => match console.volume_if_any(id).await? {
            Some(volume) => console.session.access_groups_granted_to_volume(&volume).await?,
            None => Vec::new(),
        },
        other => {
            let search = search::<AccessGroup>(other, "access_group_id", "Access Group listing")?;
            console.session.access_groups(search.as_ref()).await?
        }
    };
    console.out.show(&groups)
}

async fn snapshots(console: &mut Console<'_>, filter: Filter<'_>) -> Result<(), Stop> {
    let Some(("fs_id", id)) = filter else {
        return Err(Stop::Usage("--fs <file system id> required".to_owned()));
    };
    let fs = console.file_system(id).await?;
    let snapshots = console.session.fs_snapshots(&fs).await?;
    console.out.show(&snapshots)
}

async fn nfs_client_auth(console: &mut Console<'_>, filter: Filter<'_>) -> Result<(), Stop> {
    unfiltered(filter, "NFS client authentication type listing with search is not supported")?;
    let types = console.session.export_auth().await?;
    let separator =
        console.out.style.terse.as_deref().filter(|separator| !separator.is_empty()).unwrap_or(", ");
    console.out.say(&types.join(separator), &types)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::args::{Command, Request, parse};

    fn list_of(line: &[&str]) -> List {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        match parse("lsmcli", "lsmcli", &words) {
            Ok(Request::Run(invocation)) => match invocation.command {
                Command::List(list) => list,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn two_filters_are_one_too_many() {
        let refused = filter(&list_of(&["lv", "--sys", "s", "--pool", "p"])).unwrap_err();
        assert_eq!(refused.to_string(), "Search key specified more than once (system_id, pool_id)");
        assert_eq!(refused.exit(), 2);
    }

    #[test]
    fn each_type_takes_the_filters_that_the_protocol_has_for_it() {
        let supported = |kind: &str, option: &str| {
            let list = list_of(&["list", "--type", kind, option, "X"]);
            let filter = filter(&list).unwrap();
            match list.kind {
                ListType::Volumes => search::<Volume>(filter, "volume_id", "").is_ok(),
                ListType::Pools => search::<Pool>(filter, "pool_id", "").is_ok(),
                ListType::Fs => search::<FileSystem>(filter, "fs_id", "").is_ok(),
                ListType::Exports => search::<NfsExport>(filter, "nfs_export_id", "").is_ok(),
                ListType::AccessGroups => search::<AccessGroup>(filter, "access_group_id", "").is_ok(),
                ListType::Disks => search::<Disk>(filter, "disk_id", "").is_ok(),
                ListType::TargetPorts => search::<TargetPort>(filter, "tgt_port_id", "").is_ok(),
                ListType::Batteries => search::<Battery>(filter, "battery_id", "").is_ok(),
                other => panic!("{other:?}"),
            }
        };
        let options = ["--sys", "--pool", "--vol", "--disk", "--ag", "--fs", "--nfs-export", "--tgt"];
        for (kind, taken) in [
            ("volumes", &["--sys", "--pool", "--vol"][..]),
            ("pools", &["--sys", "--pool"]),
            ("fs", &["--sys", "--pool", "--fs"]),
            ("exports", &["--fs", "--nfs-export"]),
            ("access_groups", &["--sys", "--ag"]),
            ("disks", &["--sys", "--disk"]),
            ("target_ports", &["--sys", "--tgt"]),
            ("batteries", &["--sys"]),
        ] {
            for option in options {
                assert_eq!(supported(kind, option), taken.contains(&option), "{kind} {option}");
            }
        }
    }
}
