//! The way of commands to simulated hosts, in place of request and reply over the bus.

use std::{
    future::pending,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message;
use sanfleet_agent::actions::verb;
use sanfleet_controller::agents::{Carrier, Unheard};
use sanfleet_driver::{LsmError, client::Passage};
use sanfleet_protocol::{
    HostId,
    v1::{self, command_error::Kind, command_result::Outcome},
};

use crate::{
    Fleet,
    link::{Link, Seam, Side},
};

/// A host far away from its controller, in time.
const WAY: Duration = Duration::from_millis(1);

pub struct SimCarrier {
    pub link: Arc<Link>,
    pub fleet: Weak<Fleet>,
}

impl SimCarrier {
    async fn carry(&self, host: &HostId, message: Vec<u8>) -> Result<Bytes, Unheard> {
        let fleet = self.fleet.upgrade().expect("the fleet outlives its controllers");
        let command = fleet.key.public().open(&message).expect("a controller signs its commands");
        let action = command.action.as_ref().map_or("nothing", |action| verb(action).as_str());
        let what = format!("{action} {} {host}", command.step);
        match self.link.cross(Seam::Agent, &what, Side::Before).await {
            Passage::Open => {}
            Passage::Lost => return pending().await,
            Passage::Refused(error) => return Ok(refusal(&command, &error)),
        }
        let host = fleet.hosts.get(host).expect("there is such a host");
        if !host.has_agent() {
            return Err(Unheard::Offline);
        }
        tokio::time::sleep(WAY).await;
        let Some(answer) = fleet.deliver(host, message).await else { return pending().await };
        match self.link.cross(Seam::Agent, &what, Side::After).await {
            Passage::Open => Ok(answer.into()),
            Passage::Lost => pending().await,
            Passage::Refused(error) => Ok(refusal(&command, &error)),
        }
    }
}

/// What an agent would answer that could not do it.
fn refusal(command: &v1::Command, error: &LsmError) -> Bytes {
    let retryable = error.number == sanfleet_driver::ErrorNumber::Timeout;
    let error = v1::CommandError { kind: Kind::System.into(), message: error.message.clone(), retryable };
    let result = v1::CommandResult {
        version: command.version,
        id: command.id.clone(),
        host: command.host.clone(),
        outcome: Some(Outcome::Error(error)),
        ..Default::default()
    };
    result.encode_to_vec().into()
}

impl Carrier for SimCarrier {
    fn request<'a>(&'a self, host: &'a HostId, bytes: Vec<u8>) -> BoxFuture<'a, Result<Bytes, Unheard>> {
        Box::pin(self.carry(host, bytes))
    }
}
