//! An array's password, and where one must not be.

use std::fmt;

use zeroize::Zeroizing;

/// Longest password, in bytes.
pub const PASSWORD_BYTES: usize = 1022;

/// A password that is never printed, and wiped when it is dropped. What it was read from, and what is made of it on its way
/// to a driver, is not ours to wipe.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// Why a text is no password. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is empty")]
    Empty,
    #[error("the password has more than {PASSWORD_BYTES} bytes")]
    TooLong,
    #[error("the password holds a control character; is it the right file?")]
    Control,
    #[error("the password is not UTF-8; is it the right file?")]
    NotUtf8,
}

impl Password {
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        match text {
            "" => Err(PasswordError::Empty),
            _ if text.len() > PASSWORD_BYTES => Err(PasswordError::TooLong),
            _ if text.chars().any(char::is_control) => Err(PasswordError::Control),
            _ => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// From the contents of a file or a line that was typed: one line end is not part of it.
    pub fn from_line(line: &[u8]) -> Result<Self, PasswordError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self::new(std::str::from_utf8(line).map_err(|_| PasswordError::NotUtf8)?)
    }

    /// The password itself: for its file, for sealing, for the driver, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The user that an array's URI names.
pub fn user_in_uri(uri: &str) -> Option<&str> {
    let (user, _) = authority(uri).rsplit_once('@')?;
    (!user.is_empty()).then_some(user)
}

/// True when there is a password in the URI: after the user (RFC 3986 §3.2.1), or as a parameter of such a name.
pub fn is_in_uri(uri: &str) -> bool {
    let in_authority = authority(uri).rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let query = uri.split_once('?').map(|(_, query)| query.to_ascii_lowercase()).unwrap_or_default();
    let in_query = query.split(['&', ';']).any(|pair| {
        let key = pair.split('=').next().unwrap_or_default();
        key.contains("passw") || key.contains("secret")
    });
    in_authority || in_query
}

fn authority(uri: &str) -> &str {
    let rest = uri.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_does_not_print_itself() {
        let password = Password::new("hunter2").unwrap();
        assert!(!format!("{password:?}").contains("hunter2"));
        assert_eq!(password.expose(), "hunter2");
    }

    #[test]
    fn a_line_end_is_no_part_of_a_password_and_a_blank_is() {
        for line in ["a b \n", "a b \r\n", "a b "] {
            assert_eq!(Password::from_line(line.as_bytes()).unwrap().expose(), "a b ");
        }
        assert_eq!(Password::from_line(b"\n"), Err(PasswordError::Empty));
        assert_eq!(Password::from_line(b"two\nlines\n"), Err(PasswordError::Control));
        assert_eq!(Password::from_line(b"\xff\n"), Err(PasswordError::NotUtf8));
        assert_eq!(Password::new(&"x".repeat(1023)), Err(PasswordError::TooLong));
    }

    #[test]
    fn a_password_in_a_uri_is_found_wherever_it_hides() {
        for bad in
            ["ontap://u:p@filer", "x+ssl://u:@h/p", "x://h/?password=p", "x://h?a=1&Passwd=p", "x:///?secret"]
        {
            assert!(is_in_uri(bad), "{bad}");
        }
        for good in ["sim:///var/lib/x", "sim://", "ontap+ssl://admin@filer:8443/?ns=a:b@c", "x:rest"] {
            assert!(!is_in_uri(good), "{good}");
        }
    }

    #[test]
    fn the_user_is_what_stands_before_the_host() {
        assert_eq!(user_in_uri("ontap+ssl://admin@filer:8443/x"), Some("admin"));
        assert_eq!(user_in_uri("ontap://a@b@filer"), Some("a@b"));
        for none in ["sim://", "sim://host/a@b", "sim://@host", "nothing"] {
            assert_eq!(user_in_uri(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_through(text in "\\PC{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = is_in_uri(&text);
            let _ = user_in_uri(&text);
            let _ = Password::from_line(&bytes);
        }
    }
}
