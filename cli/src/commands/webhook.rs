//! `sanfleet webhook`: events sent to others over HTTP.

use sanfleet_protocol::{
    seal::Purpose,
    v1::{self, WebhookState},
};

use super::Console;
use crate::{
    args::WebhookCommand,
    exit::Exit,
    failure::Failure,
    output::{Cell, Table, Tone, View, human},
    secret,
};

pub async fn run(console: &Console, command: WebhookCommand) -> Result<Exit, Failure> {
    match command {
        WebhookCommand::Add { name, url, secret_file, controller_key, which, tries } => {
            let (name, filter) = (name.to_string(), which.filter()?);
            let secret = match secret_file {
                Some(file) => {
                    let read = secret::read_file(&file)?;
                    let purpose = Purpose::AddWebhook { name: &name, url: &url };
                    Some(secret::sealed(&console.client, controller_key.as_ref(), &read, purpose).await?)
                }
                None => None,
            };
            let types = filter.kinds().map(ToString::to_string).collect();
            let about = filter.objects().map(ToOwned::to_owned).collect();
            let webhook = Some(v1::Webhook { name, url, types, about, tries: tries.unwrap_or_default() });
            let added = |reply: &v1::WebhookAddReply| View::table(table(reply.webhook.as_slice()));
            console.ask(v1::WebhookAddRequest { webhook, secret }, added).await
        }
        WebhookCommand::List => {
            let list = |reply: &v1::WebhookListReply| View::table(table(&reply.webhooks));
            console.ask(v1::WebhookListRequest {}, list).await
        }
        WebhookCommand::Remove { name } => {
            let request = v1::WebhookRemoveRequest { name: name.to_string() };
            console.ask(request, |_| View::default()).await
        }
        WebhookCommand::Test { name } => {
            console.ask(v1::WebhookTestRequest { name: name.to_string() }, tested).await
        }
        WebhookCommand::Dead { name, limit } => {
            console.ask(v1::WebhookDeadRequest { name: name.to_string(), limit }, dead).await
        }
        WebhookCommand::Retry { name } => {
            let reply = console.client.call(v1::WebhookRetryRequest { name: name.to_string() }).await?;
            console.output.show(&reply, retried)?;
            Ok(if reply.left == 0 { Exit::Done } else { Exit::Partial })
        }
    }
}

fn table(webhooks: &[v1::WebhookSummary]) -> Table {
    let columns = ["WEBHOOK", "URL", "EVENTS", "ABOUT", "STATE", "WAITING", "DEAD", "LAST OK", "LAST ERROR"];
    Table::new(columns, webhooks.iter().map(row))
}

fn row(summary: &v1::WebhookSummary) -> [Cell; 9] {
    let webhook = summary.webhook.clone().unwrap_or_default();
    let all_if_none = |texts: &[String]| if texts.is_empty() { "all".to_owned() } else { texts.join(",") };
    [
        Cell::from(&webhook.name),
        Cell::from(&webhook.url),
        Cell::from(all_if_none(&webhook.types)),
        Cell::from(all_if_none(&webhook.about)),
        state(summary.state()),
        Cell::from(summary.waiting.saturating_add(summary.under_way).to_string()),
        Cell::toned(summary.dead.to_string(), if summary.dead == 0 { Tone::Plain } else { Tone::Bad }),
        Cell::from(human::moment(summary.delivered_at_unix_ms)),
        Cell::from(&summary.error),
    ]
}

fn state(state: WebhookState) -> Cell {
    match state {
        WebhookState::Ok => Cell::toned("ok", Tone::Good),
        WebhookState::Failing => Cell::toned("failing", Tone::Bad),
        WebhookState::NoSecret => Cell::toned("no secret here", Tone::Faint),
        WebhookState::Unspecified => Cell::from(""),
    }
}

fn tested(reply: &v1::WebhookTestReply) -> View {
    View::fields(vec![
        ("answer", Cell::from(reply.status.to_string())),
        ("after", Cell::from(human::micros(reply.took_us))),
    ])
}

fn dead(reply: &v1::WebhookDeadReply) -> View {
    let rows = reply.letters.iter().map(|letter| {
        [
            Cell::from(human::moment(letter.put_aside_at_unix_ms)),
            Cell::from(&letter.r#type),
            Cell::from(&letter.about),
            Cell::from(letter.sequence.to_string()),
            Cell::from(letter.tries.to_string()),
            Cell::from(&letter.reason),
        ]
    });
    View::table(Table::new(["PUT ASIDE", "TYPE", "ABOUT", "SEQUENCE", "TRIES", "REASON"], rows))
}

fn retried(reply: &v1::WebhookRetryReply) -> View {
    View::fields(vec![
        ("delivered", Cell::from(reply.delivered.to_string())),
        ("left", Cell::from(reply.left.to_string())),
        ("error", Cell::from(&reply.error)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_listed_with_how_it_goes() {
        let webhook = v1::Webhook {
            name: "chat".into(),
            url: "https://example.com/hook".into(),
            types: vec!["run.*".into(), "array.unreachable".into()],
            ..Default::default()
        };
        let summary = v1::WebhookSummary {
            webhook: Some(webhook),
            state: WebhookState::Failing.into(),
            waiting: 3,
            under_way: 2,
            dead: 1,
            error: "the answer was 500".into(),
            ..Default::default()
        };
        let shown = View::table(table(&[summary])).piped();
        let row = "chat\thttps://example.com/hook\trun.*,array.unreachable\tall\tfailing\t5\t1\t-\tthe answer was 500\n";
        assert!(shown.ends_with(row), "{shown}");
    }

    #[test]
    fn what_was_put_aside_is_listed_with_the_reason() {
        let letter = v1::DeadLetter {
            r#type: "run.finished".into(),
            about: "r1".into(),
            sequence: 7,
            reason: "the answer was 404".into(),
            tries: 10,
            ..Default::default()
        };
        let shown = dead(&v1::WebhookDeadReply { letters: vec![letter] }).piped();
        assert!(shown.ends_with("-\trun.finished\tr1\t7\t10\tthe answer was 404\n"), "{shown}");
    }
}
