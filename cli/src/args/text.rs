//! The texts of the command line that stand for more than themselves, parsed once.

use std::{ffi::OsStr, fmt, str::FromStr, time::Duration};

use clap::{builder::TypedValueParser, error::ErrorKind};
use jiff::SignedDuration;
use sanfleet_protocol::{
    ArrayId, AttachmentId, HostId, MountPoint,
    enrolment::INVITED_FOR_AT_MOST,
    id::IdError,
    labels::{LabelError, LabelKey, LabelValue},
    password, v1,
};

/// Why an argument is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("there is no ':' in it; a place is HOST:MOUNTPOINT, as db1:/var/lib/mysql")]
    NoColon,
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("a run's id holds 1 to 36 of 0-9, a-f and '-'")]
    NotRun,
    #[error("a duration is a number with its unit, as 500ms, 5s or 2m, and more than nothing")]
    NotDuration,
    #[error("from 1ms to 49 days can be asked for")]
    NotDeadMan,
    #[error("an invitation is good for a second to 15 minutes")]
    NotInvitation,
    #[error("another volume is MOUNTPOINT=PATH, as /srv/log=/copy/log")]
    NotAlso,
    #[error("an attachment's id is that of its run, and may have a number after it")]
    NotAttachment,
    #[error("a source is HOST:MOUNTPOINT, as golden:/srv/image, or ARRAY/VOLUME")]
    NotSource,
    #[error("a volume is ARRAY/VOLUME, as lab/data")]
    NotVolume,
    #[error("a label is KEY=VALUE, or KEY- to take it back")]
    NotLabel,
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error("a batch is a number of hosts, or a part of all from 1% to 100%")]
    NotBatch,
    #[error("a plan is RUN:HASH, as --dry-run shows it")]
    NotPlan,
    #[error("an array's URI is SCHEME:REST, as sim:///var/lib/sanfleet/sim or ontap://admin@filer")]
    NotUri,
    #[error("a password on the command line can be read by everybody on this machine; leave it out")]
    Password,
}

/// A mount point on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub host: HostId,
    pub mount_point: MountPoint,
}

impl FromStr for Place {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // A host holds no colon, a mount point may.
        let (host, mount_point) = text.split_once(':').ok_or(TextError::NoColon)?;
        Ok(Self { host: host.parse()?, mount_point: mount_point.parse()? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.mount_point)
    }
}

/// A run's id, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRef(String);

impl RunRef {
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl FromStr for RunRef {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let id = text.to_ascii_lowercase();
        let of_an_id = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'-');
        if id.is_empty() || id.len() > 36 || !id.bytes().all(of_an_id) {
            return Err(TextError::NotRun);
        }
        Ok(Self(id))
    }
}

/// A mount point of the source, and where the copy of what is there is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Also {
    pub from: MountPoint,
    pub to: MountPoint,
}

impl FromStr for Also {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // A mount point may hold the sign; where another one begins is plain.
        let at = text.find("=/").ok_or(TextError::NotAlso)?;
        let (from, to) = text.split_at_checked(at).ok_or(TextError::NotAlso)?;
        Ok(Self { from: from.parse()?, to: to.trim_start_matches('=').parse()? })
    }
}

/// An attachment's id, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentRef(String);

impl AttachmentRef {
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl FromStr for AttachmentRef {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let whole = text.to_ascii_lowercase().parse::<AttachmentId>().map(|id| id.to_string());
        match whole {
            Ok(id) => Ok(Self(id)),
            Err(_) => Ok(Self(text.parse::<RunRef>().map_err(|_| TextError::NotAttachment)?.into_inner())),
        }
    }
}

/// What to detach: an attachment is named after the run that made it, or by where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Attachment(AttachmentRef),
    At(Place),
}

impl FromStr for What {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.contains(':') { text.parse().map(Self::At) } else { text.parse().map(Self::Attachment) }
    }
}

/// What to copy: where it is mounted, or which volume of which array it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    At(Place),
    Volume(VolumeRef),
}

impl FromStr for Source {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // Neither a host nor an array has a sign of the other in its name.
        match text.find([':', '/']).map(|at| text.split_at(at)) {
            Some((_, rest)) if rest.starts_with(':') => text.parse().map(Self::At),
            Some(_) => text.parse().map(Self::Volume).map_err(|error| match error {
                TextError::NotVolume => TextError::NotSource,
                other => other,
            }),
            None => Err(TextError::NotSource),
        }
    }
}

