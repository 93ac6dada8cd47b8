//! Who we are to the array.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// What an `Authorization` header carries: a user and a password, a token, or nothing.
#[derive(Clone)]
pub struct Credentials {
    /// Empty for none.
    header: Zeroizing<String>,
}

impl Credentials {
    /// For HTTP's basic authentication.
    pub fn basic(user: &str, password: &str) -> Self {
        let pair = Zeroizing::new(format!("{user}:{password}"));
        Self { header: Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))) }
    }

    /// A token that the array gave out.
    pub fn bearer(token: &str) -> Self {
        Self { header: Zeroizing::new(format!("Bearer {token}")) }
    }

    /// For whoever has not logged in yet.
    pub fn none() -> Self {
        Self { header: Zeroizing::default() }
    }

    pub(crate) fn header(&self) -> Option<&str> {
        Some(self.header.as_str()).filter(|header| !header.is_empty())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sent_as_basic_authentication_has_it_and_shown_to_nobody() {
        let credentials = Credentials::basic("Aladdin", "open sesame");
        assert_eq!(credentials.header(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(Credentials::bearer("abc").header(), Some("Bearer abc"));
        assert_eq!(Credentials::none().header(), None);
        assert_eq!(format!("{credentials:?}"), "Credentials(not shown)");
    }
}
