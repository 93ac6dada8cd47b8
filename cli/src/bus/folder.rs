//! The folder of one bus: keys, users, and the configuration of its servers.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use async_nats::{Client, ServerAddr};
use sanfleet_protocol::{BusUser, HostId, enrolment::Invitation, rights::Role, sign::PublicKey};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{
    BusError, Wanted,
    certificate::{self, Authority},
    connect::connect,
    delegate,
    keys::Keys,
    push, server,
    token::{self, Seconds},
    users::{Issued, Users},
};

const TRUST: &str = "trust.conf";
const SERVER: &str = "nats-server.conf";
pub const PUSHER: &str = "push.creds";
const REGISTER: &str = "bus.json";
/// The key that agents pin.
const OPERATOR: &str = "operator.pub";
const KEYS: &str = "keys";

/// Where the server of a new bus is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Layout {
    pub listen: SocketAddr,
    /// What clients call it: names and addresses.
    pub names: Vec<String>,
    /// Where its configuration and certificate lie, on its machine.
    pub etc: PathBuf,
    /// The server's own folder.
    pub store: PathBuf,
}

/// What is written down of a bus beside its keys.
#[derive(Debug, Serialize, Deserialize)]
struct Register {
    layout: Layout,
    /// When the account was last signed. Servers keep the newest, so it rises with every change, however soon that comes.
    signed_at: i64,
    /// Which authority signs certificates, counted from 1, and when it was made.
    authority: u32,
    authority_made_at: i64,
    /// The serial of the newest delegation.
    delegated: u64,
    #[serde(flatten)]
    users: Users,
}

#[derive(Debug)]
pub struct Bus {
    folder: PathBuf,
    keys: Keys,
    register: Register,
}

