//! Arrays, a line each.

use sanfleet_protocol::v1::{self, ArrayHealthState};

use crate::output::{Cell, Table, Tone, human};

pub fn table(arrays: &[v1::ArraySummary]) -> Table {
    let rows = arrays.iter().map(|array| {
        let calls = array.calls.unwrap_or_default();
        let time = |micros| if calls.calls == 0 { Cell::from("") } else { Cell::from(human::micros(micros)) };
        [
            Cell::from(&array.name),
            state(array),
            Cell::from(human::moment(array.since_unix_ms)),
            kind(array),
            Cell::from(array.pools.to_string()),
            Cell::from(array.volumes.to_string()),
            Cell::from(human::size(array.free_bytes)),
            Cell::from(human::size(array.total_bytes)),
            time(calls.p50_us),
            time(calls.p99_us),
            Cell::from(human::moment(array.last_seen_unix_ms)),
            Cell::from(&array.driver),
            Cell::from(&array.uri),
            Cell::from(trouble(array)),
        ]
    });
    let columns = [
        "ARRAY",
        "STATE",
        "SINCE",
        "KIND",
        "POOLS",
        "VOLUMES",
        "FREE",
        "TOTAL",
        "P50",
        "P99",
        "LAST SEEN",
        "DRIVER",
        "URI",
        "TROUBLE",
    ];
    Table::new(columns, rows)
}

/// One word. What is shown of an array that is unreachable is of the moment when it was last seen.
pub fn state(array: &v1::ArraySummary) -> Cell {
    match array.state() {
        ArrayHealthState::Ok => Cell::toned("ok", Tone::Good),
        ArrayHealthState::Degraded => Cell::toned("degraded", Tone::Busy),
        ArrayHealthState::Unreachable if array.last_seen_unix_ms != 0 => {
            Cell::toned("unreachable, stale", Tone::Bad)
        }
        ArrayHealthState::Unreachable => Cell::toned("unreachable", Tone::Bad),
        ArrayHealthState::Unseen => Cell::toned("not seen yet", Tone::Faint),
        // A controller that knows of no states.
        ArrayHealthState::Unspecified if array.reachable => Cell::toned("ok", Tone::Good),
        ArrayHealthState::Unspecified => Cell::toned("unreachable", Tone::Bad),
    }
}

/// Why it is not ok.
pub fn trouble(array: &v1::ArraySummary) -> String {
    if array.error.is_empty() { array.complaints.join("; ") } else { array.error.clone() }
}

/// A simulated array must never be taken for a real one.
pub fn kind(array: &v1::ArraySummary) -> Cell {
    if array.simulated {
        Cell::toned(format!("{} (simulated)", array.kind).trim(), Tone::Busy)
    } else {
        Cell::from(&array.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::View;

    fn shown(array: v1::ArraySummary) -> String {
        View::table(table(&[array])).piped()
    }

    fn in_state(state: ArrayHealthState) -> v1::ArraySummary {
        v1::ArraySummary { name: "f1".to_owned(), state: state.into(), ..Default::default() }
    }

    #[test]
    fn a_simulated_array_says_so() {
        let array = v1::ArraySummary { kind: "sim".to_owned(), simulated: true, ..Default::default() };
        assert!(shown(array).contains("sim (simulated)"));
    }

    #[test]
    fn an_array_that_cannot_be_reached_says_why_and_that_what_it_shows_is_old() {
        let array =
            v1::ArraySummary { error: "login refused".to_owned(), ..in_state(ArrayHealthState::Unreachable) };
        assert!(shown(array.clone()).contains("\tunreachable\t"));
        assert!(shown(array.clone()).ends_with("login refused\n"));
        assert!(shown(v1::ArraySummary { last_seen_unix_ms: 1, ..array }).contains("\tunreachable, stale\t"));
    }

    #[test]
    fn an_array_that_is_not_well_says_in_what() {
        let complaints = vec!["pool a: degraded".to_owned(), "pool b: error".to_owned()];
        let array = v1::ArraySummary { complaints, ..in_state(ArrayHealthState::Degraded) };
        assert!(shown(array).ends_with("pool a: degraded; pool b: error\n"));
    }

    #[test]
    fn the_speed_of_an_array_is_a_dash_until_it_was_called() {
        let calls = v1::CallFigures { calls: 9, p50_us: 850, p99_us: 12_300, ..Default::default() };
        assert!(
            shown(v1::ArraySummary { calls: Some(calls), ..Default::default() })
                .contains("\t850 µs\t12.3 ms\t")
        );
        assert!(shown(in_state(ArrayHealthState::Ok)).contains("\t-\t-\t"));
    }
}
