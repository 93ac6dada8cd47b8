//! What can be asked: lists with filters, fields and pages, and single rows.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    super::{Refusal, State, Wrong, zfs::parent},
    Answer, job_status,
};

/// What is said of a list, not of its rows.
const OF_LIST: [&str; 4] = ["fields", "limit", "offset", "recursive"];
/// What is only told of one snapshot by itself.
const OF_ONE: [&str; 2] = ["clones", "creationTxg"];

/// The fields of a collection's rows, of which others are refused.
fn fields(collection: &str) -> &'static str {
    match collection {
        "pools" => "poolName health status",
        "volumes" => {
            "path name parent guid volumeSize volumeBlockSize sparseVolume compressionMode bytesAvailable bytesUsed \
             originalSnapshot"
        }
        "volumeGroups" => "path name parent guid volumeBlockSize bytesAvailable bytesUsed",
        "filesystems" => {
            "path name parent guid mountPoint isMounted sharedOverNfs sharedOverSmb bytesAvailable bytesUsed \
             nonBlockingMandatoryMode smartCompression originalSnapshot"
        }
        "snapshots" => "path name parent guid creationTime clones creationTxg hprService snaplistId",
        "lunMappings" => "id volume hostGroup targetGroup lun",
        "logicalUnits" => "guid volume alias writebackCacheDisabled state",
        "hostgroups" | "targetgroups" => "name members",
        "targets" => "name alias state authentication portals",
        "nfs" => "filesystem shareState securityContexts anon",
        "addresses" => "address",
        _ => "",
    }
}

pub fn list(state: &mut State, collection: &str, query: &BTreeMap<String, String>) -> Answer {
    let known: Vec<&str> = fields(collection).split_whitespace().collect();
    let asked = query.keys().map(String::as_str).filter(|key| !OF_LIST.contains(key));
    if let Some(odd) = asked.clone().find(|key| !known.contains(key)) {
        return Err(Refusal::Invalid(format!("unknown parameter '{odd}'")));
    }
    let mut rows = rows(state, collection)?;
    for key in asked {
        rows.retain(|row| {
            plain(&row[key]) == query[key] || is_the_parent_itself(collection, key, row, query)
        });
    }
    let number = |key: &str| query.get(key).and_then(|text| text.parse::<usize>().ok());
    let (offset, whole) = (number("offset").unwrap_or_default(), rows.len());
    let limit = number("limit").unwrap_or(usize::MAX).min(state.config.page);
    let page: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    let mut links = vec![json!({"rel": "self", "href": format!("/{collection}")})];
    if offset + page.len() < whole && !query.contains_key("limit") {
        links.push(json!({"rel": "next", "href": next(collection, query, offset + page.len())}));
    }
    let page: Result<Vec<Value>, Refusal> = page.iter().map(|row| picked(row, query, &known, true)).collect();
    Ok(json!({"data": page?, "links": links}))
}

/// A file system is listed among those below it.
fn is_the_parent_itself(collection: &str, key: &str, row: &Value, query: &BTreeMap<String, String>) -> bool {
    collection == "filesystems" && key == "parent" && row["path"] == json!(query[key])
}

fn next(collection: &str, query: &BTreeMap<String, String>, offset: usize) -> String {
    let area = match collection {
        "lunMappings" | "logicalUnits" | "hostgroups" | "targetgroups" => "san",
        "targets" => "san/iscsi",
        "nfs" => "nas",
        "addresses" => "network",
        _ => "storage",
    };
    let others = query.iter().filter(|(key, _)| *key != "offset");
    let others: String = others
        .map(|(key, value)| format!("&{key}={}", value.replace('/', "%2F").replace('@', "%40")))
        .collect();
    format!("/{area}/{collection}?offset={offset}{others}")
}

pub fn one(state: &mut State, collection: &str, id: &str, query: &BTreeMap<String, String>) -> Answer {
    let missing = || Refusal::Missing(format!("'{id}' does not exist"));
    match collection {
        "jobStatus" => return job_status(state, id),
        "properties" if id == "system.guid" => {
            return Ok(json!({"value": "7f8a1c3e-0000-4000-8000-00144f000001"}));
        }
        "properties" if id == "system.hostName" => return Ok(json!({"value": "nstor1"})),
        "services" => return Ok(json!({"name": id, "state": "online"})),
        _ => {}
    }
    let known: Vec<&str> = fields(collection).split_whitespace().collect();
    let key = *known.first().ok_or_else(missing)?;
    let row = rows(state, collection)?.into_iter().find(|row| plain(&row[key]) == id).ok_or_else(missing)?;
    picked(&row, query, &known, false)
}

