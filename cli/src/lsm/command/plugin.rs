//! Plug-ins: the one behind the array, and all that there are.

use sanfleet_driver::client::Options;

use super::list;
use crate::lsm::{
    args::List,
    connect::{Places, available},
    console::{Console, Out},
    layout::PluginRow,
    stop::Stop,
};

/// `plugin-info`.
pub async fn info(console: &mut Console<'_>) -> Result<(), Stop> {
    let row = PluginRow::from(console.session.plugin_info().await?);
    let text = match console.out.style.terse.as_deref() {
        Some(separator) if !separator.is_empty() => format!("{}{separator}{}", row.description, row.version),
        _ => format!("Description: {} Version: {}", row.description, row.version),
    };
    console.out.say(&text, &row)
}

/// `list --type PLUGINS`, which needs no array. A plug-in that says nothing is told of on stderr, and the others are listed.
pub async fn list(out: &Out, args: &List, places: &Places, options: &Options) -> Result<(), Stop> {
    list::unfiltered(list::filter(args)?, "Plugins listing with search is not supported")?;
    let (rows, silent) = available(places, options).await;
    for why in silent {
        eprintln!("WARN: {why}");
    }
    out.show(&rows)
}
