//! An appliance for tests: it speaks as the vendor's own clients expect it to over a real socket, keeps its state in memory, and has the
//! odd ways that are known of real ones. `tests/judge` has those clients judge it.

mod http;
mod nef;
mod nms;
mod stmf;
mod zfs;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use rustls::ServerConfig;

pub const USER: &str = "admin";
pub const PASSWORD: &str = "the right one";
pub const POOL: &str = "tank";
pub const OTHER_POOL: &str = "vault";

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Releases 3 and 4.
    Nms,
    /// Release 5.
    Rest,
}

/// What is wrong with it, so that whoever judges it can be seen to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A field has another name.
    Field,
    /// A refusal has another status.
    Status,
    /// A refusal has another code, or another text.
    Code,
}

/// What kind of appliance it is, and what befalls it.
#[derive(Clone)]
pub struct Config {
    pub release: Release,
    /// Bytes of the larger pool.
    pub pool_bytes: u64,
    /// Rows of a page of a list.
    pub page: usize,
    /// Changes are made in jobs that have to be asked after so often.
    pub job_polls: Option<u32>,
    /// Mappings are told of so many looks late.
    pub lag: u32,
    /// Every so many requests the appliance has no time.
    pub busy_every: Option<u64>,
    /// A token is good for so many requests.
    pub token_life: Option<u32>,
    /// Errors come in the other shapes that are known.
    pub odd_errors: bool,
    /// The answer to every so many changes is lost, although they are made.
    pub lose_every: Option<u64>,
    pub tls: Option<Arc<ServerConfig>>,
    pub wrong: Option<Wrong>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            release: Release::Rest,
            pool_bytes: 1 << 30,
            page: 100,
            job_polls: None,
            lag: 0,
            busy_every: None,
            token_life: None,
            odd_errors: false,
            lose_every: None,
            tls: None,
            wrong: None,
        }
    }
}

/// What befalls the next request of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the connection closed without a word.
    LoseAnswer,
    /// It is not done, and the connection closed without a word.
    LoseRequest,
    /// It is done, and half of the answer sent.
    CutAnswer,
    /// It is not done: something inside the appliance fails.
    Broken,
    /// It is called done, and is not.
    Lie,
}

pub struct Emulator {
    pub address: SocketAddr,
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub config: Config,
    /// One-shot faults by operation: method and collection, and the verb if there is one.
    faults: BTreeMap<String, Vec<Fault>>,
    /// How often each operation was asked for.
    pub calls: BTreeMap<String, u64>,
    /// How often a wrong password was given.
    pub strangers: u64,
    requests: u64,
    changes: u64,
    /// Tokens, and for how many requests they are good.
    tokens: BTreeMap<String, u32>,
    jobs: BTreeMap<String, nef::Job>,
    pub zfs: zfs::Zfs,
    pub stmf: stmf::Stmf,
    /// File systems and how they are shared.
    shares: BTreeMap<String, serde_json::Value>,
    /// What a client that uses the iSCSI targets' names has made.
    targets: BTreeMap<String, serde_json::Value>,
    pub volume_groups: BTreeSet<String>,
}

/// The appliance says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Missing(String),
    Exists(String),
    /// It has clones.
    Children(String),
    Busy(String),
    NoSpace,
    Invalid(String),
    Stranger,
    Broken,
}

impl Emulator {
    pub fn start(config: Config) -> Self {
        Self::start_at("127.0.0.1:0", config)
    }

    pub fn start_at(address: &str, config: Config) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::new(config.clone())));
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
        format!("nexentastor://{USER}@{}", self.address)
    }

    /// The next request of this kind goes wrong.
    pub fn befall(&self, operation: &str, fault: Fault) {
        self.state.lock().unwrap().faults.entry(operation.to_owned()).or_default().push(fault);
    }

    pub fn calls_of(&self, operation: &str) -> u64 {
        self.state.lock().unwrap().calls.get(operation).copied().unwrap_or_default()
    }
}

impl State {
    fn new(config: Config) -> Self {
        let mut state = Self { config, ..Self::default() };
        state.zfs.add_pool(POOL, state.config.pool_bytes);
        state.zfs.add_pool(OTHER_POOL, state.config.pool_bytes / 2);
        state.stmf.lag = state.config.lag;
        let portal = serde_json::json!({"address": "192.0.2.10", "port": 3260});
        let target = serde_json::json!({"name": "iqn.2005-07.com.nexenta:01:t1", "alias": "", "state": "online",
            "authentication": "none", "portals": [portal]});
        state.targets.insert("iqn.2005-07.com.nexenta:01:t1".into(), target);
        state
    }

    /// What befalls a request, of which it is counted that it came.
    fn fault(&mut self, operation: &str) -> Option<Fault> {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        if let Some(faults) = self.faults.get_mut(operation).filter(|faults| !faults.is_empty()) {
            return Some(faults.remove(0));
        }
        if operation.starts_with("GET") || operation.ends_with("login") {
            return None;
        }
        self.changes += 1;
        let lost = self.config.lose_every.is_some_and(|every| self.changes.is_multiple_of(every));
        lost.then_some(Fault::LoseAnswer)
    }
}

/// What is made by chance.
pub fn chance() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
