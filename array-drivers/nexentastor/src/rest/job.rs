//! What the appliance does while nobody waits: asked after until it is done.
//!
//! A job that is lost sight of may still be carried out, so everything but its own refusal leaves it open.

use std::{thread, time::Duration};

use sanfleet_driver_http::{Method, Response};
use serde_json::Value;

use super::{
    list::{href, linked},
    refusal,
    session::Session,
};
use crate::appliance::{Answer, ApplianceError};

/// The answer to a change that goes on in a job.
pub(super) const ACCEPTED: u16 = 202;
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn follow(&mut self, what: &'static str, accepted: &[u8]) -> Answer<()> {
        let body: Value = serde_json::from_slice(accepted).unwrap_or_default();
        let monitor = linked(&body, "monitor").and_then(href);
        let garbled = || ApplianceError::Garbled { what, why: "it names no job".into() };
        let path = monitor.ok_or_else(garbled)?;
        let mut pause = FIRST_PAUSE;
        while pause < self.deadline.left() {
            thread::sleep(pause);
            // The appliance may be restarting: it knows its jobs afterwards, or not.
            let Ok(answer) = self.exchange(Method::Get, &path, &[]) else { break };
            match answer.status {
                200 | 201 | 204 => return Ok(()),
                ACCEPTED | 429 | 503 => {}
                // The token has expired meanwhile.
                401 if self.log_in().is_ok() => {}
                401 => break,
                _ => return Err(failed(what, &answer)),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(ApplianceError::Unfinished { what })
    }
}

/// A job that nobody knows any more is not one that failed.
fn failed(what: &'static str, answer: &Response) -> ApplianceError {
    match refusal::read(what, answer) {
        error @ ApplianceError::Refused { .. } if answer.status != 404 => error,
        _ => ApplianceError::Unfinished { what },
    }
}
