//! What every check is given: the way to the driver, and names of its own.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use sanfleet_driver::{
    PoolId,
    client::{self, ClientError, Session},
};
use tempfile::TempDir;

use crate::{
    array::Array,
    expect::Verdict,
    options::Options,
    plug::Plug,
    tap::{self, Record},
    target::Target,
    wire::Wire,
};

/// Why there was no run at all.
#[derive(Debug)]
pub struct Broken(pub String);

/// The ground on which all checks of a run stand.
#[derive(Debug)]
pub struct Stage {
    pub target: Target,
    pub options: Options,
    pub record: Arc<Record>,
    /// Where the tapped sessions' sockets are.
    sockets: TempDir,
    counter: AtomicU32,
    /// The pool that the run works in, for each kind of thing.
    pub pools: Mutex<BTreeMap<u64, PoolId>>,
    /// Begins every name of this run: the prefix, and four digits of the seed, so that two runs stay apart.
    own: String,
}

impl Stage {
    pub fn new(target: &Target, options: &Options) -> io::Result<Self> {
        Ok(Self {
            target: target.clone(),
            own: format!("{}_{:04x}_", options.prefix, options.seed & 0xffff),
            options: options.clone(),
            record: Arc::default(),
            sockets: tempfile::Builder::new().prefix("conformance").tempdir()?,
            counter: AtomicU32::new(0),
            pools: Mutex::default(),
        })
    }

    /// A session of its own with the driver, listened in on.
    pub async fn session(&self) -> Result<Session, ClientError> {
        let path = self.sockets.path().join(self.number().to_string());
        let options = client::Options { deadline: self.options.deadline, ..client::Options::default() };
        tap::listen(&path, self.target.door.clone(), Arc::clone(&self.record))
            .map_err(|source| ClientError::Start { path: path.clone(), source })?;
        Session::connect_socket(&path, &self.target.uri, self.target.password.as_deref(), options).await
    }

    /// A session, and what the array is.
    pub async fn array(&self) -> Verdict<Array<'_>> {
        Array::open(self).await
    }

    /// A connection on which nothing has been said.
    pub async fn wire(&self) -> Verdict<Wire> {
        let plug = Plug::open(&self.target.door).await?;
        Ok(Wire::new(plug, self.options.deadline, Arc::clone(&self.record)))
    }

    /// A connection that has registered.
    pub async fn registered_wire(&self) -> Verdict<Wire> {
        let mut wire = self.wire().await?;
        wire.ask("plugin_register", self.registration()).await?;
        Ok(wire)
    }

    pub fn registration(&self) -> serde_json::Value {
        let Target { uri, password, .. } = &self.target;
        serde_json::json!({"uri": uri, "password": password, "timeout": 30_000, "flags": 0})
    }

    /// A name that nothing else has.
    pub fn name(&self) -> String {
        format!("{}{}", self.own, self.number())
    }

    pub fn is_own(&self, name: &str) -> bool {
        name.starts_with(&self.own)
    }

    /// An initiator that no host has.
    pub fn iqn(&self) -> String {
        format!("iqn.2026-01.example.conformance:{}", self.name().replace('_', "-"))
    }

    /// A port name that no host has: NAA 2 with a locally administered OUI.
    pub fn wwpn(&self) -> String {
        let number = u64::from(self.number()) | (self.options.seed & 0xffff) << 24;
        let bytes = (0x2000_025a_0000_0000_u64 | number).to_be_bytes();
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(":")
    }

    fn number(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }
}
