//! The strictest readers there are, as a rule book: what libStorageMgmt's Python client raises on, and what its C client fails on,
//! crashes on or reads as something else.
//!
//! Pure: one reply in, what is wrong with it out.

mod class;
mod shape;

use serde_json::{Map, Value};

/// After this call replies may hold what only the extensions explain.
pub const EXTENSIONS: &str = "sanfleet_extensions";
/// Methods of the extensions answer with records of their own.
const EXTENSION: &str = "sanfleet_";

/// What the strict readers would make of a reply to `method`; nothing when they can read it.
pub fn violations(method: &str, extended: bool, body: &[u8]) -> Vec<String> {
    let mut reading = Reading { violations: Vec::new(), extended };
    match std::str::from_utf8(body).map(serde_json::from_str::<Value>) {
        Ok(Ok(Value::Object(reply))) => reading.reply(method, &reply),
        Ok(Ok(_)) => reading.says("the reply is not an object"),
        Ok(Err(error)) => reading.says(format!("the reply is not JSON: {error}")),
        Err(_) => reading.says("the reply is not UTF-8"),
    }
    reading.violations
}

struct Reading {
    violations: Vec<String>,
    extended: bool,
}

impl Reading {
    fn says(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    fn reply(&mut self, method: &str, reply: &Map<String, Value>) {
        for key in reply.keys().filter(|key| !["id", "result", "error"].contains(&key.as_str())) {
            self.says(format!("the reply has the key {key}"));
        }
        match (reply.get("result"), reply.get("error")) {
            (Some(result), None) => {
                if reply.get("id").and_then(Value::as_i64) != Some(100) {
                    self.says("the reply's id is not 100");
                }
                self.result(method, result);
            }
            (None, Some(error)) => {
                if reply.get("id").and_then(Value::as_i64).is_none() {
                    self.says("the reply's id is no number");
                }
                self.error(error);
            }
            (Some(_), Some(_)) => self.says("the reply has both a result and an error"),
            (None, None) => self.says("the reply has neither a result nor an error"),
        }
    }

    fn error(&mut self, error: &Value) {
        let Some(error) = error.as_object() else {
            return self.says("the error is not an object");
        };
        for key in error.keys().filter(|key| !["code", "message", "data"].contains(&key.as_str())) {
            self.says(format!("the error has the key {key}"));
        }
        if error.get("code").and_then(Value::as_i64).is_none() {
            self.says("the error's code is no whole number");
        }
        if !error.get("message").is_some_and(Value::is_string) {
            self.says("the error's message is no text");
        }
        if !error.get("data").is_none_or(|data| data.is_string() || data.is_null()) {
            self.says("the error's data is neither a text nor null");
        }
    }

    fn result(&mut self, method: &str, result: &Value) {
        self.numbers(result);
        if method.starts_with(EXTENSION) {
            return;
        }
        if let Some(shape) = shape::of(method)
            && !shape::fits(shape, result)
        {
            self.says(format!("the result is not {}", shape::words(shape)));
        }
        self.records(result);
    }

    /// The C reader takes plain decimals only: it reads 1e3 as 1.
    fn numbers(&mut self, value: &Value) {
        match value {
            Value::Number(number) if number.is_f64() => {
                self.says(format!("the number {number} is no plain decimal"));
            }
            Value::Array(items) => items.iter().for_each(|item| self.numbers(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.numbers(field)),
            _ => {}
        }
    }

    fn records(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.records(item)),
            Value::Object(record) => self.record(record),
            _ => {}
        }
    }

    fn record(&mut self, record: &Map<String, Value>) {
        let Some(name) = record.get("class").and_then(Value::as_str) else {
            return self.says("an object without a class");
        };
        let Some(class) = class::named(name) else {
            return self.says(format!("a record of the class {name}, which nobody knows"));
        };
        for key in record.keys().filter(|key| *key != "class" && class.field(key).is_none()) {
            self.says(format!("{name} has the key {key}, on which the Python client raises"));
        }
        for field in class.fields {
            match record.get(field.key) {
                None if field.mandatory => self.says(format!("{name} lacks {}", field.key)),
                Some(value) if !self.fits(field, value) => {
                    self.says(format!("{name}.{} is {value}, not {}", field.key, field.kind.words()));
                }
                _ => {}
            }
        }
    }

