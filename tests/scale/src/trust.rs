//! What it costs that everybody on the bus is a user with rights, over TLS, and that what is asked is written down: the same copy of a
//! frozen file system on two fleets of real processes, one of which has a bus that is open to all. They take turns.

use std::time::Duration;

use anyhow::Context;
use sanfleet_bench::figure::{Row, Samples, milli};
use sanfleet_protocol::v1::RunState;
use sanfleet_tests::rig::Rig;

pub async fn measure(copies: u32) -> anyhow::Result<Vec<Row>> {
    let (guarded, open) = (Rig::new().await?, Rig::on_an_open_bus().await?);
    let (mut ours, mut bare) = (Taken::default(), Taken::default());
    for _ in 0..copies {
        ours.copy(&guarded)?;
        bare.copy(&open)?;
    }
    let row = |what: &str, ours: &mut Samples, bare: &mut Samples| {
        Row::new(what, "ms", milli(ours.median())).beside(milli(bare.median()))
    };
    Ok(vec![
        row(
            "a copy of a frozen file system, mounted elsewhere (raw: on an open bus)",
            &mut ours.whole,
            &mut bare.whole,
        ),
        row("writes blocked meanwhile (raw: on an open bus)", &mut ours.blocked, &mut bare.blocked),
    ])
}

#[derive(Default)]
struct Taken {
    whole: Samples,
    blocked: Samples,
}

impl Taken {
    fn copy(&mut self, rig: &Rig) -> anyhow::Result<()> {
        let run = rig.attach("fsfreeze", &[])?;
        anyhow::ensure!(run.state() == RunState::Succeeded, "{run:#?}");
        let took = run.finished_at_unix_ms.saturating_sub(run.created_at_unix_ms);
        let blocked = run.copied.context("the run copied nothing")?.blocked_us;
        self.whole.push(Duration::from_millis(u64::try_from(took)?));
        self.blocked.push(Duration::from_micros(blocked));
        rig.detach().map(drop)
    }
}
