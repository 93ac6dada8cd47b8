//! NMS of releases 3 and 4: one path, basic authentication, and errors that are texts in an answer that went well.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Fault, PASSWORD, Refusal, State, USER, Wrong,
    http::{Request, Told},
    stmf::ALL,
};

type Answer = Result<Value, Refusal>;

/// Calls that change nothing.
const READS: [&str; 7] = ["get", "list", "lu", "object", "ssh", "server", "volume"];

pub fn answer(state: &mut State, request: &Request) -> Told {
    if request.path != ["rest", "nms"] || request.method != "POST" {
        return Told::Text(404, "<html><body>404 Not Found</body></html>");
    }
    state.requests += 1;
    if state.config.busy_every.is_some_and(|every| state.requests.is_multiple_of(every)) {
        return Told::Text(503, "<html><body>503 Service Unavailable</body></html>");
    }
    let right = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    match &request.authorization {
        Some(given) if *given == right => {}
        Some(_) => {
            state.strangers += 1;
            return Told::Text(401, "<html><body>401 Unauthorized</body></html>");
        }
        None => return Told::Text(401, "<html><body>401 Unauthorized</body></html>"),
    }
    let text = |key: &str| request.body[key].as_str().unwrap_or_default().to_owned();
    let (object, method) = (text("object"), text("method"));
    let is_read = READS.iter().any(|read| method.starts_with(read));
    let operation = format!("{} {object}.{method}", if is_read { "GET" } else { "POST" });
    let fault = state.fault(&operation);
    let outcome = match fault {
        Some(Fault::LoseRequest) => return Told::Nothing,
        Some(Fault::Broken) => Err(Refusal::Broken),
        Some(Fault::Lie) => Ok(Value::Null),
        _ => carry_out(state, &format!("{object}.{method}"), &Params(&request.body["params"])),
    };
    let reply = match outcome {
        Ok(result) => json!({"result": result, "error": null}),
        Err(refusal) => {
            let text = message(refusal);
            let wrong = state.config.wrong == Some(Wrong::Code);
            let text = if wrong { text.replace("does not exist", "is nowhere") } else { text };
            json!({"result": null, "error": {"message": text}})
        }
    };
    let status = if state.config.wrong == Some(Wrong::Status) { 204 } else { 200 };
    match fault {
        Some(Fault::LoseAnswer) => Told::Nothing,
        Some(Fault::CutAnswer) => Told::Half(status, reply),
        _ => Told::Whole(status, reply),
    }
}

fn message(refusal: Refusal) -> String {
    match refusal {
        Refusal::Missing(text)
        | Refusal::Exists(text)
        | Refusal::Children(text)
        | Refusal::Busy(text)
        | Refusal::Invalid(text) => format!("SA::Object: {text}"),
        Refusal::NoSpace => "cannot create: out of space".into(),
        Refusal::Stranger => "who are you".into(),
        Refusal::Broken => "Died at line 7".into(),
    }
}

/// Parameters by their places.
struct Params<'a>(&'a Value);

impl<'a> Params<'a> {
    fn text(&self, place: usize) -> Result<&'a str, Refusal> {
        self.0[place].as_str().ok_or_else(|| Refusal::Invalid(format!("invalid parameter {place}")))
    }

    /// Bytes, or a number with a unit.
    fn size(&self, place: usize) -> Result<u64, Refusal> {
        let text = self.text(place)?;
        let (number, unit) = match text.strip_suffix('G') {
            Some(number) => (number, 1 << 30),
            None => (text, 1),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        bytes.ok_or_else(|| Refusal::Invalid(format!("invalid size {text}")))
    }
}

fn carry_out(state: &mut State, call: &str, p: &Params<'_>) -> Answer {
    match call {
        "appliance.get_license_info" => Ok(json!({"machine_sig": "7F8A1C3E", "license_type": "trial"})),
        "appliance.get_fqdn" => Ok(json!("nstor1.example")),
        "volume.get_all_names" => {
            let names = state.zfs.pools.keys().map(String::as_str);
            Ok(names.chain(["syspool"]).collect())
        }
        "volume.object_exists" => Ok(json!(u8::from(state.zfs.pools.contains_key(p.text(0)?)))),
        "volume.get_child_props" => pool(state, p.text(0)?),
        "zvol.get_names" => {
            let volumes = state.zfs.datasets.iter().filter(|(_, dataset)| dataset.is_volume);
            Ok(volumes.map(|(path, _)| json!(path)).collect())
        }
        "zvol.get_child_props" => volume(state, p.text(0)?),
        "zvol.get_child_prop" => Ok(volume(state, p.text(0)?)?[p.text(1)?].clone()),
        _ => change(state, call, p),
    }
}

