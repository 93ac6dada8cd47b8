//! From a request to the driver's method and back.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    capability::Capabilities,
    error::{ErrorNumber, LsmError},
    message::{self, Request},
    method::{self, ArrayDriver, Call, EXTENSIONS},
    model::{System, VolumeCreateFlags},
    search::{Search, Searchable},
};

/// What can be asked of a driver that knows no array.
const WITHOUT_ARRAY: [&str; 4] = [
    method::PluginRegister::METHOD,
    method::PluginUnregister::METHOD,
    method::GetPluginInfo::METHOD,
    method::Extensions::METHOD,
];

type Body = Result<Vec<u8>, LsmError>;

/// One session's view of the driver.
pub(crate) struct Dispatcher<'a> {
    driver: &'a mut dyn ArrayDriver,
    standing: Standing,
}

/// What is known of a session between two calls.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The client has registered, so there is an array.
    registered: bool,
    /// What the driver claims now that its array is known; none before it was asked.
    claimed: Option<Capabilities>,
    /// The client asked what extensions there are, so it knows what to make of their records.
    extended: bool,
}

impl<'a> Dispatcher<'a> {
    pub fn new(driver: &'a mut dyn ArrayDriver) -> Self {
        Self::resume(driver, Standing::default())
    }

    /// Goes on with a session where [`into_standing`](Self::into_standing) left it.
    pub fn resume(driver: &'a mut dyn ArrayDriver, standing: Standing) -> Self {
        Self { driver, standing }
    }

    #[cfg(feature = "direct")]
    pub fn into_standing(self) -> Standing {
        self.standing
    }

    /// Closes the session for a client that did not.
    pub fn client_has_gone(&mut self) {
        // Nobody is left to tell about a failure.
        let _ = self.driver.plugin_unregister();
    }

    /// False when the driver keeps the reply back.
    pub fn before_reply(&mut self, method: &str, wire: &mut dyn Write) -> io::Result<bool> {
        self.driver.before_reply(method, wire)
    }

    /// The body of the reply. A driver without the method, and a method nobody knows, answer NO_SUPPORT.
    pub fn dispatch(&mut self, request: &Request) -> Body {
        let Request { method, params } = request;
        self.driver.before(method)?;
        let hints = hints(method, flags(params)?)?;
        if !self.standing.registered && !WITHOUT_ARRAY.contains(&method.as_str()) {
            return Err(LsmError::new(ErrorNumber::NoSupport, "no array is known before plugin_register"));
        }
        let claimed = &*self.standing.claimed.get_or_insert_with(|| Capabilities::claimed(self.driver));
        let incoming = Incoming { params, claimed, extended: self.standing.extended };
        if hints != VolumeCreateFlags::NONE {
            return create_hinted(self.driver, &incoming, hints);
        }
        if let Some(answer) = method::route(self.driver, method, incoming) {
            return answer;
        }
        self.session(method, params)
    }

    fn session(&mut self, method: &str, params: &str) -> Body {
        match method {
            method::PluginRegister::METHOD => {
                let call: method::PluginRegister = read(params)?;
                // What the array lacks may differ from what we thought before it was known.
                self.standing.claimed = None;
                let limit = milliseconds(call.timeout);
                self.driver.plugin_register(&call.uri, call.password.as_deref(), limit)?;
                self.standing.registered = true;
                written(&())
            }
            method::PluginUnregister::METHOD => written(&self.driver.plugin_unregister()?),
            method::GetPluginInfo::METHOD => {
                let info = self.driver.plugin_info();
                written(&(info.description, info.version))
            }
            method::TimeOutSet::METHOD => {
                let call: method::TimeOutSet = read(params)?;
                written(&self.driver.time_out_set(milliseconds(call.ms))?)
            }
            method::TimeOutGet::METHOD => {
                let limit = self.driver.time_out_get()?;
                written(&u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))
            }
            method::Systems::METHOD => written(&self.driver.systems()?),
            method::GetCapabilities::METHOD => {
                let call: method::GetCapabilities = read(params)?;
                self.must_exist(&call.system)?;
                written(self.standing.claimed.get_or_insert_with(|| Capabilities::claimed(self.driver)))
            }
            method::Extensions::METHOD => {
                self.standing.extended = true;
                let implemented = self.driver.implemented();
                let names: Vec<_> = EXTENSIONS.iter().filter(|name| implemented.has(name)).collect();
                written(&names)
            }
            _ => Err(LsmError::no_support()),
        }
    }

    fn must_exist(&mut self, system: &System) -> Result<(), LsmError> {
        match self.driver.systems()?.iter().any(|known| known.id == system.id) {
            true => Ok(()),
            false => Err(LsmError::new(ErrorNumber::NotFoundSystem, format!("no system {}", system.id))),
        }
    }
}

