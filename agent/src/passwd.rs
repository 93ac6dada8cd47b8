//! Users of this host by their names, as passwd(5) has them. Those of a directory service are not looked for: what runs with root's
//! rights asks nobody on the network who somebody is.

use std::{fs, io};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub id: u32,
    pub group: u32,
}

pub fn find(name: &str) -> io::Result<Option<User>> {
    Ok(fs::read_to_string("/etc/passwd")?.lines().find_map(|line| entry(line, name)))
}

/// What a line says of this user.
fn entry(line: &str, name: &str) -> Option<User> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let (id, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(User { id, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_as_passwd_has_them() {
        let line = "app:x:998:997:An app:/srv/app:/usr/sbin/nologin";
        assert_eq!(entry(line, "app"), Some(User { id: 998, group: 997 }));
        assert!(entry(line, "ap").is_none() && entry("app:x::997", "app").is_none());
    }
}
