//! Systems: what they can do, and their cache.

use sanfleet_driver::{Capabilities as Claims, Capability, ErrorNumber};
use serde_json::{Map, Value};

use crate::lsm::{
    args::{Capabilities, SystemReadCachePctUpdate},
    console::Console,
    layout::{Cell, list},
    stop::Stop,
};

pub async fn capabilities(console: &mut Console<'_>, args: Capabilities) -> Result<(), Stop> {
    let system = console.system(&args.sys).await?;
    let claims = console.session.capabilities(&system).await?;
    let sorted = sorted(&claims);
    let text = text(&sorted, console.out.style.separator());
    let value: Map<String, Value> =
        sorted.iter().map(|(name, has)| ((*name).to_owned(), (*has).into())).collect();
    console.out.text(&text, value)
}

/// What the array can do first, then what it cannot; each part by name.
fn sorted(claims: &Claims) -> Vec<(&'static str, bool)> {
    let mut all: Vec<_> =
        Capability::NAMED.iter().map(|(name, number)| (*name, claims.supports(*number))).collect();
    all.sort_by_key(|(name, supported)| (!supported, *name));
    all
}

fn text(sorted: &[(&str, bool)], separator: &str) -> String {
    let names: Vec<&str> = sorted.iter().map(|(name, _)| *name).collect();
    let word = |supported| Cell::One(if supported { "SUPPORTED" } else { "UNSUPPORTED" }.into());
    let row = sorted.iter().map(|(_, supported)| word(*supported)).collect();
    list(&names, &[row], separator)
}

pub async fn read_cache_pct_update(
    console: &mut Console<'_>,
    args: SystemReadCachePctUpdate,
) -> Result<(), Stop> {
    let system = console.system(&args.sys).await?;
    let percent = u8::try_from(args.read_pct).ok().filter(|percent| *percent <= 100);
    let percent = percent.ok_or_else(|| {
        Stop::refused(ErrorNumber::InvalidArgument, "Invalid value for read_pct, should be 0-100")
    })?;
    console.session.system_read_cache_pct_update(&system, percent).await?;
    let system = console.system(&args.sys).await?;
    console.out.show(&[system])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_array_can_do_comes_first_and_all_is_named() {
        let sorted = sorted(&Claims::of(&[Capability::VOLUMES, Capability::FS]));
        assert_eq!(&sorted[..3], [("FS", true), ("VOLUMES", true), ("ACCESS_GROUPS", false)]);
        assert_eq!(sorted.len(), Capability::NAMED.len());
    }

    #[test]
    fn capabilities_are_a_list_between_two_rules() {
        let text = text(&[("FS_CLONE", true), ("FS", false)], ":");
        assert_eq!(
            text,
            "--------------------\nFS_CLONE:SUPPORTED  \nFS      :UNSUPPORTED\n--------------------\n"
        );
    }
}
