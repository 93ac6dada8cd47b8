//! How an operator describes an array: a name and the URI that its driver takes.

use sanfleet_protocol::{ArrayId, IdError, password};

/// A parsed definition. It never holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayDefinition {
    pub name: ArrayId,
    pub uri: String,
    /// The driver: the URI's scheme up to a `+`.
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    #[error(transparent)]
    Name(#[from] IdError),
    #[error("URI {uri:?} has no scheme; it looks like sim:// or ontap://user@host/")]
    NoScheme { uri: String },
    #[error("the URI holds a password; leave it out")]
    Password,
    #[error("URI has {0} bytes, more than 4096")]
    TooLong(usize),
}

impl ArrayDefinition {
    pub fn parse(name: &str, uri: &str) -> Result<Self, DefinitionError> {
        let name: ArrayId = name.parse()?;
        if uri.len() > 4096 {
            return Err(DefinitionError::TooLong(uri.len()));
        }
        let no_scheme = || DefinitionError::NoScheme { uri: uri.chars().take(80).collect() };
        let (scheme, _) = uri.split_once("://").ok_or_else(no_scheme)?;
        let kind = scheme.split('+').next().unwrap_or_default();
        // The kind becomes the name of an executable: nothing but a plain word may.
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if kind.is_empty() || !kind.bytes().all(plain) || uri.chars().any(char::is_control) {
            return Err(no_scheme());
        }
        if password::is_in_uri(uri) {
            return Err(DefinitionError::Password);
        }
        Ok(Self { name, uri: uri.to_owned(), kind: kind.to_owned() })
    }

    /// The user whose password the array wants, if the URI names one.
    pub fn user(&self) -> Option<&str> {
        password::user_in_uri(&self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_named_by_the_scheme() {
        assert_eq!(ArrayDefinition::parse("lab", "sim://?statefile=/x").unwrap().kind, "sim");
        assert_eq!(ArrayDefinition::parse("f1", "ontap+ssl://root@filer/").unwrap().kind, "ontap");
    }

    #[test]
    fn a_scheme_that_would_name_a_file_elsewhere_is_refused() {
        for bad in ["", "sim", "://x", "../../bin/sh://", "a/b://", "Sim://", "sim\n://"] {
            assert!(ArrayDefinition::parse("lab", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_in_the_uri_is_refused_and_not_repeated() {
        let error = ArrayDefinition::parse("f1", "ontap://root:secret@filer/").unwrap_err();
        assert_eq!(error, DefinitionError::Password);
        assert!(!error.to_string().contains("secret"));
        assert_eq!(ArrayDefinition::parse("f1", "x://root@f/?password=p"), Err(DefinitionError::Password));
    }
}