/// The fields that were asked for.
fn picked(row: &Value, query: &BTreeMap<String, String>, known: &[&str], in_list: bool) -> Answer {
    let wanted: Vec<&str> = match query.get("fields") {
        Some(fields) => fields.split(',').collect(),
        None => known.to_vec(),
    };
    let mut told = Map::new();
    for field in wanted {
        if !known.contains(&field) {
            return Err(Refusal::Invalid(format!("unknown field '{field}'")));
        }
        if !(in_list && OF_ONE.contains(&field)) {
            told.insert(field.to_owned(), row[field].clone());
        }
    }
    Ok(told.into())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rows(state: &mut State, collection: &str) -> Result<Vec<Value>, Refusal> {
    Ok(match collection {
        "pools" => {
            let names = state.zfs.pools.keys();
            names.map(|name| json!({"poolName": name, "health": "ONLINE", "status": "OK"})).collect()
        }
        "volumes" => datasets(state, true),
        "filesystems" => file_systems(state),
        "volumeGroups" => {
            let groups = state.volume_groups.iter();
            groups.map(|path| named(path, json!({"guid": path, "volumeBlockSize": 32768}))).collect()
        }
        "snapshots" => snapshots(state),
        "lunMappings" => {
            let views = state.stmf.look_at_views().into_iter();
            let hosts = if state.config.wrong == Some(Wrong::Field) { "hosts" } else { "hostGroup" };
            views
                .map(|(id, view)| {
                    json!({"id": id, "volume": view.volume, hosts: view.host_group,
                        "targetGroup": view.target_group, "lun": view.lun})
                })
                .collect()
        }
        "logicalUnits" => {
            let units = state.stmf.units.iter();
            units
                .map(|(volume, guid)| {
                    json!({"guid": guid, "volume": volume, "alias": volume, "writebackCacheDisabled": true,
                        "state": "ONLINE"})
                })
                .collect()
        }
        "hostgroups" => groups(&state.stmf.host_groups),
        "targetgroups" => groups(&state.stmf.target_groups),
        "targets" => state.targets.values().cloned().collect(),
        "nfs" => state.shares.values().cloned().collect(),
        "addresses" => vec![json!({"address": "127.0.0.1/8"}), json!({"address": "192.0.2.10/24"})],
        _ => return Err(Refusal::Missing(format!("no collection {collection}"))),
    })
}

/// A row with what every dataset has.
fn named(path: &str, mut row: Value) -> Value {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    row["path"] = json!(path);
    row["name"] = json!(name);
    row["parent"] = json!(above);
    row["bytesUsed"] = row.get("bytesUsed").cloned().unwrap_or_else(|| json!(0));
    row["bytesAvailable"] = row.get("bytesAvailable").cloned().unwrap_or_else(|| json!(1 << 30));
    row
}

fn datasets(state: &State, volumes: bool) -> Vec<Value> {
    let own = state.zfs.datasets.iter().filter(|(_, dataset)| dataset.is_volume == volumes);
    own.map(|(path, dataset)| {
        named(
            path,
            json!({"guid": dataset.guid, "volumeSize": dataset.size, "volumeBlockSize": dataset.block,
                "sparseVolume": dataset.sparse, "originalSnapshot": dataset.origin, "compressionMode": "lz4"}),
        )
    })
    .collect()
}

fn file_systems(state: &State) -> Vec<Value> {
    let tops = state.zfs.pools.iter().map(|(pool, bytes)| {
        let free = state.zfs.free(pool);
        named(
            pool,
            json!({"guid": format!("top-{pool}"), "mountPoint": format!("/{pool}"), "bytesAvailable": free,
                "bytesUsed": bytes - free}),
        )
    });
    let own = state.zfs.datasets.iter().filter(|(_, dataset)| !dataset.is_volume);
    let below = own.map(|(path, dataset)| {
        named(
            path,
            json!({"guid": dataset.guid, "mountPoint": format!("/{path}"), "isMounted": true,
                "bytesAvailable": dataset.size, "bytesUsed": 0, "originalSnapshot": dataset.origin,
                "nonBlockingMandatoryMode": false, "smartCompression": false,
                "sharedOverNfs": state.shares.contains_key(path), "sharedOverSmb": false}),
        )
    });
    tops.chain(below).collect()
}

fn snapshots(state: &State) -> Vec<Value> {
    let all = state.zfs.snapshots.iter();
    all.map(|(path, snapshot)| {
        let created = jiff::Timestamp::from_second(i64::try_from(snapshot.created).unwrap()).unwrap();
        json!({"path": path, "name": path.split('@').nth(1), "parent": parent(path), "guid": snapshot.guid,
            "creationTime": format!("{created:.3}"), "clones": state.zfs.clones_of(path),
            "creationTxg": snapshot.txg.to_string(), "hprService": "", "snaplistId": ""})
    })
    .collect()
}

fn groups(groups: &BTreeMap<String, Vec<String>>) -> Vec<Value> {
    groups.iter().map(|(name, members)| json!({"name": name, "members": members})).collect()
}
