//! A targetd for tests: it speaks as the real daemon does over a real socket, keeps its state in memory, and has the real one's odd
//! ways. `recorded.rs` holds it against what the real one was heard to say.

mod block;
mod files;
mod http;
mod iscsi;
mod nfs;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, Hasher, RandomState},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use rustls::ServerConfig;
use serde_json::{Value, json};

pub const USER: &str = "admin";
pub const PASSWORD: &str = "the right one";
pub const THIN: &str = "vg-targetd/thin_pool";
pub const LINEAR: &str = "vg2";
pub const FILES: &str = "/mnt/btrfs";
const NUMBER_TAKEN: &str = "RTSLibError: This MappedLUN already exists in configFS";
const GIB: u64 = 1 << 30;

/// What kind of daemon it is, and what befalls it.
#[derive(Clone)]
pub struct Config {
    /// lvm.conf has `auto_set_activation_skip=0`.
    pub active_copies: bool,
    /// Bytes of each pool.
    pub pool_bytes: u64,
    /// Besides the thin pool there is a plain volume group.
    pub linear: bool,
    /// A daemon of before access groups and resizing.
    pub old: bool,
    /// The answer to every so many changes is lost, although they are made.
    pub lose_every: Option<u64>,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { active_copies: true, pool_bytes: GIB, linear: false, old: false, lose_every: None, tls: None }
    }
}

/// What befalls the next call of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the connection closed without a word.
    LoseAnswer,
    /// It is not done, and the connection closed without a word.
    LoseRequest,
    /// It is done, and half of the answer sent.
    CutAnswer,
    /// It is not done: a command of the host fails.
    FailedCommand,
    /// It is called done, and is not.
    Lie,
    /// Somebody has taken the LUN number.
    NumberTaken,
}

pub struct Emulator {
    pub address: SocketAddr,
    pub state: Arc<Mutex<State>>,
}

/// Pool and name.
type Place = (String, String);

#[derive(Default)]
pub struct State {
    config: Config,
    /// One-shot faults by method.
    pub faults: BTreeMap<&'static str, Vec<Fault>>,
    /// How often each method was called.
    pub calls: BTreeMap<String, u64>,
    /// How often a wrong password was given.
    pub strangers: u64,
    changes: u64,
    volumes: BTreeMap<Place, block::Volume>,
    /// Access groups and their initiators.
    groups: BTreeMap<String, BTreeSet<String>>,
    /// Every initiator that the target knows, in a group or not.
    acls: BTreeSet<String>,
    /// Group and volume, with the number.
    maps: BTreeMap<(String, Place), u64>,
    /// Initiator without group and volume, with the number.
    exports: BTreeMap<(String, Place), u64>,
    /// The volumes that the target has a LUN for, whether anybody sees it or not.
    luns: BTreeSet<Place>,
    file_systems: BTreeMap<Place, files::FileSystem>,
    /// Host and path, with the options.
    nfs: BTreeMap<(String, String), Vec<String>>,
}

/// The daemon says no.
#[derive(Debug)]
pub struct Refusal(i64, String);

type Answer = Result<Value, Refusal>;

fn refuse<T>(code: i64, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(code, message.into()))
}

impl Emulator {
    pub fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { config: config.clone(), ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (state, tls) = (Arc::clone(&shared), config.tls.clone());
                thread::spawn(move || http::serve(stream, tls, &state));
            }
        });
        Self { address, state }
    }

    pub fn uri(&self) -> String {
        format!("targetd://{USER}@{}", self.address)
    }

    /// The next call of this method goes wrong.
    pub fn befall(&self, method: &'static str, fault: Fault) {
        self.state.lock().unwrap().faults.entry(method).or_default().push(fault);
    }

    pub fn calls_of(&self, method: &str) -> u64 {
        self.state.lock().unwrap().calls.get(method).copied().unwrap_or_default()
    }

    /// What somebody else, on the daemon's host or elsewhere, does.
    pub fn also(&self, method: &str, params: &Value) -> Value {
        self.state.lock().unwrap().carry_out(method, params).unwrap()
    }
}

/// What becomes of a call on its way back.
pub enum Told {
    Whole(Value),
    Half(Value),
    Nothing,
}

impl State {
    /// Answers a request that is one.
    pub fn call(&mut self, id: &Value, method: &str, params: &Value) -> Told {
        *self.calls.entry(method.to_owned()).or_default() += 1;
        let fault = self.fault(method);
        let answer = match fault {
            Some(Fault::LoseRequest) => return Told::Nothing,
            Some(Fault::FailedCommand) => refuse(-303, "Unexpected exit code \"['lvs']\" 5, out= b''"),
            Some(Fault::Lie) => Ok(Value::Null),
            Some(Fault::NumberTaken) => refuse(-1, NUMBER_TAKEN),
            _ => self.carry_out(method, params),
        };
        let reply = match answer {
            Ok(result) => json!({"result": result, "id": id, "jsonrpc": "2.0"}),
            Err(Refusal(code, message)) => {
                json!({"error": {"code": code, "message": message}, "id": id, "jsonrpc": "2.0"})
            }
        };
        match fault {
            Some(Fault::LoseAnswer) => Told::Nothing,
            Some(Fault::CutAnswer) => Told::Half(reply),
            _ => Told::Whole(reply),
        }
    }