/// A volume of an array, by its id or name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRef {
    pub array: ArrayId,
    pub volume: String,
}

impl FromStr for VolumeRef {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text.split_once('/').map(|(array, volume)| (array, volume.trim_start_matches('/'))) {
            Some((array, volume)) if !volume.is_empty() => {
                Ok(Self { array: array.parse()?, volume: volume.to_owned() })
            }
            _ => Err(TextError::NotVolume),
        }
    }
}

/// A label that a host gets, `role=web`, or that is taken back, `role-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelChange {
    Set(LabelKey, LabelValue),
    Remove(LabelKey),
}

impl FromStr for LabelChange {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match (text.split_once('='), text.strip_suffix('-')) {
            (Some((key, value)), _) => Ok(Self::Set(key.parse()?, value.parse()?)),
            (None, Some(key)) => Ok(Self::Remove(key.parse()?)),
            (None, None) => Err(TextError::NotLabel),
        }
    }
}

/// How many hosts at one time: a number, or a part of all in percent. 0 is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    Number(u32),
    Percent(u32),
}

impl Batch {
    pub fn number(self) -> u32 {
        if let Self::Number(number) = self { number } else { 0 }
    }

    pub fn percent(self) -> u32 {
        if let Self::Percent(percent) = self { percent } else { 0 }
    }
}

impl FromStr for Batch {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| TextError::NotBatch);
        match text.strip_suffix('%') {
            Some(percent) => match number(percent)? {
                percent @ 1..=100 => Ok(Self::Percent(percent)),
                _ => Err(TextError::NotBatch),
            },
            None => number(text).map(Self::Number),
        }
    }
}

/// A plan that was shown: the run that it is for, and the hash over what it would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRef {
    run: String,
    hash: String,
}

impl PlanRef {
    pub fn of(plan: &v1::Plan) -> Self {
        Self { run: plan.run.clone(), hash: plan.hash.clone() }
    }
}

impl FromStr for PlanRef {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (run, hash) = text.split_once(':').ok_or(TextError::NotPlan)?;
        let known = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        match known(run) && known(hash) {
            true => Ok(Self { run: run.to_owned(), hash: hash.to_owned() }),
            false => Err(TextError::NotPlan),
        }
    }
}

impl fmt::Display for PlanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.run, self.hash)
    }
}

/// How long a source may be held quiesced, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadMan(u32);

impl DeadMan {
    pub fn millis(self) -> u32 {
        self.0
    }
}

impl FromStr for DeadMan {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match u32::try_from(span(text)?.as_millis()) {
            Ok(millis) if millis > 0 => Ok(Self(millis)),
            _ => Err(TextError::NotDeadMan),
        }
    }
}

/// Where an array is. The driver gives its parts a meaning; here it only must not carry a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayUri(String);

impl ArrayUri {
    pub fn into_inner(self) -> String {
        self.0
    }

    pub fn names_a_user(&self) -> bool {
        password::user_in_uri(&self.0).is_some()
    }
}

/// Reads an [`ArrayUri`] like any argument, but does not repeat in its error what may hold a password.
#[derive(Debug, Clone, Copy)]
pub struct UriParser;

impl TypedValueParser for UriParser {
    type Value = ArrayUri;

    fn parse_ref(
        &self,
        _: &clap::Command,
        _: Option<&clap::Arg>,
        text: &OsStr,
    ) -> Result<ArrayUri, clap::Error> {
        let uri = text.to_str().ok_or(TextError::NotUri).and_then(str::parse);
        uri.map_err(|why| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("invalid value for --uri: {why}\n"))
        })
    }
}

impl FromStr for ArrayUri {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (scheme, _) = text.split_once(':').ok_or(TextError::NotUri)?;
        let of_a_scheme = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
        if scheme.is_empty() || !scheme.bytes().all(of_a_scheme) || text.chars().any(char::is_control) {
            return Err(TextError::NotUri);
        }
        if password::is_in_uri(text) {
            return Err(TextError::Password);
        }
        Ok(Self(text.to_owned()))
    }
}

