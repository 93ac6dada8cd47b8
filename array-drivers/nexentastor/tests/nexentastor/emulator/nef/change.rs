//! What can be changed.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::{
    super::{Refusal, State, http::Request, stmf::ALL},
    Answer, Place,
};

/// A field of a request's body.
fn text<'a>(body: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    body[key].as_str().ok_or_else(|| Refusal::Invalid(format!("{key} is required")))
}

fn number(body: &Value, key: &str) -> Result<u64, Refusal> {
    body[key].as_u64().ok_or_else(|| Refusal::Invalid(format!("{key} is required and a number")))
}

fn texts(body: &Value, key: &str) -> Result<Vec<String>, Refusal> {
    serde_json::from_value(body[key].clone())
        .map_err(|_| Refusal::Invalid(format!("{key} is a list of texts")))
}

/// Keys that the collection does not know are refused.
fn only(body: &Value, known: &str) -> Result<(), Refusal> {
    let known: Vec<&str> = known.split(' ').collect();
    let mut keys = body.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match keys.find(|key| !known.contains(key)) {
        Some(odd) => Err(Refusal::Invalid(format!("unknown property '{odd}'"))),
        None => Ok(()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

pub fn carry_out(state: &mut State, method: &str, place: &Place<'_>, request: &Request) -> Answer {
    let (body, id) = (&request.body, place.id.unwrap_or_default());
    let flag = |key: &str| request.query.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match (method, place.collection, place.verb) {
        ("POST", "volumeGroups", None) => create_group(state, body),
        ("POST", "volumes", None) => create_volume(state, body),
        ("PUT", "volumes", None) => {
            only(body, "volumeSize")?;
            state.zfs.resize(id, true, number(body, "volumeSize")?)
        }
        ("DELETE", "volumes", None) => delete_volume(state, id, flag("snapshots")),
        ("POST", kind @ ("volumes" | "filesystems"), Some("promote")) => {
            state.zfs.promote(id, kind == "volumes")
        }
        ("POST", "volumes" | "filesystems", Some("rollback")) => {
            state.zfs.rollback(id, text(body, "snapshot")?)
        }
        ("POST", "snapshots", None) => {
            only(body, "path recursive")?;
            state.zfs.snapshot(text(body, "path")?, now())
        }
        ("POST", "snapshots", Some("clone")) => {
            only(body, "targetPath referencedQuotaSize")?;
            clone(state, id, text(body, "targetPath")?, body["referencedQuotaSize"].as_u64())
        }
        ("DELETE", "snapshots", None) => state.zfs.destroy_snapshot(id, flag("defer")),
        ("POST", "filesystems", None) => {
            only(body, "path referencedQuotaSize compressionMode")?;
            let pool = text(body, "path")?.split('/').next().unwrap();
            let whole = state.zfs.pools.get(pool).copied().unwrap_or_default();
            let quota = body["referencedQuotaSize"].as_u64().unwrap_or(whole);
            state.zfs.create_file_system(text(body, "path")?, quota)
        }
        ("PUT", "filesystems", None) => match body["referencedQuotaSize"].as_u64() {
            Some(quota) => state.zfs.resize(id, false, quota),
            None => only(body, "compressionMode nonBlockingMandatoryMode smartCompression"),
        },
        ("DELETE", "filesystems", None) => delete_file_system(state, id, flag("snapshots")),
        ("POST", "filesystems", Some("mount" | "unmount" | "acl")) => state.zfs.dataset(id, false).map(drop),
        ("POST", "nfs", None) => share(state, body),
        ("DELETE", "nfs", None) => match state.shares.remove(id) {
            Some(_) => Ok(()),
            None => Err(Refusal::Missing(format!("share '{id}' does not exist"))),
        },
        _ => return access(state, method, place, body).map(|()| Value::Null),
    }
    .map(|()| Value::Null)
}

fn access(state: &mut State, method: &str, place: &Place<'_>, body: &Value) -> Result<(), Refusal> {
    let id = place.id.unwrap_or_default();
    match (method, place.collection) {
        ("POST", "hostgroups") => {
            only(body, "name members")?;
            state.stmf.create_host_group(text(body, "name")?, texts(body, "members")?)
        }
        ("PUT", "hostgroups") => {
            only(body, "members")?;
            state.stmf.set_members(id, texts(body, "members")?)
        }
        ("DELETE", "hostgroups") => state.stmf.destroy_host_group(id),
        ("POST", "targetgroups") => {
            only(body, "name members")?;
            let (name, members) = (text(body, "name")?.to_owned(), texts(body, "members")?);
            if state.stmf.target_groups.contains_key(&name) || name == ALL {
                return Err(Refusal::Exists(format!("target group '{name}' already exists")));
            }
            state.stmf.target_groups.insert(name, members);
            Ok(())
        }
        ("PUT", "targetgroups") => {
            let members = texts(body, "members")?;
            let group = state.stmf.target_groups.get_mut(id);
            *group.ok_or_else(|| Refusal::Missing(format!("'{id}' does not exist")))? = members;
            Ok(())
        }
        ("POST", "targets") => {
            let name = text(body, "name")?.to_owned();
            let row = json!({"name": name, "alias": "", "state": "online", "authentication": "none",
                "portals": body["portals"]});
            state.targets.insert(name, row);
            Ok(())
        }
        ("POST", "lunMappings") => {
            only(body, "volume hostGroup targetGroup lun")?;
            let volume = text(body, "volume")?;
            state.zfs.dataset(volume, true)?;
            let (hosts, targets) = (text(body, "hostGroup")?, text(body, "targetGroup")?);
            state.stmf.add_view(volume, hosts, targets, body["lun"].as_u64()).map(drop)
        }
        ("DELETE", "lunMappings") => {
            let view = state.stmf.remove_view(id)?;
            // The unit goes with its last view.
            if !state.stmf.is_mapped(&view.volume) {
                state.stmf.units.remove(&view.volume);
            }
            Ok(())
        }
        ("PUT", "logicalUnits") => {
            only(body, "writebackCacheDisabled")?;
            let known = state.stmf.units.values().any(|guid| guid == id);
            if known { Ok(()) } else { Err(Refusal::Missing(format!("'{id}' does not exist"))) }
        }
        _ => Err(Refusal::Missing(format!("no way to {method} {}", place.collection))),
    }
}

fn create_group(state: &mut State, body: &Value) -> Result<(), Refusal> {
    only(body, "path volumeBlockSize")?;
    let path = text(body, "path")?;
    let pool = path.split('/').next().unwrap();
    if !state.zfs.pools.contains_key(pool) || path.matches('/').count() != 1 {
        return Err(Refusal::Invalid(format!("'{path}' is no volume group")));
    }
    match state.volume_groups.insert(path.to_owned()) {
        true => Ok(()),
        false => Err(Refusal::Exists(format!("'{path}' already exists"))),
    }
}

/// A volume is in a group.
fn require_group(state: &State, path: &str) -> Result<(), Refusal> {
    let group = path.rsplit_once('/').map(|(group, _)| group).unwrap_or_default();
    match state.volume_groups.contains(group) {
        true => Ok(()),
        false => Err(Refusal::Missing(format!("volume group '{group}' does not exist"))),
    }
}

fn create_volume(state: &mut State, body: &Value) -> Result<(), Refusal> {
    only(body, "path volumeSize volumeBlockSize sparseVolume compressionMode")?;
    let path = text(body, "path")?;
    require_group(state, path)?;
    let block = body["volumeBlockSize"].as_u64().unwrap_or(32768);
    let sparse = body["sparseVolume"].as_bool().unwrap_or_default();
    state.zfs.create_volume(path, number(body, "volumeSize")?, block, sparse)
}

fn delete_volume(state: &mut State, path: &str, snapshots: bool) -> Result<(), Refusal> {
    if state.stmf.is_mapped(path) {
        return Err(Refusal::Busy(format!("volume '{path}' is in use by a logical unit")));
    }
    state.zfs.destroy(path, true, snapshots)
}

fn clone(state: &mut State, snapshot: &str, target: &str, quota: Option<u64>) -> Result<(), Refusal> {
    if state.zfs.dataset(super::super::zfs::parent(snapshot), true).is_ok() {
        require_group(state, target)?;
    }
    state.zfs.clone(snapshot, target, quota)
}

fn delete_file_system(state: &mut State, path: &str, snapshots: bool) -> Result<(), Refusal> {
    state.zfs.destroy(path, false, snapshots)?;
    state.shares.remove(path);
    Ok(())
}

fn share(state: &mut State, body: &Value) -> Result<(), Refusal> {
    only(body, "filesystem anon securityContexts")?;
    let path = text(body, "filesystem")?;
    state.zfs.dataset(path, false)?;
    if state.shares.contains_key(path) {
        return Err(Refusal::Exists(format!("share '{path}' already exists")));
    }
    for list in ["readWriteList", "readOnlyList"] {
        let entities = body["securityContexts"][0][list].as_array();
        if entities.is_none_or(Vec::is_empty) {
            return Err(Refusal::Invalid(format!("{list} is required")));
        }
    }
    let row = json!({"filesystem": path, "shareState": "online", "anon": body["anon"],
        "securityContexts": body["securityContexts"]});
    state.shares.insert(path.to_owned(), row);
    Ok(())
}