/// A request on its way to the driver's method.
pub(crate) struct Incoming<'a> {
    params: &'a str,
    claimed: &'a Capabilities,
    extended: bool,
}

impl Incoming<'_> {
    /// Reads the call from its parameters (those it does not know are passed over), makes it, and writes its result.
    pub fn answer<C: Call>(&self, make: impl FnOnce(&C) -> Result<C::Reply, LsmError>) -> Body {
        let call: C = read(self.params)?;
        self.check(&call)?;
        self.write::<C>(make(&call)?)
    }

    /// As [`answer`](Self::answer), for a list that may be searched.
    pub fn list<C: Call<Reply = Vec<T>>, T: Searchable>(
        &self,
        search: impl FnOnce(&C) -> (&Option<String>, &Option<String>),
        list: impl FnOnce(Option<&Search>) -> Result<Vec<T>, LsmError>,
    ) -> Body {
        let call: C = read(self.params)?;
        self.check(&call)?;
        let search = match search(&call) {
            (Some(key), Some(value)) => Some(Search::new(key, value)),
            (None, _) => None,
            (Some(_), None) => {
                return Err(LsmError::new(
                    ErrorNumber::TransportInvalidArgument,
                    "a search key without a value",
                ));
            }
        };
        search.as_ref().map_or(Ok(()), Search::check::<T>)?;
        let mut records = list(search.as_ref())?;
        if let Some(search) = &search {
            records.retain(|record| search.matches(record));
        }
        self.write::<C>(records)
    }

    fn check<C: Call>(&self, call: &C) -> Result<(), LsmError> {
        match call.needs().into_iter().all(|need| self.claimed.supports(need)) {
            true => Ok(()),
            false => Err(LsmError::no_support()),
        }
    }

    fn write<C: Call>(&self, reply: C::Reply) -> Body {
        written(&if self.extended { reply } else { C::legacy(reply) })
    }
}

fn flags(params: &str) -> Result<u64, LsmError> {
    #[derive(Deserialize)]
    struct Flags {
        flags: Option<u64>,
    }
    let flags: Flags = serde_json::from_str(params)
        .map_err(|_| LsmError::new(ErrorNumber::TransportInvalidArgument, "flags is no number"))?;
    Ok(flags.flags.unwrap_or_default())
}

/// The protocol has flags for one method alone. What nobody knows is refused: it may be meant to matter.
fn hints(method: &str, flags: u64) -> Result<VolumeCreateFlags, LsmError> {
    let known = match method {
        method::VolumeCreate::METHOD => {
            VolumeCreateFlags::NAMED.iter().fold(0, |known, (_, flag)| known | flag.0)
        }
        _ => 0,
    };
    match flags & !known {
        0 => Ok(VolumeCreateFlags(flags)),
        unknown => {
            let message = format!("flags {unknown:#x} are not known here");
            Err(LsmError::new(ErrorNumber::InvalidArgument, message))
        }
    }
}

fn create_hinted(driver: &mut dyn ArrayDriver, incoming: &Incoming<'_>, hints: VolumeCreateFlags) -> Body {
    incoming.answer(|call: &method::VolumeCreate| {
        let method::VolumeCreate { pool, volume_name, size_bytes, provisioning } = call;
        driver.volume_create_hinted(pool, volume_name, *size_bytes, *provisioning, hints)
    })
}

fn read<C: Call>(params: &str) -> Result<C, LsmError> {
    serde_json::from_str(params).map_err(|error| {
        // serde's words may quote the value: not for a call that carries a password.
        let secret = [method::PluginRegister::METHOD, method::IscsiChapAuth::METHOD].contains(&C::METHOD);
        let why = if secret { String::new() } else { format!(": {error}") };
        let message = format!("wrong or missing argument of {}{why}", C::METHOD);
        LsmError::new(ErrorNumber::TransportInvalidArgument, message)
    })
}

fn written(reply: &impl serde::Serialize) -> Body {
    message::success(reply).map_err(|error| LsmError::new(ErrorNumber::PluginBug, error.to_string()))
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}
