//! One array with all that is known of it.

use sanfleet_protocol::v1;

use super::table;
use crate::output::{Cell, Table, View, human};

pub fn view(reply: &v1::ArrayShowReply) -> View {
    let array = reply.summary.clone().unwrap_or_default();
    let calls = array.calls.unwrap_or_default();
    View::fields(vec![
        ("array", Cell::from(&array.name)),
        ("state", table::state(&array)),
        ("since", human::moment(array.since_unix_ms).into()),
        ("last seen", human::moment(array.last_seen_unix_ms).into()),
        ("trouble", Cell::from(table::trouble(&array))),
        ("what to do", Cell::from(&array.hint)),
        ("uri", Cell::from(&array.uri)),
        ("kind", table::kind(&array)),
        ("driver", Cell::from(&array.driver)),
        ("password", Cell::from(&reply.password_from)),
        ("volumes", array.volumes.to_string().into()),
        (
            "space",
            format!("{} free of {}", human::size(array.free_bytes), human::size(array.total_bytes)).into(),
        ),
        ("calls", Cell::from(figures(&calls))),
        ("breaker", breaker(reply.breaker.as_ref())),
        ("listed", polling(reply)),
        ("claims", Cell::from(reply.capabilities.join(" "))),
        ("does not claim", Cell::from(reply.capabilities_not_claimed.join(" "))),
        ("extensions", Cell::from(reply.extensions.join(" "))),
    ])
    .and_table_if_any("Systems", systems(&reply.systems))
    .and_table_if_any("Pools", pools(&reply.pools))
    .and_table_if_any("Target ports", target_ports(&reply.target_ports))
    .and_table_if_any("What went wrong, the newest first", problems(&reply.problems))
}

fn figures(calls: &v1::CallFigures) -> String {
    if calls.calls == 0 {
        return String::new();
    }
    let [p50, p99, max] = [calls.p50_us, calls.p99_us, calls.max_us].map(human::micros);
    format!(
        "{}, {} failed; half within {p50}, 99 of 100 within {p99}, longest {max}",
        calls.calls, calls.failed
    )
}

fn breaker(breaker: Option<&v1::Breaker>) -> Cell {
    match breaker {
        None => Cell::from(""),
        Some(breaker) if breaker.cause.is_empty() => Cell::from(&breaker.state),
        Some(breaker) => {
            let next = human::moment(breaker.next_try_unix_ms);
            Cell::from(format!("{}, next try {next}: {}", breaker.state, breaker.cause))
        }
    }
}

fn polling(reply: &v1::ArrayShowReply) -> Cell {
    if reply.poll_interval_ms == 0 {
        return Cell::from("");
    }
    let every = human::micros(reply.poll_interval_ms.saturating_mul(1000));
    match reply.tells_changes {
        true => Cell::from(format!("when it tells of a change, and after {every}")),
        false => Cell::from(format!("after {every}")),
    }
}

fn systems(systems: &[v1::SystemRow]) -> Table {
    let rows = systems.iter().map(|system| {
        [&system.id, &system.name, &system.status, &system.firmware, &system.status_info].map(Cell::from)
    });
    Table::new(["SYSTEM", "NAME", "STATUS", "FIRMWARE", "DETAIL"], rows)
}

fn pools(pools: &[v1::PoolRow]) -> Table {
    let rows = pools.iter().map(|pool| {
        [
            Cell::from(&pool.id),
            Cell::from(&pool.name),
            Cell::from(human::size(pool.free_bytes)),
            Cell::from(human::size(pool.total_bytes)),
            Cell::from(&pool.status),
            Cell::from(&pool.status_info),
        ]
    });
    Table::new(["POOL", "NAME", "FREE", "TOTAL", "STATUS", "DETAIL"], rows)
}

fn target_ports(ports: &[v1::TargetPortRow]) -> Table {
    let rows = ports
        .iter()
        .map(|port| [&port.id, &port.r#type, &port.network_address, &port.service_address].map(Cell::from));
    Table::new(["PORT", "TYPE", "ADDRESS", "SERVICE"], rows)
}

fn problems(problems: &[v1::ArrayProblem]) -> Table {
    let rows = problems.iter().map(|problem| {
        [
            Cell::from(human::moment(problem.at_unix_ms)),
            Cell::from(human::moment(problem.last_at_unix_ms)),
            Cell::from(problem.times.to_string()),
            Cell::from(&problem.hint),
            Cell::from(&problem.error),
        ]
    });
    Table::new(["FIRST", "LAST", "TIMES", "WHAT TO DO", "WHAT"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_shown_with_what_went_wrong_and_what_to_do() {
        let reply = v1::ArrayShowReply {
            summary: Some(v1::ArraySummary {
                name: "f1".to_owned(),
                error: "login refused".to_owned(),
                hint: "another password".to_owned(),
                calls: Some(v1::CallFigures {
                    calls: 3,
                    failed: 1,
                    p50_us: 900,
                    p99_us: 900,
                    max_us: 2_000_000,
                }),
                ..Default::default()
            }),
            capabilities: vec!["VOLUMES".to_owned()],
            capabilities_not_claimed: vec!["FS".to_owned()],
            problems: vec![v1::ArrayProblem { times: 7, error: "no route".to_owned(), ..Default::default() }],
            breaker: Some(v1::Breaker {
                state: "open".to_owned(),
                cause: "no route".to_owned(),
                ..Default::default()
            }),
            poll_interval_ms: 10_000,
            tells_changes: true,
            ..Default::default()
        };
        let shown = view(&reply).plain();
        for part in [
            "login refused",
            "another password",
            "VOLUMES",
            "FS",
            "no route",
            "open",
            "7",
            "3, 1 failed; half within 900 µs, 99 of 100 within 900 µs, longest 2 s",
            "when it tells of a change, and after 10 s",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn an_array_that_was_never_seen_is_shown_all_the_same() {
        assert!(view(&v1::ArrayShowReply::default()).plain().contains("unreachable"));
    }
}
