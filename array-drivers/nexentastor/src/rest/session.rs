//! Asking, with a token that may have expired, of an appliance that may be busy.
//!
//! What is asked again here was certainly not done: the appliance said that it did not know us, or had no time.

use std::fmt;

use sanfleet_driver_http::{Credentials, Deadline, Method, Response};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    job,
    refusal::{self, EBUSY},
};
use crate::{
    appliance::{Answer, ApplianceError, Reason},
    wire::{Wire, patient, tries_of_status},
};

/// So often the same is asked again of what somebody uses: it may stay so.
const TRIES_OF_USE: usize = 2;

/// Who logs in.
pub(crate) struct Login {
    pub user: String,
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Session {
    wire: Box<dyn Wire>,
    login: Login,
    /// Until when the call may take that is being made.
    pub deadline: Deadline,
}

/// True when release 5 answers there, who tells even strangers in JSON that they are such.
///
/// # Errors
/// Nobody answers, or nobody has time.
pub(crate) fn answers(wire: &mut dyn Wire, deadline: Deadline) -> Answer<bool> {
    let answer = patient(wire, Method::Get, "/settings/properties/system.guid", &[], deadline, tries)?;
    if tries_of_status(&answer) > 0 {
        return Err(ApplianceError::Status { status: answer.status });
    }
    Ok(refusal::code(&answer.body).is_some())
}

/// How often the same is worth asking again after this answer.
fn tries(answer: &Response) -> usize {
    let is_in_use = refusal::code(&answer.body).is_some_and(|code| code == EBUSY);
    tries_of_status(answer).max(if is_in_use { TRIES_OF_USE } else { 0 })
}

impl Session {
    pub fn new(wire: Box<dyn Wire>, login: Login, deadline: Deadline) -> Self {
        Self { wire, login, deadline }
    }

    /// `what` names in errors what is asked about.
    pub fn get<T: DeserializeOwned>(&mut self, what: &'static str, path: &str) -> Answer<T> {
        read(what, &self.ask(what, Method::Get, path, &Value::Null)?.body)
    }

    /// Asks for a change, and waits for it if it is made in a job.
    pub fn change(&mut self, what: &'static str, method: Method, path: &str, body: &Value) -> Answer<()> {
        let answer = self.ask(what, method, path, body)?;
        match answer.status {
            job::ACCEPTED => self.follow(what, &answer.body),
            _ => Ok(()),
        }
    }

    /// An answer that is no refusal.
    pub(super) fn ask(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Answer<Response> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let mut answer = self.exchange(method, path, &body)?;
        if answer.status == 401 {
            self.log_in()?;
            answer = self.exchange(method, path, &body)?;
        }
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(refusal::read(what, &answer)),
        }
    }

    pub(super) fn exchange(&mut self, method: Method, path: &str, body: &[u8]) -> Answer<Response> {
        Ok(patient(self.wire.as_mut(), method, path, body, self.deadline, tries)?)
    }

    pub(super) fn log_in(&mut self) -> Answer<()> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        const WHAT: &str = "the login";
        let body = json!({"username": self.login.user, "password": self.login.password.as_str()});
        let body = Zeroizing::new(body.to_string());
        self.wire.authorize(Credentials::none());
        let answer = self.exchange(Method::Post, "/auth/login", body.as_bytes())?;
        match answer.status {
            200..=299 => {
                let token = Zeroizing::new(read::<Token>(WHAT, &answer.body)?.token);
                if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
                    return Err(ApplianceError::Garbled { what: WHAT, why: "it gives out no token".into() });
                }
                self.wire.authorize(Credentials::bearer(&token));
                Ok(())
            }
            // It may repeat what it was sent.
            400 | 401 | 403 => Err(ApplianceError::Refused {
                what: WHAT,
                reason: Reason::Stranger,
                message: "it does not know that user and password".into(),
            }),
            status => Err(ApplianceError::Status { status }),
        }
    }
}

/// Reads an answer that is no refusal.
pub(super) fn read<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| ApplianceError::Garbled { what, why: error.to_string() })
}
