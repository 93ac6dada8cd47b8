//! Certificates of the bus's servers, and the authority that they are trusted by.
//!
//! What clients are given may hold several authorities: an old one stays in it until nobody's server shows it any more, so that
//! an authority can be replaced while everything runs. Source: RFC 5280.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::{BusError, folder, token::Seconds};

/// How long an authority is one, and a server's certificate good.
const AUTHORITY_YEARS: i16 = 10;
const SERVER_YEARS: i16 = 1;

/// Clients' clocks may be behind by as much.
const EARLIER_DAYS: i64 = 1;

pub const CA: &str = "ca.pem";
pub const SERVER: &str = "server.pem";
pub const SERVER_KEY: &str = "server.key";

/// Whom the servers' certificates are signed by.
#[derive(Debug)]
pub struct Authority {
    /// Which of the bus's authorities it is, the first is 1.
    number: u32,
    made: Seconds,
    key: KeyPair,
}

impl Authority {
    /// Makes one, which clients trust from now on beside those before.
    pub fn create(folder: &Path, keys: &Path, number: u32, now: Seconds) -> Result<Self, BusError> {
        let authority = Self { number, made: now, key: KeyPair::generate()? };
        folder::write_new(&key_file(keys, number), &authority.key.serialize_pem())?;
        let certificate = authority.params()?.self_signed(&authority.key)?.pem();
        let before = match number {
            1 => String::new(),
            _ => folder::read(&folder.join(CA))?,
        };
        folder::publish(&folder.join(CA), &(certificate + &before))?;
        Ok(authority)
    }

    pub fn open(keys: &Path, number: u32, made: Seconds) -> Result<Self, BusError> {
        let path = key_file(keys, number);
        let key = KeyPair::from_pem(&folder::read(&path)?);
        // Never the reason: it could show a part of the key.
        let key = key.map_err(|_| BusError::Content { path, why: "holds no such key".to_owned() })?;
        Ok(Self { number, made, key })
    }

    /// Makes a new certificate and key for the servers, who go by these names and addresses.
    pub fn certify(&self, folder: &Path, names: &[String], now: Seconds) -> Result<(), BusError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "sanfleet bus");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        last(&mut params, now, SERVER_YEARS)?;
        let authority = self.params()?;
        let certificate = params.signed_by(&key, &Issuer::from_params(&authority, &self.key))?;
        folder::replace(&folder.join(SERVER_KEY), &key.serialize_pem())?;
        folder::publish(&folder.join(SERVER), &certificate.pem())
    }

    /// Its own certificate, always the same.
    fn params(&self) -> Result<CertificateParams, BusError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, format!("sanfleet bus authority {}", self.number));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        last(&mut params, self.made, AUTHORITY_YEARS)?;
        Ok(params)
    }
}

fn key_file(keys: &Path, number: u32) -> PathBuf {
    keys.join(format!("authority-{number}.key"))
}

fn last(params: &mut CertificateParams, now: Seconds, years: i16) -> Result<(), BusError> {
    let out_of_time = |_| BusError::Time;
    let today = Timestamp::from_second(now.0).map_err(out_of_time)?.to_zoned(TimeZone::UTC).date();
    let day = |date: Date| {
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(today.checked_sub(Span::new().days(EARLIER_DAYS)).map_err(out_of_time)?);
    params.not_after = day(today.checked_add(Span::new().years(years)).map_err(out_of_time)?);
    Ok(())
}

/// What servers are called that are not said to be called anything: this machine, reached from itself.
pub fn usual_names(listen: IpAddr) -> Vec<String> {
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut names = vec![own, "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}
