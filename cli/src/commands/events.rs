//! `sanfleet events`: what has happened and what happens, a line an event.

use futures::{StreamExt as _, pin_mut};
use sanfleet_protocol::v1::{self, event_data};

use super::{Console, host};
use crate::{
    args::Events,
    client::{Event, Since},
    exit::Exit,
    failure::Failure,
    output::{Cell, human},
    progress,
};

pub async fn run(console: &Console, args: Events) -> Result<Exit, Failure> {
    let since = match (args.since_sequence, args.since, args.follow) {
        (Some(at), _, _) => Since::Sequence(at),
        (None, Some(ago), _) => Since::Ago(ago),
        (None, None, true) => Since::Now,
        (None, None, false) => Since::Ever,
    };
    let filter = args.which.filter()?;
    let events = console.client.events(since, &filter, args.follow).await?;
    pin_mut!(events);
    while let Some(event) = events.next().await {
        console.output.show_line(&event?, line)?;
    }
    Ok(Exit::Done)
}

fn line(event: &Event) -> Vec<Cell> {
    vec![
        Cell::from(human::moment_of_text(&event.time)),
        Cell::from(&event.kind),
        match event.told() {
            Some(told) => told_in_words(&told),
            None => Cell::from(&event.subject),
        },
    ]
}

fn told_in_words(told: &event_data::Event) -> Cell {
    use event_data::Event as Told;
    match told {
        Told::Finding(finding) => Cell::from(format!("{}: {}", finding.code, finding.what)),
        Told::Host(host) => {
            let presence = host::presence(host.online);
            Cell::toned(format!("{} is {}", host.host, presence.text()), presence.tone())
        }
        Told::Device(device) => Cell::new(device_in_words(device)),
        Told::Match(found) => Cell::new(format!(
            "{}:{} is {} on {} ({})",
            found.host, found.device, found.volume, found.array, found.volume_id
        )),
        Told::Run(run) => {
            let state = progress::run_state(run.state());
            let text = format!("run {} {}: {}", run.run, run.procedure, state.text());
            Cell::toned(with_error(text, &run.error), state.tone())
        }
        Told::Step(step) => {
            let state = progress::step_state(step.state());
            let text = format!("run {} {}: {}{}", step.run, step.step, state.text(), after(step.duration_us));
            Cell::toned(with_error(text, &step.error), state.tone())
        }
        Told::Attachment(copy) => Cell::new(format!(
            "{}:{} ({}), copy of {}:{}",
            copy.host,
            copy.mount_point,
            host::access(copy.read_write),
            copy.source_host,
            copy.source_mount_point
        )),
        Told::Array(array) => {
            let reach = if array.reachable { "reachable" } else { "unreachable" };
            Cell::new(with_error(format!("{} is {reach}", array.array), &array.error))
        }
    }
}

fn device_in_words(device: &v1::DeviceChange) -> String {
    let ids = device.volume_ids.join(", ");
    let text = format!("{}:{}  {}  {ids}", device.host, device.device, human::size(device.size_bytes));
    text.trim_end().to_owned()
}

fn after(micros: u64) -> String {
    if micros == 0 { String::new() } else { format!(" after {}", human::micros(micros)) }
}

fn with_error(text: String, error: &str) -> String {
    if error.is_empty() { text } else { format!("{text}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, data: serde_json::Value) -> Event {
        Event {
            specversion: "1.0".to_owned(),
            id: String::new(),
            source: String::new(),
            kind: kind.to_owned(),
            subject: "object".to_owned(),
            time: String::new(),
            sequence: String::new(),
            streamsequence: 0,
            data,
        }
    }

    fn words(kind: &str, json: &str) -> String {
        let cells = line(&event(kind, serde_json::from_str(json).unwrap()));
        cells.last().unwrap().text().to_owned()
    }

    #[test]
    fn every_event_is_told_in_words() {
        assert_eq!(words("host.online", r#"{"host":{"host":"db1","online":true}}"#), "db1 is online");
        assert_eq!(
            words("device.appeared", r#"{"device":{"host":"db1","device":"sda","size_bytes":"1024"}}"#),
            "db1:sda  1.0 KiB"
        );
        assert_eq!(
            words(
                "run.finished",
                r#"{"run":{"run":"7","procedure":"p","state":"RUN_STATE_UNDONE","error":"e"}}"#
            ),
            "run 7 p: undone: e"
        );
        assert_eq!(
            words(
                "step.finished",
                r#"{"step":{"run":"7","step":"s","state":"STEP_STATE_DONE","duration_us":"2000"}}"#
            ),
            "run 7 s: done after 2 ms"
        );
        assert_eq!(
            words("array.health", r#"{"array":{"array":"a","error":"gone"}}"#),
            "a is unreachable: gone"
        );
    }

    #[test]
    fn an_event_of_a_newer_controller_is_told_by_its_object() {
        assert_eq!(words("moon.rose", r#"{"moon":{"phase":"full"}}"#), "object");
        assert_eq!(words("moon.rose", "\"\\u001b[2J\""), "object");
    }
}