    fn fault(&mut self, method: &str) -> Option<Fault> {
        if let Some(faults) = self.faults.get_mut(method).filter(|faults| !faults.is_empty()) {
            return Some(faults.remove(0));
        }
        if method.ends_with("_list") {
            return None;
        }
        self.changes += 1;
        let lost = self.config.lose_every.is_some_and(|every| self.changes.is_multiple_of(every));
        lost.then_some(Fault::LoseAnswer)
    }

    fn carry_out(&mut self, method: &str, params: &Value) -> Answer {
        let new = method.starts_with("access_group") || method == "vol_resize" || method == "initiator_list";
        let unknown = || refuse(-32601, format!("method {method} not found"));
        if self.config.old && new {
            return unknown();
        }
        let p = Params(params);
        match method {
            "pool_list" => Ok(self.pool_list()),
            "vol_list" => self.vol_list(p.text("pool")?),
            "vol_create" => self.vol_create(p.place("pool", "name")?, p.number("size")?),
            "vol_destroy" => self.vol_destroy(&p.place("pool", "name")?),
            "vol_copy" => self.vol_copy(&p.place("pool", "vol_orig")?, p.text("vol_new")?, p.maybe("size")),
            "vol_resize" => self.vol_resize(&p.place("pool", "name")?, p.number("size")?),
            "export_list" => Ok(self.export_list()),
            "export_create" => {
                self.export_create(p.place("pool", "vol")?, p.text("initiator_wwn")?, p.number("lun")?)
            }
            "export_destroy" => self.export_destroy(p.place("pool", "vol")?, p.text("initiator_wwn")?),
            "initiator_list" => Ok(self.initiator_list(params["standalone_only"] == json!(true))),
            "initiator_set_auth" => self.initiator_set_auth(p.text("initiator_wwn")?),
            "access_group_list" => Ok(self.access_group_list()),
            "access_group_create" => self.access_group_create(&p),
            "access_group_destroy" => self.access_group_destroy(p.text("ag_name")?),
            "access_group_init_add" => self.access_group_init_add(p.text("ag_name")?, p.text("init_id")?),
            "access_group_init_del" => self.access_group_init_del(p.text("ag_name")?, p.text("init_id")?),
            "access_group_map_list" => Ok(self.access_group_map_list()),
            "access_group_map_create" => {
                let place = p.place("pool_name", "vol_name")?;
                self.access_group_map_create(place, p.text("ag_name")?, p.maybe("h_lun_id"))
            }
            "access_group_map_destroy" => {
                self.access_group_map_destroy(p.place("pool_name", "vol_name")?, p.text("ag_name")?)
            }
            "fs_list" => Ok(self.fs_list()),
            "fs_create" => self.fs_create(p.place("pool_name", "name")?),
            "fs_destroy" => self.fs_destroy(p.text("uuid")?),
            "fs_clone" => self.fs_clone(p.text("fs_uuid")?, p.text("dest_fs_name")?),
            "ss_list" => self.ss_list(p.text("fs_uuid")?),
            "fs_snapshot" => self.fs_snapshot(p.text("fs_uuid")?, p.text("dest_ss_name")?),
            "fs_snapshot_delete" => self.fs_snapshot_delete(p.text("fs_uuid")?, p.text("ss_uuid")?),
            "nfs_export_auth_list" => Ok(json!(["sys", "krb5", "krb5i", "krb5p"])),
            "nfs_export_list" => Ok(self.nfs_export_list()),
            "nfs_export_add" => self.nfs_export_add(&p),
            "nfs_export_remove" => self.nfs_export_remove(p.text("host")?, p.text("path")?),
            _ => unknown(),
        }
    }
}

/// Named parameters.
pub struct Params<'a>(&'a Value);

impl<'a> Params<'a> {
    fn text(&self, key: &str) -> Result<&'a str, Refusal> {
        self.0[key].as_str().map_or_else(|| refuse(-32602, "invalid method arguments(s)"), Ok)
    }

    fn number(&self, key: &str) -> Result<u64, Refusal> {
        self.maybe(key).map_or_else(|| refuse(-32602, "invalid method arguments(s)"), Ok)
    }

    fn maybe(&self, key: &str) -> Option<u64> {
        self.0[key].as_u64()
    }

    fn place(&self, pool: &str, name: &str) -> Result<Place, Refusal> {
        Ok((self.text(pool)?.to_owned(), self.text(name)?.to_owned()))
    }
}

/// So many characters by chance, of these.
fn chance(alphabet: &str, count: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let letter = || {
        let number = RandomState::new().build_hasher().finish();
        letters[usize::try_from(number % letters.len() as u64).unwrap()]
    };
    (0..count).map(|_| letter()).collect()
}
