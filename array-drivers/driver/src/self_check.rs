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
    Ok { found: String },
    Failed { code: i64, message: String },
    NotSupported,
}

/// Tries the array at `uri`.
pub(crate) fn self_check(driver: &mut dyn ArrayDriver, uri: &str, password: Option<&str>) -> Report {
    let mut report = Report::default();
    let registered = driver.plugin_register(uri, password, LIMIT);
    if !report.note("register", registered.map(|()| String::new())) {
        return report;
    }
    let claimed = Capabilities::claimed(driver);
    report.capabilities =
        Capability::NAMED.iter().filter(|(_, one)| claimed.supports(*one)).map(|(name, _)| *name).collect();
    let systems = driver.systems().map(|systems| {
        let named: Vec<String> =
            systems.iter().map(|system| format!("{} ({})", system.id, system.name)).collect();
        format!("{}: {}", named.len(), named.join(", "))
    });
    report.note("systems", systems);
    report.note("pools", count(driver.pools(None)));
    macro_rules! list {
        ($($method:ident needs $need:ident;)*) => {
            $(match claimed.supports(Capability::$need) {
                true => { report.note(stringify!($method), count(driver.$method(None))); }
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
    report.note("unregister", driver.plugin_unregister().map(|()| String::new()));
    report
}

fn count<T>(listed: Result<Vec<T>, LsmError>) -> Result<String, LsmError> {
    listed.map(|records| records.len().to_string())
}

impl Report {
    pub fn is_good(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed { .. }))
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// True when it went well.
    fn note(&mut self, what: &'static str, outcome: Result<String, LsmError>) -> bool {
        let outcome = match outcome {
            Ok(found) => Outcome::Ok { found },
            Err(error) => Outcome::Failed { code: error.number.into(), message: error.message },
        };
        let good = matches!(outcome, Outcome::Ok { .. });
        self.steps.push(Step { what, outcome });
        good
    }

    fn not_supported(&mut self, what: &'static str) {
        self.steps.push(Step { what, outcome: Outcome::NotSupported });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { what, outcome } in &self.steps {
            match outcome {
                Outcome::Ok { found } => writeln!(f, "{}", format!("ok      {what:14} {found}").trim_end())?,
                Outcome::Failed { code, message } => {
                    writeln!(f, "failed  {what:14} {message} (error {code})")?;
                }
                Outcome::NotSupported => writeln!(f, "-       {what:14} not supported")?,
            }
        }
        write!(
            f,
            "capabilities: {}",
            if self.capabilities.is_empty() { "none".into() } else { self.capabilities.join(" ") }
        )
    }
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
            Ok(Vec::new())
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
        assert!(text.starts_with("ok      register\nok      systems        0:"), "{text}");
        assert!(
            text.contains(
                "failed  pools          no route (error 142)\n-       volumes        not supported\n"
            ),
            "{text}"
        );
        assert!(text.contains("ok      unregister\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(json["steps"][2]["code"], 142);
    }

    #[test]
    fn an_array_that_does_not_let_us_in_is_asked_nothing_more() {
        let report = self_check(&mut Half, "half://", None);
        assert_eq!(report.steps.len(), 1);
        assert!(!report.is_good());
    }
}
