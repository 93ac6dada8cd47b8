//! What a session asks for in its URI: `sim://?statefile=PATH&data=DIR&fabric=DIR&pool_bytes=N&job_ms=N&seed=N`.

use std::{path::PathBuf, time::Duration};

use sanfleet_driver::{ErrorNumber, LsmError, Uri};

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
}

const KEYS: [&str; 6] = ["statefile", "data", "fabric", "pool_bytes", "seed", "job_ms"];
const POOL_BYTES: u64 = 512 << 30;
/// Where the state is when the URI does not say; libStorageMgmt's simulator reads the same variable.
const STATE_VARIABLE: &str = "LSM_SIM_DATA";

impl Options {
    /// Reads a URI; `environment` looks up variables.
    pub fn from_uri(uri: &str, environment: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, LsmError> {
        let uri: Uri = uri.parse().map_err(|error| refuse(format!("{error}")))?;
        if uri.kind != "sim" {
            return Err(refuse(format!("the simulated array serves sim:// and not {}://", uri.kind)));
        }
        if let Some(unknown) = uri.parameters.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(refuse(format!("unknown parameter {unknown}; there are {}", KEYS.join(", "))));
        }
        let path = |key: &str| uri.parameters.get(key).filter(|text| !text.is_empty()).map(PathBuf::from);
        let state_file = path("statefile").or_else(|| default_state(environment)).ok_or_else(|| {
            refuse(format!("give statefile=PATH, or set {STATE_VARIABLE}, XDG_STATE_HOME or HOME"))
        })?;
        let mut beside = state_file.clone().into_os_string();
        beside.push(".data");
        Ok(Self {
            data: path("data").unwrap_or_else(|| beside.into()),
            fabric: path("fabric"),
            pool_bytes: number(&uri, "pool_bytes")?.unwrap_or(POOL_BYTES),
            seed: number(&uri, "seed")?,
            job: Duration::from_millis(number(&uri, "job_ms")?.unwrap_or(0)),
            state_file,
        })
    }
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
        };
        assert_eq!(options, expected);
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