fn change(state: &mut State, call: &str, p: &Params<'_>) -> Answer {
    match call {
        "zvol.create" => {
            let block = p.text(2)?.parse().unwrap_or(8192);
            // The vendor's own client sends a truth value.
            let sparse = p.0[3] == json!("1") || p.0[3] == json!(true);
            state.zfs.create_volume(p.text(0)?, p.size(1)?, block, sparse)?;
        }
        "zvol.destroy" => {
            let path = p.text(0)?;
            if state.stmf.is_mapped(path) {
                return Err(Refusal::Busy(format!("zvol '{path}' is in use")));
            }
            state.zfs.destroy(path, true, p.text(1)? == "-r").map_err(|refusal| match refusal {
                Refusal::Children(_) => Refusal::Children("zvol has children".into()),
                other => other,
            })?;
            state.stmf.units.remove(path);
        }
        "zvol.set_child_prop" if p.text(1)? == "volsize" => {
            state.zfs.resize(p.text(0)?, true, p.size(2)?)?;
        }
        "zvol.create_snapshot" => {
            let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
            state.zfs.snapshot(&format!("{}@{}", p.text(0)?, p.text(1)?), now.unwrap().as_secs())?;
        }
        "zvol.clone" => state.zfs.clone(p.text(0)?, p.text(1)?, None)?,
        "zvol.promote" => state.zfs.promote(p.text(0)?, true)?,
        "snapshot.get_names" => return Ok(json!(state.zfs.snapshots_of(p.text(0)?))),
        "snapshot.get_child_prop" => {
            let missing = || Refusal::Missing("snapshot does not exist".into());
            let snapshot = state.zfs.snapshots.get(p.text(0)?).ok_or_else(missing)?;
            return Ok(json!(snapshot.created.to_string()));
        }
        "snapshot.destroy" => state.zfs.destroy_snapshot(p.text(0)?, false)?,
        _ => return unit(state, call, p),
    }
    Ok(Value::Null)
}

/// Logical units and who sees them.
fn unit(state: &mut State, call: &str, p: &Params<'_>) -> Answer {
    let (object, _) = call.split_once('.').unwrap();
    if object == "scsidisk" {
        state.zfs.dataset(p.text(0)?, true)?;
        let has_unit = state.stmf.units.contains_key(p.text(0)?);
        if !has_unit && !["scsidisk.create_lu", "scsidisk.lu_exists"].contains(&call) {
            return Err(Refusal::Missing(format!("LU does not exist for zvol '{}'", p.text(0)?)));
        }
    }
    match call {
        "scsidisk.create_lu" if state.stmf.units.contains_key(p.text(0)?) => {
            return Err(Refusal::Busy(format!("'{}' is in use", p.text(0)?)));
        }
        "scsidisk.create_lu" => {
            return Ok(json!({"guid": state.stmf.create_unit(p.text(0)?), "lun": 0}));
        }
        "scsidisk.get_lu_props" => {
            return Ok(json!({"guid": state.stmf.units[p.text(0)?], "state": "ONLINE"}));
        }
        "scsidisk.lu_exists" => return Ok(json!(u8::from(state.stmf.units.contains_key(p.text(0)?)))),
        "scsidisk.lu_shared" => return Ok(json!(views(state, p.text(0)?).len())),
        "scsidisk.realign_size" => {}
        "scsidisk.delete_lu" => {
            let volume = p.text(0)?.to_owned();
            state.stmf.views.retain(|_, view| view.volume != volume);
            state.stmf.units.remove(&volume);
        }
        "scsidisk.list_lun_mapping_entries" => return Ok(views(state, p.text(0)?).into()),
        "scsidisk.add_lun_mapping_entry" => {
            let group = |key: &str| p.0[1][key].as_str().unwrap_or(ALL).to_owned();
            let (hosts, targets) = (group("host_group"), group("target_group"));
            let id = state.stmf.add_view(p.text(0)?, &hosts, &targets, None)?;
            let number = if state.config.wrong == Some(Wrong::Field) { "number" } else { "lun" };
            return Ok(json!({"entry_number": id, number: state.stmf.views[&id].lun.to_string()}));
        }
        "scsidisk.remove_lun_mapping_entry" => drop(state.stmf.remove_view(p.text(1)?)?),
        _ => return group(state, call, p),
    }
    Ok(Value::Null)
}

