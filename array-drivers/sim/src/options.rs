//! What a session asks for in its URI: `sim://?statefile=PATH&data=DIR&fabric=DIR&pool_bytes=N&job_ms=N&seed=N`,
//! `profile=NAME`, `lag_ms=N`, `faults=RULES`, `clock=virtual` for a clock that tests advance, and `private` for an array that goes
//! with its session; `simc://` is `sim://?private`.

use std::{path::PathBuf, time::Duration};

use sanfleet_driver::{ErrorNumber, LsmError, Uri};

use crate::{
    faults::{self, Rule},
    profile::{ASYNC_JOB, LAG, Profile},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub state_file: PathBuf,
    /// Where the volumes' files are; `<state file>.data` when not given.
    pub data: PathBuf,
    /// Where masked volumes are published; as the state file remembers it when not given, if at all.
    pub fabric: Option<PathBuf>,
    /// Size of a pool, the first one has four times as much; counts when the array is made.
    pub pool_bytes: u64,
    /// What the array's identities follow from; counts when the array is made.
    pub seed: Option<u64>,
    /// How long each change of a volume takes as a job; none is done at once.
    pub job: Duration,
    pub profile: Profile,
    /// How far the lists lag behind.
    pub lag: Duration,
    pub faults: Vec<Rule>,
    pub virtual_clock: bool,
    /// State and data are in a folder that goes with the session; the paths here are empty.
    pub private: bool,
}

const KEYS: [&str; 11] = [
    "statefile",
    "data",
    "fabric",
    "pool_bytes",
    "seed",
    "job_ms",
    "profile",
    "lag_ms",
    "faults",
    "clock",
    "private",
];
const POOL_BYTES: u64 = 512 << 30;
/// Where the state is when the URI does not say; libStorageMgmt's simulator reads the same variable.
const STATE_VARIABLE: &str = "LSM_SIM_DATA";
/// Seconds that a job takes; libStorageMgmt's simulator reads the same variable.
const JOB_VARIABLE: &str = "LSM_SIM_TIME";
/// Over at the first look, but a job.
const SHORTEST_JOB: Duration = Duration::from_millis(1);
/// A session's own array, as libStorageMgmt calls it.
const PRIVATE_KIND: &str = "simc";

impl Options {
    /// Reads a URI; `environment` looks up variables.
    pub fn from_uri(uri: &str, environment: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, LsmError> {
        let uri: Uri = uri.parse().map_err(|error| refuse(format!("{error}")))?;
        if !["sim", PRIVATE_KIND].contains(&uri.kind.as_str()) {
            let message =
                format!("the simulated array serves sim:// and {PRIVATE_KIND}://, not {}://", uri.kind);
            return Err(refuse(message));
        }
        if let Some(unknown) = uri.parameters.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(refuse(format!("unknown parameter {unknown}; there are {}", KEYS.join(", "))));
        }
        let path = |key: &str| uri.parameters.get(key).filter(|text| !text.is_empty()).map(PathBuf::from);
        let private = uri.kind == PRIVATE_KIND || uri.parameters.contains_key("private");
        if private
            && let Some(key) = ["statefile", "data", "fabric"].into_iter().find(|key| path(key).is_some())
        {
            return Err(refuse(format!("a private array has no {key} of its own")));
        }
        let state_file = match private {
            true => PathBuf::new(),
            false => path("statefile").or_else(|| default_state(&environment)).ok_or_else(|| {
                refuse(format!("give statefile=PATH, or set {STATE_VARIABLE}, XDG_STATE_HOME or HOME"))
            })?,
        };
        let profile = profile(&uri)?;
        let lag = number(&uri, "lag_ms")?.map(Duration::from_millis);
        let mut beside = state_file.clone().into_os_string();
        beside.push(".data");
        Ok(Self {
            data: path("data").unwrap_or_else(|| beside.into()),
            fabric: path("fabric"),
            pool_bytes: number(&uri, "pool_bytes")?.unwrap_or(POOL_BYTES),
            seed: number(&uri, "seed")?,
            job: job(&uri, profile, &environment)?,
            profile,
            lag: lag.unwrap_or(if profile == Profile::Eventual { LAG } else { Duration::ZERO }),
            faults: uri.parameters.get("faults").map_or(Ok(Vec::new()), |rules| faults::from_uri(rules))?,
            virtual_clock: virtual_clock(&uri)?,
            private,
            state_file,
        })
    }
}

fn profile(uri: &Uri) -> Result<Profile, LsmError> {
    let Some(name) = uri.parameters.get("profile") else { return Ok(Profile::default()) };
    let names = || Profile::NAMED.map(|(name, _)| name).join(", ");
    Profile::named(name).ok_or_else(|| refuse(format!("no profile {name}; there are {}", names())))
}

fn virtual_clock(uri: &Uri) -> Result<bool, LsmError> {
    match uri.parameters.get("clock").map(String::as_str) {
        None | Some("real") => Ok(false),
        Some("virtual") => Ok(true),
        Some(other) => Err(refuse(format!("clock is real or virtual, not {other}"))),
    }
}