impl Bus {
    /// Makes keys for a new bus, and all that its servers need. The folder must not be there yet.
    pub fn create(folder: &Path, layout: Layout, now: Seconds) -> Result<Self, BusError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => BusError::Exists { path: folder.to_owned() },
            _ => BusError::Write { path: folder.to_owned(), source },
        };
        DirBuilder::new().mode(0o700).create(folder).map_err(failed)?;
        DirBuilder::new().mode(0o700).create(folder.join(KEYS)).map_err(failed)?;
        let register = Register {
            layout,
            signed_at: 0,
            authority: 1,
            authority_made_at: now.0,
            delegated: 0,
            users: Users::default(),
        };
        let mut bus = Self { folder: folder.to_owned(), keys: Keys::new(), register };
        bus.keys.write(&folder.join(KEYS))?;
        write_new(&folder.join(PUSHER), &push::pusher(&bus.keys, now)?)?;
        publish(&folder.join(SERVER), &server::single(&bus.register.layout, TRUST))?;
        let operator = delegate::create(&folder.join(KEYS))?;
        publish(&folder.join(OPERATOR), &format!("{operator}\n"))?;
        let authority = Authority::create(folder, &folder.join(KEYS), 1, now)?;
        authority.certify(folder, &bus.register.layout.names, now)?;
        bus.write(now)?;
        Ok(bus)
    }

    /// Makes a new certificate for the servers, by other names where some are given.
    pub fn certify(&mut self, names: Vec<String>, now: Seconds) -> Result<(), BusError> {
        let Register { authority, authority_made_at, .. } = self.register;
        let authority = Authority::open(&self.folder.join(KEYS), authority, Seconds(authority_made_at))?;
        if !names.is_empty() {
            self.register.layout.names = names;
        }
        authority.certify(&self.folder, &self.register.layout.names, now)?;
        self.write(now)
    }

    /// Makes a new authority, which signs from now on. Clients are to trust the old one too until no server shows it.
    pub fn replace_authority(&mut self, now: Seconds) -> Result<(), BusError> {
        let number = self.register.authority.saturating_add(1);
        Authority::create(&self.folder, &self.folder.join(KEYS), number, now)?;
        (self.register.authority, self.register.authority_made_at) = (number, now.0);
        self.write(now)
    }

    pub fn open(folder: &Path) -> Result<Self, BusError> {
        let (keys, path) = (Keys::read(&folder.join(KEYS))?, folder.join(REGISTER));
        let register = serde_json::from_str(&read(&path)?)
            .map_err(|error| BusError::Content { path, why: error.to_string() })?;
        Ok(Self { folder: folder.to_owned(), keys, register })
    }

    pub fn users(&self) -> &[Issued] {
        self.register.users.all()
    }

    /// Makes a user, and writes its credentials to a new file.
    pub fn issue(&mut self, wanted: &Wanted, out: &Path) -> Result<(), BusError> {
        if out.symlink_metadata().is_ok() {
            return Err(BusError::Exists { path: out.to_owned() });
        }
        let credentials = self.register.users.issue(&self.keys, wanted)?;
        // First the record: who is not written down could not be revoked.
        self.write(wanted.now)?;
        write_new(out, &credentials)
    }

    /// Makes a user who lasts as long as one enrolment, and gives its credentials, which are kept nowhere.
    pub fn issue_passing(&mut self, wanted: &Wanted) -> Result<String, BusError> {
        let credentials = self.register.users.issue(&self.keys, wanted)?;
        self.write(wanted.now)?;
        Ok(credentials)
    }

    /// What lets this host ask to be let in.
    pub fn invite(
        &mut self,
        host: &HostId,
        servers: Vec<String>,
        span: (Seconds, Seconds),
    ) -> Result<Invitation, BusError> {
        let (now, until) = span;
        let wanted = Wanted { name: newcomer(host)?, role: Role::Newcomer, events: Vec::new(), now, until };
        let path = self.folder.join(OPERATOR);
        let operator_key = read(&path)?
            .trim()
            .parse()
            .map_err(|_| BusError::Content { path, why: "holds no such key".to_owned() })?;
        let authority = read(&self.folder.join(certificate::CA))?;
        let credentials = self.issue_passing(&wanted)?;
        Ok(Invitation { host: host.clone(), servers, authority, operator_key, credentials })
    }

    /// Where only its owner reads it.
    pub fn write_invitation(&self, out: &Path, invitation: &Invitation) -> Result<(), BusError> {
        let text = serde_json::to_string_pretty(invitation).unwrap_or_default();
        replace(out, &format!("{text}\n"))
    }

    /// Takes the invitation back, used or not.
    pub fn withdraw(&mut self, host: &HostId, now: Seconds) -> Result<(), BusError> {
        self.revoke(&newcomer(host)?, now)
    }

    /// Makes the holder of this key the host, and nobody else any more: a host that was made anew has lost its old key. Gives the
    /// text that says so.
    pub fn admit(&mut self, wanted: &Wanted, public_key: &str) -> Result<String, BusError> {
        match self.register.users.revoke(&wanted.name, wanted.now) {
            Ok(()) | Err(BusError::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
        let token = self.register.users.admit(&self.keys, wanted, public_key)?;
        self.write(wanted.now)?;
        Ok(token)
    }

    /// For who speaks as a user whom this folder has made.
    pub async fn connect(&self, servers: &[ServerAddr], credentials: &str) -> Result<Client, BusError> {
        connect(servers, &self.folder, credentials).await
    }

    /// Gives the operator's word for a controller's key, which puts all words before it out of force where it is heard.
    pub fn delegate(&mut self, key: PublicKey, span: (Seconds, Seconds), out: &Path) -> Result<(), BusError> {
        if out.symlink_metadata().is_ok() {
            return Err(BusError::Exists { path: out.to_owned() });
        }
        self.register.delegated = self.register.delegated.saturating_add(1);
        self.write(span.0)?;
        let signed = delegate::delegate(&self.folder.join(KEYS), key, self.register.delegated, span)?;
        write_new(out, &format!("{signed}\n"))
    }

    /// Takes a user's rights, for every server that starts from now on; those that run have to be told.
    pub fn revoke(&mut self, name: &BusUser, now: Seconds) -> Result<(), BusError> {
        self.register.users.revoke(name, now)?;
        self.write(now)
    }

    /// Tells the servers of the bus what the account is now.
    pub async fn push(&self, servers: &[ServerAddr]) -> Result<(), BusError> {
        push::push(servers, &self.folder, self.account()?).await
    }

    /// The account of the fleet as it is now.
    fn account(&self) -> Result<String, BusError> {
        let at = Seconds(self.register.signed_at);
        token::account(&self.keys, &self.register.users.revoked(at), at)
    }

    fn write(&mut self, now: Seconds) -> Result<(), BusError> {
        self.register.signed_at = now.0.max(self.register.signed_at.saturating_add(1));
        let register = serde_json::to_string_pretty(&self.register).unwrap_or_default();
        replace(&self.folder.join(REGISTER), &format!("{register}\n"))?;
        let (account, system) = (self.account()?, token::system(&self.keys, now)?);
        let (fleet, servers) = (self.keys.account.public_key(), self.keys.system.public_key());
        let trust = server::Trust {
            operator: &token::operator(&self.keys, now)?,
            accounts: [(&fleet, &account), (&servers, &system)],
            system_account: &servers,
        };
        publish(&self.folder.join(TRUST), &server::trust(&trust, &self.register.layout))
    }
}

/// Under which name a host asks that is none yet.
fn newcomer(host: &HostId) -> Result<BusUser, BusError> {
    let name = format!("newcomer-{host}");
    name.parse().map_err(|_| BusError::LongName(host.clone()))
}

pub fn read(path: &Path) -> Result<String, BusError> {
    fs::read_to_string(path).map_err(|source| BusError::Read { path: path.to_owned(), source })
}

/// A file that only its owner reads, where there was none.
pub fn write_new(path: &Path, text: &str) -> Result<(), BusError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => BusError::Exists { path: path.to_owned() },
        _ => BusError::Write { path: path.to_owned(), source },
    })
}

