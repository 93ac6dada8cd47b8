//! Trying an array without a client: registers, lists everything that the driver claims to list, and changes nothing.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    capability::{Capabilities, Capability},
    error::LsmError,
    method::ArrayDriver,
};

/// How long the driver is told that a call may take; nobody enforces it here, a person can.
const LIMIT: Duration = Duration::from_secs(30);

/// What came of it, one step after the other.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    steps: Vec<Step>,
    /// The names of what the driver claims for this array.
    capabilities: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Step {
    what: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Ok {
        /// How many records a list has.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
        /// Their ids and names, where they are few.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        found: Vec<String>,
    },
    Failed {
        code: i64,
        message: String,
    },
    /// The driver does not claim it, so it was not tried.
    NotSupported,
}

/// Tries the array at `uri`.
pub(crate) fn self_check(driver: &mut dyn ArrayDriver, uri: &str, password: Option<&str>) -> Report {
    let mut report = Report::default();
    if !report.note("register", driver.plugin_register(uri, password, LIMIT).map(done)) {
        return report;
    }
    let claimed = Capabilities::claimed(driver);
    report.capabilities =
        Capability::NAMED.iter().filter(|(_, one)| claimed.supports(*one)).map(|(name, _)| *name).collect();
    report.note("systems", driver.systems().map(|all| named(all.iter().map(|one| (&one.id, &one.name)))));
    report.note("pools", driver.pools(None).map(|all| named(all.iter().map(|one| (&one.id, &one.name)))));
    macro_rules! list {
        ($($method:ident needs $need:ident;)*) => {
            $(match claimed.supports(Capability::$need) {
                true => { report.note(stringify!($method), driver.$method(None).map(counted)); }
                false => report.not_supported(stringify!($method)),
            })*
        };
    }
    list! {
        volumes needs VOLUMES;
        access_groups needs ACCESS_GROUPS;
        target_ports needs TARGET_PORTS;
        disks needs DISKS;
        batteries needs BATTERIES;
        fs needs FS;
        exports needs EXPORTS;
    }
    report.note("unregister", driver.plugin_unregister().map(done));
    report
}

fn done((): ()) -> Outcome {
    Outcome::Ok { count: None, found: Vec::new() }
}

fn counted<T>(records: Vec<T>) -> Outcome {
    Outcome::Ok { count: Some(records.len()), found: Vec::new() }
}

fn named<'a, Id: fmt::Display>(records: impl Iterator<Item = (Id, &'a String)>) -> Outcome {
    let found: Vec<String> = records.map(|(id, name)| format!("{id} ({name})")).collect();
    Outcome::Ok { count: Some(found.len()), found }
}

impl Report {
    pub fn is_good(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed { .. }))
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// True when it went well.
    fn note(&mut self, what: &'static str, outcome: Result<Outcome, LsmError>) -> bool {
        let good = outcome.is_ok();
        let failed = |error: LsmError| Outcome::Failed { code: error.number.into(), message: error.message };
        self.steps.push(Step { what, outcome: outcome.unwrap_or_else(failed) });
        good
    }

    fn not_supported(&mut self, what: &'static str) {
        self.steps.push(Step { what, outcome: Outcome::NotSupported });
    }
}

impl fmt::Display for Report {
    /// A step is a line, whatever the array's names are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{}", on_one_line(&step.to_string()))?;
        }
        match self.capabilities.as_slice() {
            [] => f.write_str("capabilities: none"),
            names => write!(f, "capabilities: {}", names.join(" ")),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match &self.outcome {
            Outcome::Ok { count: None, .. } => write!(f, "ok      {what}"),
            Outcome::Ok { count: Some(count), found } if found.is_empty() => {
                write!(f, "ok      {what:14} {count}")
            }
            Outcome::Ok { count: Some(count), found } => {
                write!(f, "ok      {what:14} {count}: {}", found.join(", "))
            }
            Outcome::Failed { code, message } => write!(f, "failed  {what:14} {message} (error {code})"),
            Outcome::NotSupported => write!(f, "-       {what:14} not supported"),
        }
    }
}

fn on_one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        array_driver,
        error::ErrorNumber,
        method::PluginInfo,
        model::{Pool, System},
        search::Search,
    };

    struct Half;

    #[array_driver]
    impl ArrayDriver for Half {
        fn plugin_info(&self) -> PluginInfo {
            PluginInfo { description: "half an array".into(), version: "1".into() }
        }

        fn plugin_register(&mut self, _: &str, password: Option<&str>, _: Duration) -> Result<(), LsmError> {
            match password {
                Some("right") => Ok(()),
                _ => Err(LsmError::new(ErrorNumber::PluginAuthFailed, "not that password")),
            }
        }

        fn systems(&mut self) -> Result<Vec<System>, LsmError> {
            let system = r#"{"id": "S", "name": "a\nb", "status": 2}"#;
            Ok(vec![serde_json::from_str(system).unwrap()])
        }

        fn pools(&mut self, _: Option<&Search>) -> Result<Vec<Pool>, LsmError> {
            Err(LsmError::new(ErrorNumber::NetworkError, "no route"))
        }
    }

    #[test]
    fn what_fails_is_told_and_the_rest_is_tried_all_the_same() {
        let report = self_check(&mut Half, "half://", Some("right"));
        let text = report.to_string();
        assert!(!report.is_good());
        assert!(text.starts_with("ok      register\nok      systems        1: S (a b)\n"), "{text}");
        assert!(
            text.contains(
                "failed  pools          no route (error 142)\n-       volumes        not supported\n"
            ),
            "{text}"
        );
        assert!(text.contains("ok      unregister\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(
            (&json["steps"][1]["count"], &json["steps"][1]["found"][0], &json["steps"][2]["code"]),
            (&1.into(), &"S (a\nb)".into(), &142.into())
        );
    }

    #[test]
    fn an_array_that_does_not_let_us_in_is_asked_nothing_more() {
        let report = self_check(&mut Half, "half://", None);
        assert_eq!(report.steps.len(), 1);
        assert!(!report.is_good());
    }
}
