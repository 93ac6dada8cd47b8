//! `drivers`: how quick the plug-in protocol, a driver's process and `lsmcli` are on this machine, in one run.
//!
//! Every figure stands beside the same thing done with nothing in between: bare bytes over a socket pair, a process that does
//! nothing. The first tells what we cost, the second what nobody can better here, and only their ratio says something about
//! another machine. It prints; it judges nothing: a busy machine is no failure.

mod limit;
mod lsmcli;
mod session;

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use sanfleet_bench::figure::{self, Row};

#[derive(Debug, Parser)]
#[command(name = "drivers", version)]
struct Args {
    /// Where `sim_lsmplugin` and `sanfleet` are; without it, beside this program.
    #[arg(long)]
    bin_dir: Option<PathBuf>,
    /// A folder for the simulated array; without it one in memory where there is such a thing.
    #[arg(long)]
    folder: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The other end of the bare socket: read so many bytes, answer with so many, again and again.
    #[command(hide = true)]
    Echo { question: usize, answer: usize },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(Part::Echo { question, answer }) = args.part {
        return limit::echo(question, answer);
    }
    let own = env::current_exe()?;
    let bin_dir = match &args.bin_dir {
        Some(bin_dir) => bin_dir.clone(),
        None => own.parent().context("this program is in no folder")?.to_owned(),
    };
    let memory = PathBuf::from("/dev/shm");
    let folder = match (&args.folder, memory.is_dir()) {
        (Some(folder), _) => tempfile::tempdir_in(folder)?,
        (None, true) => tempfile::tempdir_in(memory)?,
        (None, false) => tempfile::tempdir()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(session::measure(&bin_dir, folder.path()))?;
    print(&rows, args.output)
}

fn print(rows: &[Row], output: Output) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Table => write!(out, "{}", figure::table(rows))?,
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(rows)?)?,
    }
    Ok(())
}
