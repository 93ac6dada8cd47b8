//! Running the checks, one after the other, and taking away after each what it made.

use std::{fmt, time::Instant};

use crate::{
    check::{Check, Kind},
    checks,
    expect::{Failure, Stop, Verdict},
    options::Options,
    report::{Line, Outcome, Report},
    stage::{Broken, Stage},
    sweep,
    target::Target,
};

/// Holds the driver against every check that the options pick, and tells each result to `progress` as it comes.
///
/// # Errors
/// Nothing could be tested: no session with the driver can be had, or the prefix is none.
pub async fn run(
    target: &Target,
    options: &Options,
    mut progress: impl FnMut(&Line),
) -> Result<Report, Broken> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if options.prefix.is_empty() || !options.prefix.chars().all(plain) {
        return Err(Broken("the prefix is not of letters, digits and underscores".into()));
    }
    let stage = Stage::new(target, options).map_err(|error| Broken(error.to_string()))?;
    let session = stage.session().await.map_err(|error| Broken(crate::expect::told(&error)))?;
    session.close().await.map_err(|error| Broken(crate::expect::told(&error)))?;

    let mut report = Report::default();
    let mut tell = |line: Line| {
        progress(&line);
        report.checks.push(line);
    };
    for check in checks::all() {
        if options.filter.as_ref().is_some_and(|filter| !check.is_picked(filter)) {
            continue;
        }
        tell(one(&stage, check).await);
    }
    if options.changes {
        tell(judged("run", "all that the run made is gone again", sweep::verify(&stage)).await);
    }
    let strict = async { strictly_read(&stage) };
    tell(
        judged("wire", "every reply of the run can be read by the strict Python and C readers", strict).await,
    );
    Ok(report)
}

async fn one(stage: &Stage, check: &Check) -> Line {
    if check.kind == Kind::Changes && !stage.options.changes {
        let why = "it changes the array, which was not allowed".into();
        return Line::new(check.group, check.sentence(), Outcome::Skipped { why }, std::time::Duration::ZERO);
    }
    let line = judged(check.group, &check.sentence(), (check.run)(stage)).await;
    if check.kind == Kind::Changes {
        // What will not go is told once, at the end.
        let _ = sweep::take(stage).await;
    }
    line
}

async fn judged(group: &'static str, sentence: &str, verdict: impl Future<Output = Verdict>) -> Line {
    let begin = Instant::now();
    let outcome = match verdict.await {
        Ok(()) => Outcome::Passed,
        Err(Stop::Failed(failure)) => Outcome::Failed(failure),
        Err(Stop::Skipped(why)) => Outcome::Skipped { why },
    };
    Line::new(group, sentence.to_owned(), outcome, begin.elapsed())
}

fn strictly_read(stage: &Stage) -> Verdict {
    let (replies, violations) = stage.record.told();
    match violations.as_slice() {
        [] => Ok(()),
        violations => Err(Stop::Failed(Failure {
            what: format!("{replies} replies"),
            expected: "that both readers take them all".into(),
            seen: violations.join("; "),
        })),
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing could be tested: {}", self.0)
    }
}

impl std::error::Error for Broken {}
