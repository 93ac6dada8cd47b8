//! What the machine says of itself, read.

use std::net::IpAddr;

use serde::Deserialize;

use super::{
    New, Outline, PoolRow, Survey, VolumeRow,
    script::{MARK, NAME_TAG, TAG},
};
use crate::identity::Serial;

const THIN_POOL: &str = "thin-pool";

/// Why it makes no sense, in words.
type Nonsense = String;

/// Reads what the outline's script prints.
pub fn read_outline(said: &[u8]) -> Result<Outline, Nonsense> {
    outline(text(said)?)
}

/// Reads what the survey's script prints; of volume groups only this one counts, where one is named.
pub fn read(said: &[u8], only: Option<&str>) -> Result<Survey, Nonsense> {
    let (volumes, rest) = part(text(said)?, "its volumes")?;
    let reply: Reply = json(volumes)?;
    let rows: Vec<Row> = reply.report.into_iter().flat_map(|report| report.lv).collect();
    let mut rows: Vec<&Row> =
        rows.iter().filter(|row| only.is_none_or(|group| row.vg_name == group)).collect();
    rows.sort_by(|one, other| (&one.vg_name, &one.lv_name).cmp(&(&other.vg_name, &other.lv_name)));
    Ok(Survey {
        outline: outline(rest)?,
        pools: rows
            .iter()
            .filter(|row| row.segtype == THIN_POOL)
            .map(|row| row.pool())
            .collect::<Result<_, _>>()?,
        volumes: rows.iter().filter_map(|row| row.volume()).collect(),
    })
}

/// Reads what the copy's script prints: group, pool and size.
pub fn read_copy(said: &[u8], new: New<'_>) -> Result<VolumeRow, Nonsense> {
    let said = text(said)?;
    let words: Vec<&str> = said.split_whitespace().collect();
    let &[group, pool, size] = words.as_slice() else { return Err(format!("{said:?} is no volume")) };
    let size = size.parse().map_err(|_| format!("{size:?} is a size"))?;
    let (serial, name) = (new.serial.clone(), new.name.to_owned());
    Ok(VolumeRow { group: group.to_owned(), pool: pool.to_owned(), serial, name, size })
}

fn outline(text: &str) -> Result<Outline, Nonsense> {
    let (names, rest) = part(text, "its name")?;
    let (hostname, boot) =
        names.trim().split_once(' ').ok_or_else(|| format!("{names:?} is a name and a boot"))?;
    let (addresses, file) = part(rest, "its addresses")?;
    let links: Vec<Link> = json(addresses)?;
    let file = file.trim_end_matches('\n');
    Ok(Outline {
        hostname: hostname.to_owned(),
        boot: boot.to_owned(),
        addresses: links.into_iter().flat_map(Link::reachable).collect(),
        file: (!file.is_empty()).then(|| file.to_owned()),
    })
}

fn text(said: &[u8]) -> Result<&str, Nonsense> {
    str::from_utf8(said).map_err(|_| "it is no text".to_owned())
}

/// What is before the next mark, and what is behind it.
fn part<'t>(text: &'t str, what: &str) -> Result<(&'t str, &'t str), Nonsense> {
    text.split_once(&format!("{MARK}\n")).ok_or_else(|| format!("{what} is missing"))
}

fn json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, Nonsense> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// As `ip -json address show` has it.
#[derive(Debug, Deserialize)]
struct Link {
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Debug, Deserialize)]
struct Address {
    local: Option<IpAddr>,
    scope: Option<String>,
}

impl Link {
    /// What others can reach: neither the loop's addresses nor those of one link alone.
    fn reachable(self) -> impl Iterator<Item = IpAddr> {
        let global = self.addr_info.into_iter().filter(|address| address.scope.as_deref() == Some("global"));
        global.filter_map(|address| address.local)
    }
}

/// As `lvs --reportformat json` has it.
#[derive(Debug, Deserialize)]
struct Reply {
    report: Vec<Report>,
}

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    lv: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    vg_name: String,
    lv_name: String,
    lv_size: String,
    #[serde(default)]
    pool_lv: String,
    #[serde(default)]
    segtype: String,
    /// Percent, with two digits behind the point.
    #[serde(default)]
    data_percent: String,
    #[serde(default)]
    lv_tags: String,
}

impl Row {
    fn size(&self) -> Result<u64, Nonsense> {
        self.lv_size.parse().map_err(|_| format!("{:?} is the size of {}", self.lv_size, self.lv_name))
    }

    fn pool(&self) -> Result<PoolRow, Nonsense> {
        let size = self.size()?;
        Ok(PoolRow {
            group: self.vg_name.clone(),
            name: self.lv_name.clone(),
            size,
            free: size.saturating_sub(size / 10_000 * self.used()),
        })
    }

