//! What befalls the calls of a session on their way in and out: faults, lists that lag behind, work that failed jobs leave.

use std::{
    io::{self, Write},
    process, thread,
    time::Duration,
};

use sanfleet_driver::{ErrorNumber, LsmError};
use serde::{Serialize, de::DeserializeOwned};

use super::{Answer, SimDriver};
use crate::{
    array::{Array, Fate, LaggingList},
    error::Result as SimResult,
    faults::{Effect, is_read, takes_space},
};

/// What a process ends with that was told to end.
const TOLD_TO_END: i32 = 3;
/// The longest frame that a reader of 31 bits takes.
const LONGEST_HEADER: &[u8] = b"2147483647";

/// How the reply to the present call goes out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Delivery {
    #[default]
    AsItIs,
    /// The process ends instead.
    Never,
    Nonsense,
    Flood,
}

impl SimDriver {
    /// Lets befall a call what is due to it. An error is its answer.
    pub(super) fn befall(&mut self, method: &str) -> Answer<()> {
        let Some(array) = &mut self.array else { return Ok(()) };
        let method = method.strip_prefix("sanfleet_").unwrap_or(method);
        self.delivery = Delivery::AsItIs;
        self.lag = self.profile_lag;
        array.set_fate(Fate::Succeeds);
        self.faults.refresh()?;
        let strike = self.faults.strike(method, array)?;
        array.sweep()?;
        if !is_read(method) {
            self.remember_lists()?;
        }
        if !strike.latency.is_zero() {
            thread::sleep(strike.latency);
        }
        strike.effects.into_iter().try_for_each(|effect| self.suffer(method, effect))
    }

    fn suffer(&mut self, method: &str, effect: Effect) -> Answer<()> {
        let refuse = |number: ErrorNumber, why: &str| Err(LsmError::new(number, format!("{method}: {why}")));
        match effect {
            Effect::Error(number) => return refuse(number.into(), "refused as a fault wants it"),
            Effect::Auth => return refuse(ErrorNumber::PluginAuthFailed, "the array does not let us in"),
            Effect::ReadOnly if !is_read(method) => {
                return refuse(ErrorNumber::PermissionDenied, "the array is read-only");
            }
            Effect::Full if takes_space(method) => {
                return refuse(ErrorNumber::NotEnoughSpace, "the array is full");
            }
            Effect::ReadOnly | Effect::Full => {}
            Effect::Stale(milliseconds) => self.lag = self.lag.max(Duration::from_millis(milliseconds)),
            Effect::JobFails(number) => self.meet(Fate::Fails(number)),
            Effect::JobLost { done } => self.meet(Fate::Lost { done }),
            Effect::ReplyLost => self.delivery = Delivery::Never,
            Effect::Nonsense => self.delivery = Delivery::Nonsense,
            Effect::Flood => self.delivery = Delivery::Flood,
            Effect::Crash => process::abort(),
            Effect::Restart => self.restart()?,
            Effect::Hang => loop {
                thread::park();
            },
        }
        Ok(())
    }

    fn meet(&mut self, fate: Fate) {
        if let Some(array) = &mut self.array {
            array.set_fate(fate);
        }
    }

    fn restart(&mut self) -> Answer<()> {
        self.ask(|array| array.forget_running_jobs())?;
        self.end_process()
    }

    /// Nothing of a private array stays behind.
    fn end_process(&mut self) -> ! {
        self.array = None;
        self.private = None;
        process::exit(TOLD_TO_END)
    }

    /// False when something else went out, or nothing at all.
    pub(super) fn lets_reply_out(&mut self, wire: &mut dyn Write) -> io::Result<bool> {
        match self.delivery {
            Delivery::AsItIs => Ok(true),
            Delivery::Never => self.end_process(),
            Delivery::Nonsense => wire.write_all(b"<html>502 Bad Gateway</html>\r\n").map(|()| false),
            Delivery::Flood => {
                wire.write_all(LONGEST_HEADER)?;
                let piece = [b'x'; 64 << 10];
                loop {
                    wire.write_all(&piece)?;
                }
            }
        }
    }

    /// A list, as it was a while ago if it is to lag behind.
    pub(super) fn list<T: Serialize + DeserializeOwned>(
        &mut self,
        list: LaggingList,
        question: impl FnOnce(&mut Array) -> SimResult<Vec<T>>,
    ) -> Answer<Vec<T>> {
        let lag = self.lag;
        self.ask(|array| array.as_of(lag, list, question))
    }

    /// Keeps what the lists tell before a change, for those that are to lag behind it.
    fn remember_lists(&mut self) -> Answer<()> {
        let Some(array) = &mut self.array else { return Ok(()) };
        for list in LaggingList::ALL {
            let lag = self.faults.lag(list.method()).max(self.profile_lag);
            if !lag.is_zero() {
                array.remember(list, lag)?;
            }
        }
        Ok(())
    }
}
