//! The command line of the agent.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use sanfleet_agent::{
    actions::{ActionError, await_volume},
    clock::unix_ms,
    config::Config,
    deadline::Deadline,
    discover::Discoverer,
    enrolment,
    fabric::Wanted,
    helper,
    host::{Host, HostError},
    quiesce::guard,
    relay, report,
    verify::{self, VerifyError},
};
use sanfleet_protocol::{Generation, TargetPath, VolumeId};
use tracing_subscriber::EnvFilter;

/// How long one fabric may look for it.
const RESCAN_WITHIN: Duration = Duration::from_secs(60);
const DETACH_WITHIN: Duration = Duration::from_secs(60);
/// How long an attached volume may take to show up.
const APPEAR_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Parser)]
#[command(
    name = "sanfleet-agent",
    version,
    about = "Reports what this host has and carries out signed commands"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the process that faces the bus, as an unprivileged user, until it is told to terminate
    Run {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Run the process that acts on this host, as root and without a network, until it is told to terminate
    Helper {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make this host a user of the bus with a key of its own: ask with an invitation, and keep what is answered
    Enroll {
        /// The file that `sanfleet bus enroll` has written
        #[arg(long, value_name = "FILE")]
        token: PathBuf,
        /// Where the credentials and the certificate are kept
        #[arg(long, value_name = "FOLDER", default_value = "/etc/sanfleet")]
        etc: PathBuf,
        /// To whom the credentials belong; to who asks, unless given
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
    },
    /// Print, as JSON, what the agent would report, and exit
    Check {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Attach one volume to this host by hand and print its device
    Rescan {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        volume: VolumeId,
        /// Where an array shows it: over iSCSI portal with port, name of the target, unit number; over Fibre Channel name of
        /// the port, unit number; several are tried in order
        #[arg(long = "path", value_name = "PORTAL,TARGET,LUN|WWPN,LUN")]
        paths: Vec<TargetPath>,
    },
    /// Take one volume's device away from this host by hand, unless anybody uses it; the volume stays
    Detach {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        volume: VolumeId,
    },
    /// Hold a quiesce; started by the agent, never by hand
    #[command(hide = true)]
    QuiesceGuard,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::QuiesceGuard => return guard::run(),
        Verb::Run { config } => run(&config),
        Verb::Helper { config } => help(&config),
        Verb::Enroll { token, etc, owner } => enroll(&token, &etc, owner.as_deref()),
        Verb::Check { config } => check(&config),
        Verb::Rescan { config, volume, paths } => rescan(&config, Wanted { volume: &volume, paths: &paths }),
        Verb::Detach { config, volume } => detach(&config, &volume),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "sanfleet-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: &Path) -> anyhow::Result<()> {
    let config = Config::read(config)?;
    log_to_standard_error();
    // It only carries bytes: one thread is enough.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("start the runtime")?.block_on(relay::run(config))?)
}

fn help(config: &Path) -> anyhow::Result<()> {
    let config = Config::read(config)?;
    log_to_standard_error();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    let done = runtime.block_on(helper::run(config));
    // Threads that hang in system calls are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(done?)
}

fn log_to_standard_error() {
    let filter =
        EnvFilter::try_from_env("SANFLEET_LOG").unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

fn enroll(token: &Path, etc: &Path, owner: Option<&str>) -> anyhow::Result<()> {
    let invitation = enrolment::read(token)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let show = |key: &str| {
        let _ = writeln!(std::io::stderr(), "The operator is asked whether this host's key is\n    {key}");
    };
    let enrolled = runtime.block_on(enrolment::enroll(&invitation, etc, owner, show))?;
    // It is good for nothing any more.
    let _ = std::fs::remove_file(token);
    print(&format!(
        "host = {:?}\noperator_key = \"{}\"\n[nats]\nurl = {:?}\nca = {:?}\ncredentials = {:?}",
        invitation.host.as_str(),
        invitation.operator_key,
        invitation.servers,
        enrolled.authority,
        enrolled.credentials,
    ))
}

fn check(config: &Path) -> anyhow::Result<()> {
    let config = Config::read(config)?;
    let host: Arc<dyn Host> = Arc::new(helper::linux_host(&config)?);
    let snapshot = Discoverer::new(host, helper::probe_limits(&config), Arc::new(|| {})).snapshot()?;
    let report =
        report::host_report(&config.host, &config.labels, Generation::default(), unix_ms(), &snapshot);
    print(&serde_json::to_string_pretty(&report.message)?)
}

fn rescan(config: &Path, wanted: Wanted<'_>) -> anyhow::Result<()> {
    let config = Config::read(config)?;
    let host = helper::linux_host(&config)?;
    // Where paths are given, only the fabrics are asked over which they lead.
    let leads_to = |fabric: &String| wanted.paths.iter().any(|path| path.fabric() == fabric);
    for fabric in host.fabrics().into_iter().filter(|fabric| wanted.paths.is_empty() || leads_to(fabric)) {
        host.rescan(&fabric, wanted, Deadline::after(RESCAN_WITHIN))
            .with_context(|| format!("rescan fabric {fabric}"))?;
    }
    let device = await_volume::wait_for(Deadline::after(APPEAR_WITHIN), || {
        verify::verify(&host, wanted.volume).map_err(ActionError::from)
    })?;
    print(&format!("/dev/{}", device.device().name()))
}

fn detach(config: &Path, volume: &VolumeId) -> anyhow::Result<()> {
    let host = helper::linux_host(&Config::read(config)?)?;
    let deadline = Deadline::after(DETACH_WITHIN);
    match verify::verify(&host, volume) {
        Err(VerifyError::Host(HostError::Unmapped { .. })) => {
            host.drop_unmapped(volume, deadline).map(drop)?;
        }
        device => host.detach(device?, deadline)?,
    }
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("write to standard output")
}