    fn fits(&self, field: &class::Field, value: &Value) -> bool {
        // A client that knows of extensions knows of NVMe names.
        let known = self.extended && matches!(field.kind, class::Of::Initiators);
        field.kind.fits(value) || known && class::Of::Texts.fits(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(method: &str, reply: Value) -> Vec<String> {
        violations(method, false, reply.to_string().as_bytes())
    }

    fn volume() -> Value {
        json!({"class": "Volume", "id": "V", "name": "v", "vpd83": "60014053fef180bf1000000000000000", "block_size": 512,
            "num_of_blocks": 8, "admin_state": 1, "system_id": "s", "pool_id": "p", "plugin_data": null})
    }

    fn volumes_with(key: &str, value: Value) -> Vec<String> {
        let mut volume = volume();
        volume[key] = value;
        of("volumes", json!({"id": 100, "result": [volume]}))
    }

    #[test]
    fn what_both_clients_can_read_passes() {
        assert_eq!(of("volumes", json!({"id": 100, "result": [volume()]})), Vec::<String>::new());
        let error = json!({"code": 202, "message": "none", "data": null});
        assert!(of("job_status", json!({"id": 7, "error": error})).is_empty());
        assert!(of("job_status", json!({"id": 100, "result": [2, 100, volume()]})).is_empty());
        assert!(of("volume_create", json!({"id": 100, "result": ["JOB", null]})).is_empty());
    }

    #[test]
    fn what_makes_a_client_raise_or_crash_does_not() {
        for (key, value) in [
            ("vpd83", Value::Null),
            ("vpd83", json!("")),
            ("vpd83", json!("eui.0011")),
            ("colour", json!("blue")),
            ("block_size", json!(512.5)),
            ("admin_state", json!(true)),
            ("id", Value::Null),
        ] {
            assert!(!volumes_with(key, value.clone()).is_empty(), "{key}: {value}");
        }
        let mut incomplete = volume();
        incomplete.as_object_mut().unwrap().remove("pool_id");
        assert_eq!(of("volumes", json!({"id": 100, "result": [incomplete]})), ["Volume lacks pool_id"]);
    }

    #[test]
    fn the_envelope_is_exact() {
        for reply in [
            json!({"id": 7, "result": null}),
            json!({"id": 100}),
            json!({"id": 100, "result": null, "error": null}),
            json!({"id": 100, "result": null, "jsonrpc": "2.0"}),
            json!({"id": 100, "error": {"code": 1, "message": null}}),
            json!({"id": 100, "error": {"code": 1, "message": "no", "data": {}}}),
            json!({"id": 100, "error": {"code": 1, "message": "no", "why": ""}}),
            json!([]),
        ] {
            assert!(!of("plugin_unregister", reply.clone()).is_empty(), "{reply}");
        }
    }

    #[test]
    fn a_result_of_another_shape_is_seen() {
        assert!(!of("volume_create", json!({"id": 100, "result": [null, null]})).is_empty());
        assert!(!of("volume_child_dependency", json!({"id": 100, "result": 1})).is_empty());
        assert!(!of("volume_mask", json!({"id": 100, "result": true})).is_empty());
        assert!(!of("pools", json!({"id": 100, "result": [volume()]})).is_empty());
    }

    #[test]
    fn an_initiator_that_the_python_client_refuses_is_seen_unless_the_client_knows_of_it() {
        let group = json!({"class": "AccessGroup", "id": "A", "name": "a", "init_type": 1, "system_id": "s",
            "init_ids": ["nqn.2014-08.org.nvmexpress:uuid:1"], "plugin_data": null});
        let body = json!({"id": 100, "result": [group]}).to_string();
        assert_eq!(violations("access_groups", false, body.as_bytes()).len(), 1);
        assert!(violations("access_groups", true, body.as_bytes()).is_empty());
    }
}
