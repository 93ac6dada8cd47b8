//! Passwords of arrays and secrets of webhooks on their way from the operator to the controller: read where they do not show, and sealed at once.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sanfleet_protocol::{
    Password,
    password::{PASSWORD_BYTES, PasswordError},
    seal::{Purpose, SealError, SystemRandom, seal},
    sign::{PublicKey, SignError},
    v1,
};

use crate::{args::PasswordFrom, client::Client, exit::Exit, failure::Failure, terminal};

/// Why there is no password to send.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read the password from {}", from.display())]
    Read { from: PathBuf, source: io::Error },
    #[error("environment variable {name} is not set")]
    NoVariable { name: String },
    #[error("{from} gives no password")]
    NoPassword { from: String, source: PasswordError },
    #[error("there is no terminal to ask for the password on")]
    NoTerminal { source: io::Error },
    #[error("interrupted: nothing was sent")]
    Interrupted,
    #[error("the controller that answered is not the one whose key was given")]
    OtherController { source: SignError },
    #[error("the password cannot be sealed to the controller's key")]
    Seal { source: SealError },
}

impl SecretError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Read { .. }
            | Self::NoVariable { .. }
            | Self::NoPassword { .. }
            | Self::NoTerminal { .. } => Exit::Usage,
            Self::Interrupted => Exit::Interrupted,
            Self::OtherController { .. } | Self::Seal { .. } => Exit::Failed,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTerminal { .. } => Some(
                "give it with --password-file or --password-env; where the controller has it already, say --no-password",
            ),
            Self::OtherController { .. } => Some(
                "nothing was sent; is it the right bus, and is --controller-key the one that agents pin?",
            ),
            _ => None,
        }
    }
}

/// Reads a password from where the operator said, or asks for it.
pub async fn read(from: &PasswordFrom, question: &str) -> Result<Password, SecretError> {
    match (&from.password_file, &from.password_env) {
        (Some(file), _) => read_file(file),
        (None, Some(name)) => read_variable(name),
        (None, None) => ask(question).await,
    }
}

/// Has the controller make a key, and seals the password to it for this one purpose.
pub async fn sealed(
    client: &Client,
    controller_key: Option<&PublicKey>,
    password: &Password,
    purpose: Purpose<'_>,
) -> Result<v1::SealedPassword, Failure> {
    let offered = client.call(v1::SealingKeyRequest {}).await?;
    if let Some(pinned) = controller_key {
        let believed = pinned.verify_sealing_key(&offered.key, &offered.signature);
        believed.map_err(|source| SecretError::OtherController { source })?;
    }
    let sealed = seal(password, &offered.key, purpose, &SystemRandom::new());
    Ok(sealed.map_err(|source| SecretError::Seal { source })?)
}

async fn ask(question: &str) -> Result<Password, SecretError> {
    let line = terminal::ask(question).await.map_err(|source| match source.kind() {
        io::ErrorKind::Interrupted => SecretError::Interrupted,
        _ => SecretError::NoTerminal { source },
    })?;
    parsed(&line, || "the terminal".to_owned())
}

/// Reads a file, or standard input where that is `-`.
pub fn read_file(path: &Path) -> Result<Password, SecretError> {
    let at = |source| SecretError::Read { from: path.to_owned(), source };
    let mut line = Vec::new();
    // A line end, and one byte more than may be: what is too long is refused, not cut.
    let most = PASSWORD_BYTES as u64 + 3;
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(most).read_to_end(&mut line).map_err(at)?,
        false => File::open(path).and_then(|file| file.take(most).read_to_end(&mut line)).map_err(at)?,
    };
    parsed(&line, || path.display().to_string())
}

fn read_variable(name: &str) -> Result<Password, SecretError> {
    let value = std::env::var_os(name).ok_or_else(|| SecretError::NoVariable { name: name.to_owned() })?;
    parsed(value.as_encoded_bytes(), || format!("environment variable {name}"))
}

fn parsed(line: &[u8], from: impl Fn() -> String) -> Result<Password, SecretError> {
    Password::from_line(line).map_err(|source| SecretError::NoPassword { from: from(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(file: Option<&str>, variable: Option<&str>) -> PasswordFrom {
        PasswordFrom {
            password_file: file.map(PathBuf::from),
            password_env: variable.map(str::to_owned),
            controller_key: None,
        }
    }

    #[tokio::test]
    async fn a_password_comes_from_a_variable() {
        let password = read(&from(None, Some("CARGO_PKG_NAME")), "?").await.unwrap();
        assert_eq!(password.expose(), env!("CARGO_PKG_NAME"));
        let error = read(&from(None, Some("SANFLEET_NO_SUCH")), "?").await.unwrap_err();
        assert!(error.to_string().contains("SANFLEET_NO_SUCH"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_never_ends_is_read_to_the_bound() {
        let error = read(&from(Some("/dev/zero"), None), "?").await.unwrap_err();
        assert!(matches!(error, SecretError::NoPassword { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let error = read(&from(Some("/nonexistent/pw"), None), "?").await.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/pw"), "{error}");
        assert_eq!(error.exit(), Exit::Usage);
    }
}
