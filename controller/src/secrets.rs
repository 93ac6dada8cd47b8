//! Where the secrets of one kind of thing are: a file of our own, a systemd credential, or a variable of our environment.
//!
//! Only the controller has them. An array's password goes to the driver over its socket and nowhere else; a webhook's secret
//! signs and goes nowhere. No definition, report, journal, event or log holds one, and a driver's environment does not either.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sanfleet_protocol::{
    ArrayId, Password, WebhookId,
    password::{PASSWORD_BYTES, PasswordError},
};

/// systemd's name for the folder of a service's credentials (systemd.exec(5)).
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Where secrets are looked for, in this order: what an operator gave last wins over what the service was started with. `I` names
/// the things that have one.
#[derive(Debug, Clone)]
pub struct Secrets<I> {
    /// `<folder>/<name>.password`, mode 0600.
    folder: PathBuf,
    /// What the things are called in the name of a credential.
    noun: &'static str,
    /// `<folder>/<noun>-<name>`.
    credentials: Option<PathBuf>,
    /// The variable that holds a secret.
    variables: BTreeMap<I, String>,
}

/// The passwords of arrays.
pub type Passwords = Secrets<ArrayId>;
/// What signs the requests of webhooks.
pub type WebhookSecrets = Secrets<WebhookId>;

/// Where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    File(PathBuf),
    Credential(String),
    Variable(String),
}

/// Why a secret cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot read the secret in {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write the secret to {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the secret in {} can be read by others; make it mode 0600", path.display())]
    OpenToOthers { path: PathBuf },
    #[error("{found} holds no secret")]
    Content {
        found: Found,
        #[source]
        source: PasswordError,
    },
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "systemd credential {name}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl Passwords {
    pub fn of_arrays(state_dir: &Path, variables: BTreeMap<ArrayId, String>) -> Self {
        Self::new(state_dir.join("arrays"), "array", variables)
    }
}

impl WebhookSecrets {
    pub fn of_webhooks(state_dir: &Path) -> Self {
        Self::new(state_dir.join("webhooks"), "webhook", BTreeMap::new())
    }
}

impl<I: fmt::Display + Ord> Secrets<I> {
    fn new(folder: PathBuf, noun: &'static str, variables: BTreeMap<I, String>) -> Self {
        let credentials = std::env::var_os(CREDENTIALS_VARIABLE).map(PathBuf::from);
        Self { folder, noun, credentials, variables }
    }

    /// What a driver's environment must not hold, emptied.
    pub fn hidden_variables(&self) -> Vec<(OsString, OsString)> {
        let names = self.variables.values().map(String::as_str).chain([CREDENTIALS_VARIABLE]);
        names.map(|name| (name.into(), OsString::new())).collect()
    }

    /// The secret, and where it is from; none where nobody gave one.
    pub fn find(&self, of: &I) -> Result<Option<(Password, Found)>, StoreError> {
        let file = self.file(of);
        if let Some(line) = read(&file, Whose::Ours)? {
            return parsed(&line, Found::File(file)).map(Some);
        }
        let name = format!("{}-{of}", self.noun);
        if let Some(folder) = &self.credentials
            && let Some(line) = read(&folder.join(&name), Whose::Systemds)?
        {
            return parsed(&line, Found::Credential(name)).map(Some);
        }
        if let Some(name) = self.variables.get(of)
            && let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty())
        {
            return parsed(value.as_encoded_bytes(), Found::Variable(name.clone())).map(Some);
        }
        Ok(None)
    }

    /// Keeps a secret in our own file. It is the old one or the new one, whatever happens meanwhile.
    pub fn keep(&self, of: &I, password: &Password) -> Result<(), StoreError> {
        let path = self.file(of);
        let fresh = self.folder.join(format!(".{of}.new"));
        let written = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            remove(&fresh)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(password.expose().as_bytes())?;
            // Whatever the umask took away or a file system added.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|source| StoreError::Write { path, source })
    }

    /// Forgets the secret in our own file. One that is gone is fine.
    pub fn forget(&self, of: &I) -> Result<(), StoreError> {
        let path = self.file(of);
        remove(&path).map_err(|source| StoreError::Write { path, source })
    }

    fn file(&self, of: &I) -> PathBuf {
        self.folder.join(format!("{of}.password"))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Who made a file, and so who answers for its mode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Systemds,
}