/// In one step: who reads it has the old text or the new one. For nobody but its owner.
pub fn replace(path: &Path, text: &str) -> Result<(), BusError> {
    replace_with(path, text, 0o600)
}

/// The same with what everybody may read, and keeps being able to wherever it is copied to.
pub fn publish(path: &Path, text: &str) -> Result<(), BusError> {
    replace_with(path, text, 0o644)
}

fn replace_with(path: &Path, text: &str, mode: u32) -> Result<(), BusError> {
    let write = || {
        let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|source| BusError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = Seconds(1_700_000_000);

    fn layout() -> Layout {
        Layout {
            listen: "127.0.0.1:4222".parse().unwrap(),
            names: vec!["localhost".to_owned()],
            etc: "/etc/nats".into(),
            store: "/var/lib/nats".into(),
        }
    }

    fn wanted(name: &str) -> Wanted {
        let until = Seconds(NOW.0 + 60);
        Wanted { name: name.parse().unwrap(), role: Role::Host, events: Vec::new(), now: NOW, until }
    }

    #[test]
    fn nothing_that_is_there_is_overwritten_and_nobody_else_reads_it() {
        let place = tempfile::tempdir().unwrap();
        let (folder, creds) = (place.path().join("bus"), place.path().join("db1.creds"));
        let mut bus = Bus::create(&folder, layout(), NOW).unwrap();
        assert!(matches!(Bus::create(&folder, layout(), NOW), Err(BusError::Exists { .. })));
        bus.issue(&wanted("db1"), &creds).unwrap();
        assert!(matches!(bus.issue(&wanted("db1"), &creds), Err(BusError::Exists { .. })));
        assert_eq!(Bus::open(&folder).unwrap().users().len(), 1, "what was refused is not written down");
        for path in [
            &creds,
            &folder.join(PUSHER),
            &folder.join(KEYS).join("operator.nk"),
            &folder.join(REGISTER),
            &folder.join("server.key"),
        ] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
        for name in ["ca.pem", "server.pem", OPERATOR, TRUST, SERVER] {
            let mode = folder.join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644, "{name} is for everybody");
        }
    }

    #[test]
    fn a_folder_is_opened_again_with_the_same_keys() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("bus");
        let made = Bus::create(&folder, layout(), NOW).unwrap();
        assert_eq!(Bus::open(&folder).unwrap().account().unwrap(), made.account().unwrap());
    }

    #[test]
    fn a_new_authority_is_trusted_beside_the_old_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("bus");
        let mut bus = Bus::create(&folder, layout(), NOW).unwrap();
        let (first, certificate) =
            (read(&folder.join("ca.pem")).unwrap(), read(&folder.join("server.pem")).unwrap());
        bus.replace_authority(NOW).unwrap();
        let both = read(&folder.join("ca.pem")).unwrap();
        assert!(both.ends_with(&first) && both.len() > first.len());
        assert_eq!(read(&folder.join("server.pem")).unwrap(), certificate, "servers come second");
        Bus::open(&folder).unwrap().certify(Vec::new(), NOW).unwrap();
        assert_ne!(read(&folder.join("server.pem")).unwrap(), certificate);
    }

    #[test]
    fn each_account_is_newer_than_the_last_though_no_second_has_passed() {
        let place = tempfile::tempdir().unwrap();
        let mut bus = Bus::create(&place.path().join("bus"), layout(), NOW).unwrap();
        let first = bus.register.signed_at;
        bus.issue(&wanted("db1"), &place.path().join("db1.creds")).unwrap();
        let second = bus.register.signed_at;
        bus.revoke(&"db1".parse().unwrap(), NOW).unwrap();
        assert!(first < second && second < bus.register.signed_at);
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("bus");
        Bus::create(&folder, layout(), NOW).unwrap();
        fs::write(folder.join(KEYS).join("operator.nk"), "SOSECRET\n").unwrap();
        let error = Bus::open(&folder).unwrap_err();
        assert!(
            matches!(&error, BusError::Content { .. }) && !error.to_string().contains("SOSECRET"),
            "{error}"
        );
    }
}
