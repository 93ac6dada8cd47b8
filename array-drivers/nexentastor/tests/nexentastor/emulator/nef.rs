//! The REST of release 5: tokens, pages, jobs, and errors in more shapes than one.

mod change;
mod rows;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Fault, PASSWORD, Refusal, State, USER, Wrong, chance,
    http::{Request, Told},
};

type Answer = Result<Value, Refusal>;

/// A change that is told of when it has been asked after often enough.
#[derive(Debug)]
pub struct Job {
    polls: u32,
    outcome: Answer,
}

/// What a request is about.
pub struct Place<'a> {
    pub collection: &'a str,
    pub id: Option<&'a str>,
    pub verb: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(path: &'a [String]) -> Option<Self> {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let below = match words.as_slice() {
            ["storage" | "nas" | "auth" | "settings" | "network", rest @ ..] => rest,
            ["san", "iscsi", rest @ ..] | ["san", rest @ ..] => rest,
            ["services" | "jobStatus", ..] => words.as_slice(),
            _ => return None,
        };
        let (collection, id, verb) = match *below {
            [collection] => (collection, None, None),
            [collection, id] => (collection, Some(id), None),
            [collection, id, verb] => (collection, Some(id), Some(verb)),
            _ => return None,
        };
        Some(Self { collection, id, verb })
    }

    fn operation(&self, method: &str) -> String {
        let verb = self.verb.map(|verb| format!("/{verb}")).unwrap_or_default();
        format!("{method} {}{verb}", self.collection)
    }
}

pub fn answer(state: &mut State, request: &Request) -> Told {
    state.requests += 1;
    let Some(place) = Place::of(&request.path) else {
        return Told::Whole(404, json!({"name": "NefError", "code": "ENOENT", "message": "no such route"}));
    };
    if state.config.busy_every.is_some_and(|every| state.requests.is_multiple_of(every)) {
        return busy(state.requests);
    }
    if place.collection == "login" {
        return log_in(state, &request.body);
    }
    if !is_known(&mut state.tokens, request.authorization.as_deref()) {
        return told(state, 401, &Refusal::Stranger);
    }
    let fault = state.fault(&place.operation(&request.method));
    let outcome = match fault {
        Some(Fault::LoseRequest) => return Told::Nothing,
        Some(Fault::Broken) => Err(Refusal::Broken),
        Some(Fault::Lie) => Ok(Value::Null),
        _ => carry_out(state, &place, request),
    };
    let answer = render(state, &request.method, outcome);
    match (fault, answer) {
        (Some(Fault::LoseAnswer), _) => Told::Nothing,
        (Some(Fault::CutAnswer), Told::Whole(status, body)) => Told::Half(status, body),
        (_, answer) => answer,
    }
}

fn carry_out(state: &mut State, place: &Place<'_>, request: &Request) -> Answer {
    match (request.method.as_str(), place.id, place.verb) {
        ("GET", None, None) => rows::list(state, place.collection, &request.query),
        ("GET", Some(id), None) => rows::one(state, place.collection, id, &request.query),
        (method, _, _) => change::carry_out(state, method, place, request),
    }
}

fn render(state: &mut State, method: &str, outcome: Answer) -> Told {
    match (method, state.config.job_polls) {
        ("GET", _) => match outcome {
            // A job tells what became of it, or that it goes on.
            Ok(Value::Object(mut body)) if body.contains_key("running") => {
                body.remove("running");
                Told::Whole(202, body.into())
            }
            Ok(body) => Told::Whole(200, body),
            Err(refusal) => told(state, status(&refusal), &refusal),
        },
        (_, Some(polls)) => {
            let id = chance();
            state.jobs.insert(id.clone(), Job { polls, outcome });
            Told::Whole(202, monitor(&id))
        }
        (_, None) => match outcome {
            Ok(body) => Told::Whole(if method == "POST" { 201 } else { 200 }, body),
            Err(refusal) => told(state, status(&refusal), &refusal),
        },
    }
}

fn monitor(id: &str) -> Value {
    json!({"links": [{"rel": "self", "href": "/"}, {"rel": "monitor", "href": format!("/jobStatus/{id}")}]})
}

/// What became of a job.
pub fn job_status(state: &mut State, id: &str) -> Answer {
    let Some(job) = state.jobs.get_mut(id) else {
        return Err(Refusal::Missing(format!("job '{id}' does not exist")));
    };
    match job.polls.checked_sub(1) {
        Some(left) => {
            job.polls = left;
            let mut body = monitor(id);
            body["running"] = json!(true);
            Ok(body)
        }
        None => job.outcome.clone(),
    }
}

fn log_in(state: &mut State, body: &Value) -> Told {
    *state.calls.entry("POST login".into()).or_default() += 1;
    if body["username"] != json!(USER) || body["password"] != json!(PASSWORD) {
        state.strangers += 1;
        return told(state, 401, &Refusal::Stranger);
    }
    let token = chance();
    state.tokens.insert(token.clone(), state.config.token_life.unwrap_or(u32::MAX));
    Told::Whole(200, json!({"token": token}))
}

fn is_known(tokens: &mut BTreeMap<String, u32>, authorization: Option<&str>) -> bool {
    let token = authorization.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
    let Some(left) = tokens.get_mut(token) else { return false };
    let is_good = *left > 0;
    *left = left.saturating_sub(1);
    is_good
}

/// In turn: the proxy before the appliance, a limit, and the appliance itself.
fn busy(number: u64) -> Told {
    match number % 3 {
        0 => Told::Text(503, "<html><body>Service Unavailable</body></html>"),
        1 => Told::Whole(429, json!({"message": "too many requests"})),
        _ => Told::Whole(
            500,
            json!({"name": "NefError", "code": "EBUSY", "message": "try again", "source": "nef"}),
        ),
    }
}

fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Missing(_) => 404,
        Refusal::Stranger => 401,
        Refusal::Exists(_) | Refusal::Children(_) => 409,
        Refusal::Busy(_) | Refusal::Broken => 500,
        Refusal::NoSpace | Refusal::Invalid(_) => 400,
    }
}

fn told(state: &State, status: u16, refusal: &Refusal) -> Told {
    let status = if state.config.wrong == Some(Wrong::Status) && status == 401 { 403 } else { status };
    let (code, message) = match refusal {
        Refusal::Missing(text) if state.config.wrong == Some(Wrong::Code) => ("ENOTHING", text.as_str()),
        Refusal::Missing(text) => ("ENOENT", text.as_str()),
        // One code for a name that is taken and for a dataset that has clones.
        Refusal::Exists(text) | Refusal::Children(text) => ("EEXIST", text.as_str()),
        Refusal::Busy(text) => ("EBUSY", text.as_str()),
        Refusal::NoSpace => ("ENOSPC", "out of space"),
        Refusal::Invalid(text) => ("EBADARG", text.as_str()),
        Refusal::Stranger => ("EAUTH", "authentication required"),
        Refusal::Broken => ("EFAULT", "something failed"),
    };
    let plain = json!({"name": "NefError", "code": code, "message": message, "source": "zfs"});
    let body = match (state.config.odd_errors, state.requests % 2) {
        (true, 0) => json!({"name": "NefError", "errors": [plain]}),
        (true, _) => json!({"name": "NefError", "errors": plain}),
        _ => plain,
    };
    Told::Whole(status, body)
}
