//! One command to every agent, until all have answered; beside bare requests of the same sizes on the same connections.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use prost::Message;
use sanfleet_bench::figure::{Row, Samples, milli};
use sanfleet_controller::{
    agents::{Agents, IfOffline, Order, SignedAgents},
    clock::now_unix_ms,
    config::Config,
};
use sanfleet_protocol::{
    Fence, HostId, RunId, VERSION,
    sign::CommandKey,
    v1::{self, command::Action, command_result::Outcome},
};
use uuid::Uuid;

use crate::{agent::limit_subject, ground::Ground};

const ROUNDS: u32 = 5;
/// Requests that are under way at one time. More at once make each wait, and the whole no shorter.
const WINDOW: usize = 64;
const DEADLINE: Duration = Duration::from_secs(20);

pub async fn measure(ground: &Ground, count: u32) -> anyhow::Result<Vec<Row>> {
    let hosts = ground.names(count);
    let key = Config::read(&ground.control.config)?.read_command_key()?;
    let sizes = Sizes::of(&key, &hosts);
    let agents = SignedAgents::new(ground.client.clone(), key, now_unix_ms);
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        ours.push(to_all(&hosts, |host| ask(&agents, host)).await?);
        bare.push(to_all(&hosts, |host| ask_barely(ground, host, &sizes)).await?);
    }
    let what = format!("a command to {count} agents, all have answered (raw: bare requests)");
    Ok(vec![Row::new(what, "ms", milli(ours.median())).beside(milli(bare.median()))])
}

/// How long it takes to ask all of them.
async fn to_all<'a, F>(hosts: &'a [HostId], ask: impl Fn(&'a HostId) -> F) -> anyhow::Result<Duration>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let begun = Instant::now();
    let mut answers = stream::iter(hosts).map(ask).buffer_unordered(WINDOW);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(begun.elapsed())
}

fn action() -> Action {
    Action::CheckTarget(v1::CheckTarget { mount_point: "/srv/copy".to_owned(), ..Default::default() })
}

fn order() -> Order {
    let run = RunId::new(Uuid::now_v7());
    Order { run, step: "bench", fence: Fence(1), if_offline: IfOffline::GiveUp }
}

async fn ask(agents: &SignedAgents<async_nats::Client>, host: &HostId) -> anyhow::Result<()> {
    agents.command(host, order(), action(), DEADLINE).await?;
    Ok(())
}

/// How many bytes such a command and its result have.
struct Sizes {
    command: usize,
    result: u32,
}

impl Sizes {
    fn of(key: &CommandKey, hosts: &[HostId]) -> Self {
        let (id, order) = (Uuid::now_v7().to_string(), order());
        let command = v1::Command {
            version: VERSION,
            id: id.clone(),
            host: hosts.first().map(ToString::to_string).unwrap_or_default(),
            run: order.run.to_string(),
            step: order.step.to_owned(),
            fence: order.fence.0,
            issued_at_unix_ms: now_unix_ms(),
            expires_at_unix_ms: now_unix_ms(),
            action: Some(action()),
        };
        let outcome = Some(Outcome::Done(v1::CommandDone::default()));
        let result =
            v1::CommandResult { version: VERSION, id, outcome, duration_us: 1_000, ..Default::default() };
        Self {
            command: key.sign(&command).encoded_len(),
            result: u32::try_from(result.encoded_len()).unwrap_or(u32::MAX),
        }
    }
}

async fn ask_barely(ground: &Ground, host: &HostId, sizes: &Sizes) -> anyhow::Result<()> {
    let mut question = sizes.result.to_be_bytes().to_vec();
    question.resize(sizes.command, 0);
    ground.client.request(limit_subject(host), question.into()).await?;
    Ok(())
}