/// How long somebody may take to come who is invited.
pub fn invitation(text: &str) -> Result<Duration, TextError> {
    match span(text)? {
        length if (Duration::from_secs(1)..=INVITED_FOR_AT_MOST).contains(&length) => Ok(length),
        _ => Err(TextError::NotInvitation),
    }
}

/// A length of time that is more than nothing: `500ms`, `5s`, `1m 30s`, `PT5S`.
pub fn span(text: &str) -> Result<Duration, TextError> {
    let signed: SignedDuration = text.parse().map_err(|_| TextError::NotDuration)?;
    match Duration::try_from(signed) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err(TextError::NotDuration),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_split_at_its_first_colon() {
        let place: Place = "db1:/srv/a:b".parse().unwrap();
        assert_eq!(place.host.as_str(), "db1");
        assert_eq!(place.mount_point.as_str(), "/srv/a:b");
        assert_eq!(place.to_string(), "db1:/srv/a:b");
    }

    #[test]
    fn a_place_that_is_none_says_why() {
        let why = |text: &str| text.parse::<Place>().unwrap_err().to_string();
        assert!(why("db1").contains("HOST:MOUNTPOINT"));
        assert!(why(":/srv").contains("host is empty"));
        assert!(why("db1:").contains("absolute"));
        assert!(why("db1:srv").contains("absolute"));
        assert!(why("db1:/").contains("root"));
        assert!(why("db1:/a/../etc").contains("'..'"));
        assert!(why("a.b:/srv").contains("may hold only"));
        assert!(why("db1:/\u{1b}[2J").contains("control"));
    }

    #[test]
    fn an_attachment_is_told_from_a_place_by_the_colon() {
        assert!(matches!("0199A7".parse(), Ok(What::Attachment(AttachmentRef(id))) if id == "0199a7"));
        assert!(matches!("b:/m".parse(), Ok(What::At(_))));
        assert_eq!("web1".parse::<What>(), Err(TextError::NotAttachment));
    }

    #[test]
    fn a_label_is_given_or_taken_back() {
        assert!(matches!("role=web".parse(), Ok(LabelChange::Set(..))));
        assert!(matches!("role-".parse(), Ok(LabelChange::Remove(key)) if key.as_str() == "role"));
        assert_eq!("role".parse::<LabelChange>(), Err(TextError::NotLabel));
        assert!(matches!("role=a b".parse::<LabelChange>(), Err(TextError::Label(_))));
    }

    #[test]
    fn a_dead_mans_time_below_a_millisecond_or_beyond_the_field_is_refused() {
        assert_eq!("1500ms".parse(), Ok(DeadMan(1500)));
        assert_eq!("1us".parse::<DeadMan>(), Err(TextError::NotDeadMan));
        assert_eq!("2000h".parse::<DeadMan>(), Err(TextError::NotDeadMan));
    }

    #[test]
    fn a_password_in_a_uri_is_refused_wherever_it_hides() {
        for bad in
            ["ontap://u:p@filer", "x+ssl://u:@h/p", "x://h/?password=p", "x://h?a=1&Passwd=p", "x:///?secret"]
        {
            assert_eq!(bad.parse::<ArrayUri>(), Err(TextError::Password), "{bad}");
        }
        for good in ["sim:///var/lib/x", "sim://", "ontap+ssl://admin@filer:8443/?ns=a:b@c", "x:rest"] {
            assert!(good.parse::<ArrayUri>().is_ok(), "{good}");
        }
        for none in ["", "sim", "://x", "a b:c", "x:\n"] {
            assert_eq!(none.parse::<ArrayUri>(), Err(TextError::NotUri), "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
            let _ = text.parse::<Place>();
            let _ = text.parse::<What>();
            let _ = text.parse::<DeadMan>();
            let _ = text.parse::<VolumeRef>();
            let _ = text.parse::<LabelChange>();
            let _ = text.parse::<ArrayUri>();
            let _ = span(&text);
        }

        #[test]
        fn a_place_reads_back_from_its_text(host in "[A-Za-z0-9_-]{1,20}", path in "(/[a-z0-9:@ ]{1,8}){1,4}") {
            let text = format!("{host}:{path}");
            prop_assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
    }
}
