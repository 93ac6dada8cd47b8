//! Becoming a user of the bus: the host makes its key, asks with an invitation, and keeps what it is answered.
//!
//! The half of the key that proves who the host is never leaves it, and is written down only once it is somebody's. What is answered is
//! believed as far as it is about this key and this host; whether it is true the servers see.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Request, client::RequestErrorKind};
use nkeys::KeyPair;
use prost::Message;
use sanfleet_protocol::{
    VERSION,
    credentials::{self, identity},
    enrolment::{INVITED_FOR_AT_MOST, Invitation},
    limits::legible,
    subject,
    v1::{self, enrol_reply::Outcome},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    file::{self, Access},
    passwd::{self, User},
};

/// Pause before it is asked again where nobody listens yet.
const PAUSE: Duration = Duration::from_millis(500);
/// Nobody listens any more when nobody has for this long.
const NOBODY_LISTENS: Duration = Duration::from_secs(20);
/// The names of the files, in the folder that the agent's configuration is in.
const CREDENTIALS: &str = "bus.creds";
const AUTHORITY: &str = "ca.pem";

#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    #[error("{}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is no invitation", path.display())]
    NoInvitation { path: PathBuf },
    #[error("there is no user {name:?} in /etc/passwd")]
    NoUser { name: String },
    #[error("the bus cannot be asked; an invitation is good once, and for minutes")]
    Bus(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("nobody listens: is `sanfleet bus enroll {host}` still waiting?")]
    Nobody { host: String },
    #[error("nobody has decided in time")]
    Late,
    #[error("refused: {why}")]
    Refused { why: String },
    #[error("the answer is about another key or another host")]
    Other,
    #[error("a key cannot be made")]
    Key(#[source] nkeys::error::Error),
}

/// What a host keeps that has become a user.
#[derive(Debug)]
pub struct Enrolled {
    pub credentials: PathBuf,
    pub authority: PathBuf,
}

pub fn read(path: &Path) -> Result<Invitation, EnrolmentError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    // Never the reason: it could show a part of what lets in.
    serde_json::from_str(&text).map_err(|_| EnrolmentError::NoInvitation { path: path.to_owned() })
}

/// Asks, and writes what is answered into `etc`, for `owner` where one is named. `show` is given the public key before anybody is asked.
pub async fn enroll(
    invitation: &Invitation,
    etc: &Path,
    owner: Option<&str>,
    show: impl FnOnce(&str),
) -> Result<Enrolled, EnrolmentError> {
    let owner = owner.map(find).transpose()?;
    // The paths are told, and the agent runs elsewhere.
    let etc = std::path::absolute(etc).map_err(at(etc))?;
    let (credentials, authority) = (etc.join(CREDENTIALS), etc.join(AUTHORITY));
    // First: without it no server could be told from an impostor.
    keep(&authority, &invitation.authority, Access::PUBLIC)?;
    let key = KeyPair::new_user();
    show(&key.public_key());
    let client = connect(invitation, &authority).await?;
    let token = ask(&client, invitation, &key.public_key()).await?;
    let text = credentials::file(&token, &key.seed().map_err(EnrolmentError::Key)?);
    let own = identity(&text).ok_or(EnrolmentError::Other)?;
    if own.key != key.public_key() || own.name.as_str() != invitation.host.as_str() {
        return Err(EnrolmentError::Other);
    }
    keep(&credentials, &text, Access { owner, ..Access::PRIVATE })?;
    Ok(Enrolled { credentials, authority })
}

fn at(path: &Path) -> impl Fn(io::Error) -> EnrolmentError {
    let path = path.to_owned();
    move |source| EnrolmentError::File { path: path.clone(), source }
}

fn find(name: &str) -> Result<User, EnrolmentError> {
    let found = passwd::find(name).map_err(at(Path::new("/etc/passwd")))?;
    found.ok_or_else(|| EnrolmentError::NoUser { name: name.to_owned() })
}

async fn connect(invitation: &Invitation, authority: &Path) -> Result<Client, EnrolmentError> {
    let bus = |error: Box<dyn std::error::Error + Send + Sync>| EnrolmentError::Bus(error);
    let own = identity(&invitation.credentials).ok_or(EnrolmentError::Other)?;
    let options = ConnectOptions::with_credentials(&invitation.credentials)
        .map_err(|_| EnrolmentError::Other)?
        .require_tls(true)
        .add_root_certificates(authority.to_owned())
        .custom_inbox_prefix(own.inbox);
    options.connect(invitation.servers.as_slice()).await.map_err(|error| bus(error.into()))
}

/// Somebody may have to read and compare before there is an answer.
async fn ask(client: &Client, invitation: &Invitation, user_key: &str) -> Result<String, EnrolmentError> {
    let own = identity(&invitation.credentials).ok_or(EnrolmentError::Other)?;
    let request = v1::EnrolRequest {
        version: VERSION,
        user_key: user_key.to_owned(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    let (subject, give_up) = (subject::enrolment(&own.key), Instant::now() + NOBODY_LISTENS);
    loop {
        let request = Request::new().payload(request.encode_to_vec().into()).timeout(None);
        let asked = timeout(INVITED_FOR_AT_MOST, client.send_request(subject.clone(), request)).await;
        match asked.map_err(|_| EnrolmentError::Late)? {
            Ok(answer) => return decided(&answer.payload),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                if Instant::now() > give_up {
                    return Err(EnrolmentError::Nobody { host: invitation.host.to_string() });
                }
                sleep(PAUSE).await;
            }
            Err(error) => return Err(EnrolmentError::Bus(Box::new(error))),
        }
    }
}

fn decided(answer: &[u8]) -> Result<String, EnrolmentError> {
    match v1::EnrolReply::decode(answer).ok().and_then(|reply| reply.outcome) {
        Some(Outcome::Token(token)) => Ok(token),
        Some(Outcome::Refused(why)) => Err(EnrolmentError::Refused { why: legible(&why) }),
        None => Err(EnrolmentError::Other),
    }
}

fn keep(path: &Path, text: &str, access: Access) -> Result<(), EnrolmentError> {
    file::replace(path, text, access).map_err(at(path))
}
