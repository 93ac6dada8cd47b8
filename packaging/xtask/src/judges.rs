//! Judges of the tests' emulators: clients of an array's own vendor, or of somebody else, that know nothing of us.
//!
//! An emulator that is wrong lets a driver pass that is wrong. So each has to satisfy a client that others wrote, and must not satisfy
//! it when it is broken on purpose. The clients are fetched by pinned hash and are put below the build's directory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use anyhow::{Context, bail, ensure};

use crate::{build, install};

/// A driver whose emulator somebody judges. It has an example `emulator`, and a folder `tests/judge`.
struct Case {
    driver: &'static str,
    /// What is broken on purpose, each of which the judge has to notice.
    faults: &'static [&'static str],
}

const CASES: &[Case] = &[Case { driver: "nexentastor", faults: &["field", "status", "code"] }];

/// What a judge ends with that has found something wrong.
const WRONG: i32 = 1;

pub fn run() -> anyhow::Result<ExitCode> {
    install::fetching_needs()?;
    for case in CASES {
        judge(case).with_context(|| format!("the judge of {}", case.driver))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn judge(case: &Case) -> anyhow::Result<()> {
    let folder = build::workspace().join("array-drivers").join(case.driver).join("tests/judge");
    let library = library(case.driver, &folder.join("requirements.txt"))?;
    let package = format!("sanfleet-driver-{}", case.driver);
    let programs = build::packages(&[&package], &["--example", "emulator"])?;
    let hear = |faults: &[&str]| -> anyhow::Result<Output> {
        let mut judge = Command::new("python3");
        judge.env("PYTHONPATH", &library).arg(folder.join("judge.py"));
        judge.arg(programs.join("examples/emulator")).args(faults);
        judge.output().context("cannot start python3")
    };
    let right = hear(&[])?;
    ensure!(right.status.success(), "it finds the emulator wrong:\n{}", words(&right));
    eprintln!("{}: the judge is content", case.driver);
    for fault in case.faults {
        let wrong = hear(&[fault])?;
        match wrong.status.code() {
            Some(WRONG) => eprintln!("{}: a wrong {fault} is noticed", case.driver),
            _ => bail!("a wrong {fault} is not noticed ({}):\n{}", wrong.status, words(&wrong)),
        }
    }
    Ok(())
}

/// Where the judge's clients are, fetched unless these very ones were before.
fn library(driver: &str, requirements: &Path) -> anyhow::Result<PathBuf> {
    let wanted = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let folder = install::target_directory().join("judges").join(driver);
    let done = folder.join("done.txt");
    if fs::read(&done).is_ok_and(|there| there == wanted) {
        return Ok(folder);
    }
    eprintln!("fetching what judges {driver}, by pinned hash, into {}", folder.display());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"];
    let only = ["--no-deps", "--only-binary", ":all:", "--require-hashes"];
    let status = Command::new("python3")
        .args(pip)
        .args(only)
        .arg("--target")
        .arg(&folder)
        .arg("--requirement")
        .arg(requirements)
        .status()
        .context("cannot start pip")?;
    ensure!(status.success(), "pip ended with {status}; the hashes are those for Python 3.11 on x86-64");
    fs::write(&done, wanted)?;
    Ok(folder)
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}
