//! `sanfleet-conformance`: tests an array driver from the command line.

use std::{
    env, fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use sanfleet_conformance::{Door, Kind, Line, Options, Outcome, Target};

/// Exit code of a command line that is none, and of a driver that cannot be reached at all.
const UNUSABLE: u8 = 2;
/// Where libStorageMgmt's daemon has its sockets unless it is told otherwise.
const SOCKETS: &str = "/var/run/lsm/ipc";

/// Test whether an array driver keeps to the libStorageMgmt plug-in protocol.
///
/// Without --allow-changes only reading checks run. With it, objects whose names begin with the prefix are made, changed and
/// deleted; nothing else is touched. A password comes from LSMCLI_PASSWORD or --password-file.
#[derive(Debug, Parser)]
#[command(name = "sanfleet-conformance", version)]
struct Args {
    /// The array, as the driver wants it told: `sim://`, `ontap+ssl://admin@filer`.
    #[arg(long, required_unless_present = "list")]
    uri: Option<String>,
    /// The driver's program; without it or --socket, the scheme's `<kind>_lsmplugin` beside this program.
    #[arg(long, conflicts_with = "socket")]
    driver: Option<PathBuf>,
    /// A socket that libStorageMgmt's daemon serves, or the word `lsmd` for the scheme's own in LSM_UDS_PATH.
    #[arg(long)]
    socket: Option<PathBuf>,
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// Make, change and delete objects of the run's own.
    #[arg(long)]
    allow_changes: bool,
    /// Take free disks for volumes too.
    #[arg(long, requires = "allow_changes")]
    allow_disks: bool,
    /// The pool to work in, by name or id; without it the one with most free space.
    #[arg(long)]
    pool: Option<String>,
    /// Begins the name of everything that is made.
    #[arg(long, default_value = "sfconf")]
    prefix: String,
    /// MiB of a volume or file system.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    size: u64,
    /// How many volumes the array is filled with at most.
    #[arg(long, default_value_t = 2_000)]
    many: usize,
    /// Sessions that work side by side.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=64))]
    sessions: u16,
    /// Makes names; without it each run has its own.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds that one call or job may take.
    #[arg(long, default_value_t = 60)]
    deadline: u64,
    /// Seconds that a list may lag behind.
    #[arg(long, default_value_t = 5)]
    settle: u64,
    /// Only checks whose group or sentence contains this.
    #[arg(long)]
    filter: Option<String>,
    /// Say what checks there are, and run none.
    #[arg(long)]
    list: bool,
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if args.list {
        for check in sanfleet_conformance::checks() {
            let kind = if check.kind == Kind::Changes { " (changes the array)" } else { "" };
            writeln!(out, "{}: {}{kind}", check.group, check.sentence())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (target, options) = (target(args)?, options(args));
    let quiet = args.output == Output::Json;
    let progress = |line: &Line| {
        // Whoever reads may have gone; the run and its exit code still count.
        let _ = if quiet { Ok(()) } else { writeln!(io::stdout(), "{}", shown(line)) };
    };
    drop(out);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(sanfleet_conformance::run(&target, &options, progress))?;
    match args.output {
        Output::Text => writeln!(io::stdout(), "\n{}", report.summary())?,
        Output::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?,
    }
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// In red where somebody looks.
fn shown(line: &Line) -> String {
    match (&line.outcome, io::stdout().is_terminal()) {
        (Outcome::Failed(_), true) => format!("\x1b[31m{line}\x1b[0m"),
        _ => line.to_string(),
    }
}

fn target(args: &Args) -> anyhow::Result<Target> {
    let uri = args.uri.clone().unwrap_or_default();
    let kind = uri.split(['+', ':']).next().unwrap_or_default();
    anyhow::ensure!(uri.contains("://") && !kind.is_empty(), "{uri:?} is no URI of an array, such as sim://");
    let door = match (&args.driver, &args.socket) {
        (Some(driver), _) => {
            Door::Program(fs::canonicalize(driver).with_context(|| driver.display().to_string())?)
        }
        (None, Some(socket)) if socket.as_os_str() == "lsmd" => {
            let folder = env::var_os("LSM_UDS_PATH").map_or_else(|| SOCKETS.into(), PathBuf::from);
            Door::Socket(folder.join(kind))
        }
        (None, Some(socket)) => Door::Socket(socket.clone()),
        (None, None) => Door::Program(beside(kind)?),
    };
    Ok(Target { door, password: password(args)?, uri })
}

fn beside(kind: &str) -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    let driver = own.with_file_name(format!("{kind}_lsmplugin"));
    anyhow::ensure!(driver.is_file(), "there is no {}; give --driver PATH", driver.display());
    Ok(driver)
}

fn password(args: &Args) -> anyhow::Result<Option<String>> {
    let Some(path) = &args.password_file else { return Ok(env::var("LSMCLI_PASSWORD").ok()) };
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn options(args: &Args) -> Options {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    Options {
        filter: args.filter.clone(),
        changes: args.allow_changes,
        disks: args.allow_disks,
        pool: args.pool.clone(),
        prefix: args.prefix.clone(),
        size: args.size << 20,
        many: args.many,
        sessions: args.sessions.into(),
        seed: args.seed.unwrap_or_else(|| u64::try_from(clock() % 0xfff1).unwrap_or_default()),
        deadline: Duration::from_secs(args.deadline),
        settle: Duration::from_secs(args.settle),
    }
}