fn group(state: &mut State, call: &str, p: &Params<'_>) -> Answer {
    let members = |state: &State, name: &str| {
        let missing = || Refusal::Missing(format!("hostgroup '{name}' does not exist"));
        state.stmf.host_groups.get(name).cloned().ok_or_else(missing)
    };
    match call {
        "stmf.list_hostgroups" => return Ok(state.stmf.host_groups.keys().map(|name| json!(name)).collect()),
        "stmf.list_hostgroup_members" => return Ok(json!(members(state, p.text(0)?)?)),
        "stmf.create_hostgroup" => state.stmf.create_host_group(p.text(0)?, Vec::new())?,
        "stmf.destroy_hostgroup" => {
            let no = |_| Refusal::Busy(format!("Unable to destroy hostgroup: {}", p.0[0]));
            members(state, p.text(0)?)?;
            state.stmf.destroy_host_group(p.text(0)?).map_err(no)?;
        }
        "stmf.add_hostgroup_member" => {
            let mut all = members(state, p.text(0)?)?;
            if all.iter().any(|member| p.0[1] == json!(member)) {
                return Err(Refusal::Exists(format!("member {} already exists", p.0[1])));
            }
            all.push(p.text(1)?.to_owned());
            state.stmf.set_members(p.text(0)?, all)?;
        }
        "stmf.remove_hostgroup_member" => {
            let mut all = members(state, p.text(0)?)?;
            all.retain(|member| p.0[1] != json!(member));
            state.stmf.set_members(p.text(0)?, all)?;
        }
        "stmf.list_targets" => return Ok(state.targets.keys().map(|name| json!(name)).collect()),
        "stmf.list_targetgroups" => {
            return Ok(state.stmf.target_groups.keys().map(|name| json!(name)).collect());
        }
        "stmf.list_targetgroup_members" => return Ok(json!(state.stmf.target_groups.get(p.text(0)?))),
        "stmf.create_targetgroup" => {
            state.stmf.target_groups.insert(p.text(0)?.to_owned(), Vec::new());
        }
        "stmf.add_targetgroup_member" => {
            let member = p.text(1)?.to_owned();
            state.stmf.target_groups.entry(p.text(0)?.to_owned()).or_default().push(member);
        }
        "iscsitarget.create_target" => {
            let name = p.0[0]["target_name"].as_str().unwrap_or_default().to_owned();
            state.targets.insert(name.clone(), json!({"name": name}));
        }
        _ => return Err(Refusal::Missing(format!("method {call} does not exist"))),
    }
    Ok(Value::Null)
}

/// As people read it, and no more exactly.
fn human(bytes: u64) -> String {
    format!("{}M", bytes >> 20)
}

fn pool(state: &State, name: &str) -> Answer {
    let missing = || Refusal::Missing(format!("volume '{name}' does not exist"));
    let size = *state.zfs.pools.get(name).ok_or_else(missing)?;
    let free = state.zfs.free(name);
    Ok(json!({"name": name, "health": "ONLINE", "size": human(size), "available": human(free),
        "used": human(size - free), "free": human(free)}))
}

fn volume(state: &State, path: &str) -> Answer {
    let volume = state.zfs.dataset(path, true)?;
    Ok(json!({"name": path, "volsize": human(volume.size), "size_bytes": volume.size.to_string(),
        "volblocksize": format!("{}K", volume.block >> 10), "origin": volume.origin.as_deref().unwrap_or("-")}))
}

fn views(state: &mut State, volume: &str) -> Vec<Value> {
    let seen = state.stmf.look_at_views().into_iter().filter(|(_, view)| view.volume == volume);
    seen.map(|(id, view)| {
        let hosts = if view.host_group == ALL { "All" } else { view.host_group.as_str() };
        json!({"entry_number": id, "host_group": hosts, "target_group": view.target_group,
            "lun": view.lun.to_string()})
    })
    .collect()
}