fn read(path: &Path, whose: Whose) -> Result<Option<Vec<u8>>, StoreError> {
    let at = |source| StoreError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(at)?,
    };
    if whose == Whose::Ours && file.metadata().map_err(at)?.permissions().mode() & 0o077 != 0 {
        return Err(StoreError::OpenToOthers { path: path.to_owned() });
    }
    let mut line = Vec::new();
    // A line end, and one byte more than may be: what is too long is refused, not cut.
    file.take(PASSWORD_BYTES as u64 + 3).read_to_end(&mut line).map_err(at)?;
    Ok(Some(line))
}

fn parsed(line: &[u8], found: Found) -> Result<(Password, Found), StoreError> {
    match Password::from_line(line) {
        Ok(password) => Ok((password, found)),
        Err(source) => Err(StoreError::Content { found, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array() -> ArrayId {
        "f1".parse().unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    fn at(folder: &Path) -> Passwords {
        Passwords {
            folder: folder.join("state/arrays"),
            noun: "array",
            credentials: Some(folder.to_owned()),
            variables: [(array(), "CARGO_PKG_NAME".to_owned())].into(),
        }
    }

    fn found(passwords: &Passwords) -> (String, Found) {
        let (password, found) = passwords.find(&array()).unwrap().unwrap();
        (password.expose().to_owned(), found)
    }

    #[test]
    fn what_an_operator_gave_wins_over_the_credential_and_that_over_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let passwords = at(folder.path());
        let variable = Found::Variable("CARGO_PKG_NAME".into());
        assert_eq!(found(&passwords), (env!("CARGO_PKG_NAME").to_owned(), variable));
        fs::write(folder.path().join("array-f1"), "from systemd\n").unwrap();
        assert_eq!(found(&passwords), ("from systemd".to_owned(), Found::Credential("array-f1".into())));
        passwords.keep(&array(), &password("given")).unwrap();
        assert_eq!(found(&passwords).0, "given");
        passwords.keep(&array(), &password("given anew")).unwrap();
        assert_eq!(found(&passwords).0, "given anew");
        passwords.forget(&array()).unwrap();
        passwords.forget(&array()).unwrap();
        assert_eq!(found(&passwords).0, "from systemd");
    }

    #[test]
    fn a_kept_password_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let passwords = at(folder.path());
        passwords.keep(&array(), &password("given")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = passwords.file(&array());
        assert_eq!((mode(&file), mode(&passwords.folder)), (0o600, 0o700));
        assert_eq!(fs::read_dir(&passwords.folder).unwrap().count(), 1, "something else was left there");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let passwords = at(folder.path());
        passwords.keep(&array(), &password("given")).unwrap();
        fs::set_permissions(passwords.file(&array()), Permissions::from_mode(0o640)).unwrap();
        let error = passwords.find(&array()).unwrap_err();
        assert!(matches!(error, StoreError::OpenToOthers { .. }), "{error}");
    }

    #[test]
    fn a_file_of_any_size_is_refused_when_it_is_no_password() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("array-f1"), vec![b'x'; 1 << 20]).unwrap();
        let error = at(folder.path()).find(&array()).unwrap_err();
        assert!(matches!(error, StoreError::Content { source: PasswordError::TooLong, .. }), "{error}");
    }

    #[test]
    fn a_driver_gets_none_of_the_variables() {
        let folder = tempfile::tempdir().unwrap();
        let hidden = at(folder.path()).hidden_variables();
        assert!(hidden.contains(&("CARGO_PKG_NAME".into(), OsString::new())), "{hidden:?}");
        assert!(hidden.contains(&("CREDENTIALS_DIRECTORY".into(), OsString::new())), "{hidden:?}");
    }
}
