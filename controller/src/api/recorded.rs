//! What changes something is written down with who asked for it, before it is done and after.

use sanfleet_protocol::{BusUser, v1};
use serde::Serialize;
use serde_json::Value;

use super::{Api, Failure};

/// Fields that hold what was sealed to us.
const SECRET: [&str; 2] = ["password", "secret"];
const NOT_SHOWN: &str = "(not shown)";

/// Carries out a request between its two records. One that only shows what would be done has none.
pub(super) async fn recorded<Q, A, F, Fut>(
    api: Api,
    by: BusUser,
    operation: &'static str,
    wanted: Q,
    handler: F,
) -> Result<A, Failure>
where
    Q: Serialize,
    A: Serialize,
    F: Fn(Api, Q) -> Fut,
    Fut: Future<Output = Result<A, Failure>>,
{
    let request = serde_json::to_value(&wanted).unwrap_or_default();
    if is_only_shown(&request) {
        return handler(api, wanted).await;
    }
    let audit = api.audit.clone();
    let asked = audit.asked(&by, operation, &told(request)).await?;
    let answer = handler(api, wanted).await;
    let (run, refused) = outcome(&answer);
    if let Err(error) = audit.decided(asked, run, refused).await {
        // It has been done by now, and whoever asked is to know what.
        tracing::error!(%by, operation, %error, "what was decided is missing in the audit");
    }
    answer
}

fn is_only_shown(request: &Value) -> bool {
    request.get("dry_run") == Some(&Value::Bool(true))
}

/// As text, without what is secret.
fn told(mut request: Value) -> String {
    hide(&mut request);
    request.to_string()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match SECRET.contains(&name.as_str()) && !field.is_null() {
                    true => *field = Value::from(NOT_SHOWN),
                    false => hide(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

fn outcome<A: Serialize>(answer: &Result<A, Failure>) -> (String, Option<v1::ApiError>) {
    match answer {
        Ok(answer) => {
            let reply = serde_json::to_value(answer).unwrap_or_default();
            (reply.get("run").and_then(Value::as_str).unwrap_or_default().to_owned(), None)
        }
        Err(Failure { kind, message, hint }) => {
            let refused = v1::ApiError { kind: (*kind).into(), message: message.clone(), hint: hint.clone() };
            (String::new(), Some(refused))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sealed_is_not_written_down_wherever_it_is() {
        let text =
            told(json!({ "name": "box", "password": { "box": "c2VhbGVk" }, "more": [{ "secret": "x" }] }));
        assert_eq!(text, r#"{"more":[{"secret":"(not shown)"}],"name":"box","password":"(not shown)"}"#);
    }

    #[test]
    fn a_plan_that_is_only_shown_is_no_change() {
        assert!(is_only_shown(&json!({ "dry_run": true })));
        assert!(!is_only_shown(&json!({ "dry_run": false })) && !is_only_shown(&json!({})));
    }
}
