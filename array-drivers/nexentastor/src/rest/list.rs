//! Lists, which come in pages that name the next one.
//!
//! An appliance that names pages without end is not followed: neither where it leads elsewhere nor for longer than any real list.

use sanfleet_driver_http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::session::{Session, read};
use crate::{
    appliance::{Answer, ApplianceError},
    wire::is_legible,
};

/// More pages than any list has: a hundred thousand rows and more.
const PAGES: usize = 2_000;
/// And this much of it.
const BYTES: usize = 64 << 20;
const LONGEST_HREF: usize = 4_096;

impl Session {
    /// All pages of a list.
    pub fn list<T: DeserializeOwned>(&mut self, what: &'static str, path: &str) -> Answer<Vec<T>> {
        let (mut rows, mut path, mut bytes) = (Vec::new(), path.to_owned(), 0);
        for _ in 0..PAGES {
            let body = self.ask(what, Method::Get, &path, &Value::Null)?.body;
            bytes += body.len();
            let (page, next) = page::<T>(what, &body)?;
            let is_empty = page.is_empty();
            rows.extend(page);
            match next {
                None => return Ok(rows),
                Some(next) if is_empty || next == path || bytes > BYTES => break,
                Some(next) => path = next,
            }
        }
        Err(ApplianceError::Garbled { what, why: "its pages have no end".into() })
    }
}

/// The rows of a page, and where the next one is.
pub(super) fn page<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Answer<(Vec<T>, Option<String>)> {
    let garbled = |why: String| ApplianceError::Garbled { what, why };
    let mut body: Value = read(what, body)?;
    if !is_legible(&body) {
        return Err(garbled("it has texts that no name has".into()));
    }
    let rows = body.get_mut("data").map(Value::take).unwrap_or_default();
    let rows = serde_json::from_value(rows).map_err(|error| garbled(error.to_string()))?;
    let next = match linked(&body, "next") {
        Some(link) => Some(href(link).ok_or_else(|| garbled("its next page is elsewhere".into()))?),
        None => None,
    };
    Ok((rows, next))
}

/// What a body names under `links`.
pub(super) fn linked<'a>(body: &'a Value, rel: &str) -> Option<&'a str> {
    let links = body.get("links")?.as_array()?;
    let found = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some(rel))?;
    found.get("href")?.as_str()
}

/// A place at the same appliance, as a path; none when it is one elsewhere.
pub(super) fn href(text: &str) -> Option<String> {
    let path = text.strip_prefix('/').unwrap_or(text);
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '\\' | '@');
    let head = path.split('?').next().unwrap_or_default();
    let elsewhere = path.starts_with('/') || head.contains(':');
    (path.len() <= LONGEST_HREF && !elsewhere && path.chars().all(legal)).then(|| format!("/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_same_appliance_or_nowhere() {
        assert_eq!(href("/jobStatus/x"), Some("/jobStatus/x".into()));
        assert_eq!(href("jobStatus/x"), Some("/jobStatus/x".into()));
        assert_eq!(
            href("/storage/volumes?offset=100&t=10:00"),
            Some("/storage/volumes?offset=100&t=10:00".into())
        );
        for bad in
            ["http://elsewhere/", "//elsewhere/", "/a b", "/a\r\nb", "javascript:x", "@elsewhere/", "/ü"]
        {
            assert_eq!(href(bad), None, "{bad}");
        }
    }
}
