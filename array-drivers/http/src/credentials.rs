//! Who we are to the array.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// A user and a password, as an `Authorization` header carries them.
#[derive(Clone)]
pub struct Credentials {
    header: Zeroizing<String>,
}

impl Credentials {
    /// For HTTP's basic authentication.
    pub fn basic(user: &str, password: &str) -> Self {
        let pair = Zeroizing::new(format!("{user}:{password}"));
        Self { header: Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))) }
    }

    pub(crate) fn header(&self) -> &str {
        &self.header
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
        assert_eq!(credentials.header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{credentials:?}"), "Credentials(not shown)");
    }
}
