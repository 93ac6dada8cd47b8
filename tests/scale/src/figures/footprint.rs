//! Memory of the controller for each device it knows; memory and work of a real agent on this machine that has nothing to do.

use std::{fs, time::Duration};

use sanfleet_bench::figure::Row;
use sanfleet_tests::{
    control::PATIENCE,
    process::{Process, Recipe},
};

use crate::{
    ground::{DEVICES, Ground},
    memory,
};

/// How long an agent is watched.
const IDLE: Duration = Duration::from_secs(20);

/// A real agent, on this machine, which reports and touches nothing.
pub async fn of_agent(ground: &Ground) -> anyhow::Result<Vec<Row>> {
    let folder = ground.control.folder.join("agent");
    fs::create_dir_all(&folder)?;
    let (config, state) = (folder.join("agent.toml"), folder.join("state"));
    let text = format!(
        "host = \"here\"\nstate_dir = {state:?}\ncontroller_key = {:?}\n[nats]\nurl = [{:?}]\n\
         [helper]\nsocket = {:?}\nuser = \"root\"\n",
        ground.control.public_key,
        ground.control.nats.url(),
        folder.join("run/helper.sock"),
    );
    fs::write(&config, text)?;
    let program = &ground.control.programs.agent;
    let start = |verb| Recipe::new(verb, &folder, program).args([verb, "--config"]).args([&config]).start();
    let mut processes = [start("run")?, start("helper")?];
    ground.control.until_online(&["here"]).await?;
    let before = worked(&processes)?;
    tokio::time::sleep(IDLE).await;
    let worked = worked(&processes)?.saturating_sub(before);
    let resident: u64 =
        processes.iter().map(|of| memory::resident_kib(of.pid())).sum::<anyhow::Result<_>>()?;
    let resident = resident as f64 / 1024.0;
    for process in &mut processes {
        process.stop(PATIENCE);
    }
    ground.forget(&"here".parse()?).await?;
    Ok(vec![
        Row::new("resident memory of an idle agent, both processes", "MiB", resident).at_most(10.0),
        Row::new("processor time of an idle agent", "ms/s", worked.as_secs_f64() * 1e3 / IDLE.as_secs_f64()),
    ])
}

/// Processor time of all of them.
fn worked(processes: &[Process]) -> anyhow::Result<Duration> {
    processes.iter().map(|process| memory::worked(process.pid())).sum()
}

/// Resident memory of the controller, in KiB.
pub fn of_controller(ground: &Ground) -> anyhow::Result<u64> {
    let pid = ground.control.controller().map(Process::pid);
    memory::resident_kib(pid.unwrap_or_default())
}

/// What the controller has grown by since then, for each device.
pub fn per_device(ground: &Ground, since_kib: u64) -> anyhow::Result<Row> {
    let grown = of_controller(ground)?.saturating_sub(since_kib);
    let devices = u64::from(ground.hosts()) * u64::from(DEVICES);
    Ok(Row::new("memory of the controller, each device", "bytes", grown as f64 * 1024.0 / devices as f64))
}
