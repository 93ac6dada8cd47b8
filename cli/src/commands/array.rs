//! `sanfleet array`: the arrays that the controller reaches.

use sanfleet_protocol::v1;

use super::Console;
use crate::{
    args::ArrayCommand,
    exit::Exit,
    failure::Failure,
    output::{Cell, Table, Tone, View, human},
};

pub async fn run(console: &Console, command: ArrayCommand) -> Result<Exit, Failure> {
    match command {
        ArrayCommand::List => console.ask(v1::ArrayListRequest {}, list).await,
        ArrayCommand::Add { name, uri } => {
            let request = v1::ArrayAddRequest { name: name.to_string(), uri: uri.into_inner() };
            console.ask(request, added).await
        }
    }
}

fn list(reply: &v1::ArrayListReply) -> View {
    View::table(table(&reply.arrays))
}

fn added(reply: &v1::ArrayAddReply) -> View {
    View::table(table(reply.array.as_slice()))
}

pub fn table(arrays: &[v1::ArraySummary]) -> Table {
    let rows = arrays.iter().map(|array| {
        [
            Cell::from(&array.name),
            health(array),
            kind(array),
            Cell::from(array.pools.to_string()),
            Cell::from(array.volumes.to_string()),
            Cell::from(human::size(array.free_bytes)),
            Cell::from(human::size(array.total_bytes)),
            Cell::from(&array.driver),
            Cell::from(&array.uri),
        ]
    });
    let columns = ["ARRAY", "STATE", "KIND", "POOLS", "VOLUMES", "FREE", "TOTAL", "DRIVER", "URI"];
    Table::new(columns, rows)
}

fn health(array: &v1::ArraySummary) -> Cell {
    match (array.reachable, array.error.as_str()) {
        (true, "") => Cell::toned("reachable", Tone::Good),
        (true, error) => Cell::toned(format!("reachable, but {error}"), Tone::Busy),
        (false, "") => Cell::toned("unreachable", Tone::Bad),
        (false, error) => Cell::toned(format!("unreachable: {error}"), Tone::Bad),
    }
}

/// A simulated array must never be taken for a real one.
fn kind(array: &v1::ArraySummary) -> Cell {
    if array.simulated {
        Cell::toned(format!("{} (simulated)", array.kind).trim(), Tone::Busy)
    } else {
        Cell::from(&array.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(array: v1::ArraySummary) -> String {
        View::table(table(&[array])).piped()
    }

    #[test]
    fn a_simulated_array_says_so() {
        let array = v1::ArraySummary { kind: "sim".to_owned(), simulated: true, ..Default::default() };
        assert!(shown(array).contains("sim (simulated)"));
    }

    #[test]
    fn an_array_that_cannot_be_reached_says_why() {
        let array = v1::ArraySummary { error: "login refused".to_owned(), ..Default::default() };
        assert!(shown(array).contains("unreachable: login refused"));
        let array = v1::ArraySummary { reachable: true, ..Default::default() };
        assert!(shown(array).contains("\treachable\t"));
    }

    #[test]
    fn a_reply_without_an_array_is_an_empty_table() {
        assert_eq!(added(&v1::ArrayAddReply::default()).piped().lines().count(), 1);
    }
}