    /// In hundredths of a percent; a pool that does not say is full.
    fn used(&self) -> u64 {
        const ALL: u64 = 10_000;
        let Some((whole, rest)) = self.data_percent.split_once('.') else { return ALL };
        let digits: String = whole.chars().chain(rest.chars().chain("00".chars()).take(2)).collect();
        digits.parse().unwrap_or(ALL).min(ALL)
    }

    /// `None` for one of others.
    fn volume(&self) -> Option<VolumeRow> {
        let mut tags = self.lv_tags.split(',');
        if !tags.clone().any(|tag| tag == TAG) {
            return None;
        }
        Some(VolumeRow {
            group: self.vg_name.clone(),
            pool: self.pool_lv.clone(),
            serial: Serial::of_lv(&self.lv_name)?,
            name: tags.find_map(|tag| unhex(tag.strip_prefix(NAME_TAG)?))?,
            size: self.size().ok()?,
        })
    }
}

fn unhex(digits: &str) -> Option<String> {
    let digits = digits.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    String::from_utf8(bytes.filter(|_| digits.len().is_multiple_of(2))?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SERIAL: &str = "0123456789abcdef012345678";

    fn said() -> String {
        format!(
            r#"  {{"report":[{{"lv":[
   {{"vg_name":"vg","lv_name":"pool","lv_size":"1000000","pool_lv":"","segtype":"thin-pool","data_percent":"12.34","lv_tags":""}},
   {{"vg_name":"vg","lv_name":"sanfleet-{SERIAL}","lv_size":"4194304","pool_lv":"pool","segtype":"thin","data_percent":"0.00",
     "lv_tags":"sanfleet.name.6462,sanfleet.volume"}},
   {{"vg_name":"vg","lv_name":"sanfleet-{SERIAL}","lv_size":"1","pool_lv":"pool","segtype":"thin","data_percent":"","lv_tags":""}},
   {{"vg_name":"vg","lv_name":"others","lv_size":"1","pool_lv":"pool","segtype":"thin","data_percent":"","lv_tags":"sanfleet.volume"}},
   {{"vg_name":"root","lv_name":"root","lv_size":"5","pool_lv":"","segtype":"linear","data_percent":"","lv_tags":""}}
  ]}}]}}
{MARK}
store1 7e2b
{MARK}
[{{"ifname":"lo","addr_info":[{{"local":"127.0.0.1","scope":"host"}}]}},
 {{"ifname":"e0","addr_info":[{{"local":"192.0.2.1","scope":"global"}},{{"local":"fe80::1","scope":"link"}}]}},{{}}]
{MARK}
{{"a":1}}
"#
        )
    }

    #[test]
    fn only_volumes_of_ours_and_thin_pools_are_seen() {
        let survey = read(said().as_bytes(), None).unwrap();
        let outline = &survey.outline;
        assert_eq!((outline.hostname.as_str(), outline.boot.as_str()), ("store1", "7e2b"));
        assert_eq!(outline.file.as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(outline.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        let [pool] = survey.pools.as_slice() else { panic!("{:?}", survey.pools) };
        assert_eq!((pool.size, pool.free), (1_000_000, 876_600));
        let [volume] = survey.volumes.as_slice() else { panic!("{:?}", survey.volumes) };
        assert_eq!((volume.name.as_str(), volume.size, volume.pool.as_str()), ("db", 4_194_304, "pool"));
        assert!(read(said().as_bytes(), Some("other")).unwrap().pools.is_empty());
    }

    #[test]
    fn a_pool_that_does_not_say_how_full_it_is_has_no_room() {
        let silent = said().replace("12.34", "");
        assert_eq!(read(silent.as_bytes(), None).unwrap().pools[0].free, 0);
    }

    #[test]
    fn a_copy_is_as_large_as_its_source() {
        let serial: Serial = SERIAL.parse().unwrap();
        let new = New { serial: &serial, name: "copy" };
        let row = read_copy(b"vg pool 4194304\n", new).unwrap();
        assert_eq!((row.group.as_str(), row.pool.as_str(), row.size), ("vg", "pool", 4_194_304));
        for bad in ["", "vg pool", "vg pool many", "vg pool 1 2"] {
            assert!(read_copy(bad.as_bytes(), new).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_makes_no_sense_is_told_and_never_panics(text in "\\PC{0,200}", cut in 0usize..1200) {
            let _ = (read(text.as_bytes(), None), read_outline(text.as_bytes()));
            let whole = said();
            let _ = read(whole.as_bytes().get(..cut).unwrap_or(whole.as_bytes()), None);
            let _ = unhex(&text);
        }
    }
}