/// What the URI says goes before the peer's variable. Where neither says anything, changes are done at once.
fn job(
    uri: &Uri,
    profile: Profile,
    environment: &impl Fn(&str) -> Option<PathBuf>,
) -> Result<Duration, LsmError> {
    let given = number(uri, "job_ms")?.map(Duration::from_millis);
    if profile == Profile::Dumb {
        return match given.unwrap_or_default() {
            Duration::ZERO => Ok(Duration::ZERO),
            _ => Err(refuse("job_ms: a dumb array knows no jobs".to_owned())),
        };
    }
    let wanted = match given {
        Some(length) => Some(length),
        None => peers_job(environment)?.map(|length| length.max(SHORTEST_JOB)),
    };
    Ok(match profile {
        Profile::Async => wanted.unwrap_or(ASYNC_JOB).max(SHORTEST_JOB),
        _ => wanted.unwrap_or_default(),
    })
}

/// Even no seconds make a job.
fn peers_job(environment: &impl Fn(&str) -> Option<PathBuf>) -> Result<Option<Duration>, LsmError> {
    let Some(seconds) = environment(JOB_VARIABLE) else { return Ok(None) };
    let seconds = seconds.to_str().and_then(|text| text.parse().ok());
    seconds
        .map(|seconds: u32| Some(Duration::from_secs(seconds.into())))
        .ok_or_else(|| refuse(format!("{JOB_VARIABLE} is no number of seconds")))
}

fn default_state(environment: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || environment("HOME").map(|home| home.join(".local/state"));
    let state_home = || environment("XDG_STATE_HOME").or_else(home);
    environment(STATE_VARIABLE).or_else(|| Some(state_home()?.join("sanfleet/sim.db")))
}

/// A number that a 64-bit signed column can hold.
fn number(uri: &Uri, key: &str) -> Result<Option<u64>, LsmError> {
    let Some(text) = uri.parameters.get(key) else { return Ok(None) };
    match text.parse() {
        Ok(number) if i64::try_from(number).is_ok() => Ok(Some(number)),
        _ => Err(refuse(format!("{key} is no number below 2^63"))),
    }
}

fn refuse(message: String) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<Options, LsmError> {
        Options::from_uri(uri, |name| (name == "HOME").then(|| "/home/me".into()))
    }

    #[test]
    fn a_bare_uri_has_its_state_at_home() {
        let options = read("sim://").unwrap();
        assert_eq!(options.state_file, PathBuf::from("/home/me/.local/state/sanfleet/sim.db"));
        assert_eq!(options.data, PathBuf::from("/home/me/.local/state/sanfleet/sim.db.data"));
        assert_eq!((options.fabric, options.job), (None, Duration::ZERO));
    }

    #[test]
    fn every_parameter_is_read() {
        let options = read("sim://?statefile=/s&data=/d&fabric=/f&pool_bytes=1024&seed=7&job_ms=30").unwrap();
        let expected = Options {
            state_file: "/s".into(),
            data: "/d".into(),
            fabric: Some("/f".into()),
            pool_bytes: 1024,
            seed: Some(7),
            job: Duration::from_millis(30),
            profile: Profile::Plain,
            lag: Duration::ZERO,
            faults: Vec::new(),
            virtual_clock: false,
            private: false,
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn the_peers_variable_makes_every_change_a_job_unless_the_uri_says_otherwise() {
        let read = |uri: &str, seconds: &str| {
            let seconds = PathBuf::from(seconds);
            Options::from_uri(uri, |name| {
                Some(if name == JOB_VARIABLE { seconds.clone() } else { "/s".into() })
            })
        };
        for profile in ["plain", "async", "eventual", "huge"] {
            let job =
                |more: &str, seconds| read(&format!("sim://?profile={profile}{more}"), seconds).unwrap().job;
            assert_eq!(job("", "7"), Duration::from_secs(7), "{profile}");
            assert_eq!(job("", "0"), SHORTEST_JOB, "{profile}");
            assert_eq!(job("&job_ms=30", "7"), Duration::from_millis(30), "{profile}");
        }
        assert_eq!(read("sim://?job_ms=0", "7").unwrap().job, Duration::ZERO);
        assert_eq!(read("sim://?profile=dumb", "7").unwrap().job, Duration::ZERO);
        assert!(read("sim://", "soon").unwrap_err().message.contains(JOB_VARIABLE));
    }

    #[test]
    fn a_session_may_have_an_array_of_its_own_under_either_name() {
        for uri in ["simc://", "sim://?private", "simc://?private&job_ms=5"] {
            assert!(read(uri).unwrap().private, "{uri}");
        }
        assert!(!read("sim://").unwrap().private);
        assert!(read("simd://").unwrap_err().message.contains("simd"));
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        for (uri, word) in [
            ("sim://?private&statefile=/s", "statefile"),
            ("simc://?statefile=/s", "statefile"),
            ("sim://?profile=dumb&job_ms=5", "job_ms"),
            ("sim://?profile=odd", "odd"),
            ("sim://?clock=broken", "broken"),
            ("sim://?faults=volumes:explode", "volumes:explode"),
        ] {
            let error = read(uri).unwrap_err();
            assert!(error.message.contains(word), "{error}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        let error = read("sim://?statefile=/s&colour=blue").unwrap_err();
        assert_eq!(error.number, ErrorNumber::InvalidArgument);
        assert!(error.message.contains("colour"), "{error}");
    }

    #[test]
    fn a_number_that_is_none_is_refused_by_name() {
        for bad in ["job_ms=soon", "job_ms=-1", "pool_bytes=18446744073709551615"] {
            let error = read(&format!("sim://?{bad}")).unwrap_err();
            assert!(error.message.contains(bad.split('=').next().unwrap()), "{error}");
        }
    }
}
